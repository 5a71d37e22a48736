import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { AuditEvent } from '../../../core/audit-event.ts'
import type { FindingChange } from '../../../core/finding.ts'
import { createEngine, type EngineOptions } from '../../../detectors/engine.ts'
import { eventsOf } from '../../../detectors/example.ts'
import { createBaselineQueries } from '../../../store/baselines.ts'
import type { Database } from '../../../store/database.ts'
import { createFindings } from '../../../store/findings.ts'
import { createWatermarks } from '../../../store/watermarks.ts'
import { OFFICE_START, officeEvent } from '../../scenarios/office.ts'
import {
  correct,
  emptyStore,
  engineOver,
  finalFindings,
  openTestStore,
  shippedRules,
  store,
} from './support.ts'

let database: Database
let close: () => Promise<void>

beforeAll(async () => {
  ;({ database, close } = await openTestStore())
})
afterAll(() => close())
beforeEach(() => emptyStore(database))

const rules = shippedRules()
const firing = rules.find(({ id }) => id === 'volume-spike')?.examples[0]
if (firing === undefined) throw new Error('the shipped rule for volume is gone')
const spike = eventsOf(firing, 'default')

const optionsOf = (): EngineOptions => ({
  query: (sql, params) => database.query(sql, params),
  findings: createFindings(database),
  watermarks: createWatermarks(database),
  rules,
  onFindings: async () => {},
  settleMs: 0,
})

/** Days 0–20 of five people’s routine with one tool; enough to be settled. */
function routine(people: readonly string[]): AuditEvent[] {
  const events: AuditEvent[] = []
  for (let day = 0; day < 21; day += 1) {
    for (const actor of people) {
      for (let call = 0; call < 12; call += 1) {
        events.push(use(actor, 'get_account', day, 9 + (call % 8), call))
      }
    }
  }
  return events
}

const use = (actor: string, tool: string, day: number, hour: number, minute = 0): AuditEvent =>
  officeEvent(
    'default',
    actor,
    { server: 'crm', tool, capability: 'execute' },
    (OFFICE_START + day) * 86_400_000 + hour * 3_600_000 + minute * 60_000,
    `session:${actor}/${day}`,
  )

const newToolTitles = async (status: 'current' | 'superseded') =>
  (await createFindings(database).list({ rule: 'new-tool', status }, 100)).map(({ title }) => title)

describe('the engine', () => {
  it.each(['findings', 'onFindings', 'watermarks'] as const)(
    'loses nothing when it dies at its %s',
    async (part) => {
      await store(database, spike)
      const told: FindingChange[] = []
      const die = async () => {
        throw new Error('killed')
      }
      const options = optionsOf()
      const onFindings = async (changes: readonly FindingChange[]) => {
        told.push(...changes)
      }
      const dying: EngineOptions = {
        ...options,
        onFindings: part === 'onFindings' ? die : onFindings,
        findings: part === 'findings' ? { ...options.findings, write: die } : options.findings,
        watermarks: part === 'watermarks' ? { ...options.watermarks, writeAll: die } : options.watermarks,
      }
      await expect(createEngine(dying).drain()).rejects.toThrow('killed')
      await createEngine({ ...options, onFindings }).drain()
      const found = await finalFindings(database)
      expect(found.length).toBeGreaterThan(0)
      const toldIds = new Set(told.map(({ finding }) => finding.finding_id))
      expect(
        found
          .map((text) => (JSON.parse(text) as { finding_id: string }).finding_id)
          .filter((id) => !toldIds.has(id)),
      ).toEqual([])
    },
  )

  it('loses nothing when it dies before findings are handed on, and their rule is refused at the next start', async () => {
    const options = optionsOf()
    await createEngine(options).drain()
    await store(database, spike)
    const die = async () => {
      throw new Error('killed')
    }
    await expect(createEngine({ ...options, onFindings: die }).drain()).rejects.toThrow('killed')
    const told = new Set<string>()
    const onFindings = async (changes: readonly FindingChange[]) => {
      for (const { finding } of changes) told.add(finding.finding_id)
    }
    // Another rule finds something meanwhile, so that progress is made.
    const others = rules.filter(({ id }) => id === 'volume-spike').map((rule) => ({ ...rule, id: 'other' }))
    await createEngine({ ...options, rules: others, onFindings }).drain()
    await createEngine({ ...options, rules: [...rules, ...others], onFindings }).drain()
    const found = await finalFindings(database)
    expect(found).toHaveLength(2)
    const ids = found.map((text) => (JSON.parse(text) as { finding_id: string }).finding_id)
    expect([...told].sort()).toEqual(ids.sort())
  })

  it('supersedes single findings when a tool turns out to be rolled out', async () => {
    const people = ['ada', 'ben', 'cleo', 'dora', 'emil', 'finn']
    await store(database, routine(people))
    const engine = engineOver(database, rules)
    await engine.drain()
    for (const [index, actor] of people.slice(0, 4).entries())
      await store(database, [use(actor, 'bulk_edit', 21, 10 + index)])
    await engine.drain()
    expect(await newToolTitles('current')).toHaveLength(4)
    await store(database, [use('emil', 'bulk_edit', 21, 15)])
    await engine.drain()
    expect(await newToolTitles('current')).toEqual([
      expect.stringMatching(/^ada, ben, cleo and 2 more took up bulk_edit/),
    ])
    expect(await newToolTitles('superseded')).toHaveLength(4)
  })

  it('moves a first use when an earlier one arrives late', async () => {
    await store(database, routine(['ada', 'ben', 'cleo', 'dora']))
    const engine = engineOver(database, rules)
    await store(database, [use('ada', 'bulk_edit', 22, 10)])
    await engine.drain()
    expect(await newToolTitles('current')).toEqual([expect.stringContaining('in 22 days')])
    await store(database, [use('ada', 'bulk_edit', 21, 10)])
    await engine.drain()
    expect(await newToolTitles('current')).toEqual([expect.stringContaining('in 21 days')])
    expect(await newToolTitles('superseded')).toEqual([expect.stringContaining('in 22 days')])
  })

  // Issue 9, fault 20.
  it('takes a use that a correction took away for none', async () => {
    await store(database, routine(['ada', 'ben', 'cleo', 'dora']))
    const wrong = use('ada', 'bulk_edit', 20, 10)
    await store(database, [wrong])
    await correct(database, wrong, { ...wrong, 'gen_ai.tool.name': 'get_account' })
    await database.command('OPTIMIZE TABLE tools_by_actor FINAL')
    const first = use('ada', 'bulk_edit', 22, 10)
    await store(database, [first])
    // A correction that changes neither pair nor time takes nothing away.
    await correct(database, first, { ...first, outcome: 'failure' })
    await engineOver(database, rules).drain()
    expect(await newToolTitles('current')).toEqual([expect.stringContaining('in 22 days')])
    const uses = await createBaselineQueries(database).firstUses(
      { tenant: 'default', server: 'crm', tool: 'bulk_edit' },
      10,
    )
    expect(uses).toEqual([{ actor: 'ada', at: first.occurred_at }])
  })

  it('notices rows that become visible after their time was passed', async () => {
    const history = spike.filter(({ occurred_at }) => occurred_at < '2026-06-22')
    await store(database, history)
    const engine = engineOver(database, rules)
    await engine.drain()
    await store(database, spike.slice(history.length))
    const watermarks = createWatermarks(database)
    const watermark = await watermarks.read('detect:1/0')
    if (watermark === undefined) throw new Error('no watermark')
    // A minute further than the rows: they appeared behind it.
    await watermarks.write('detect:1/0', {
      ...watermark,
      recordedThroughUs: watermark.recordedThroughUs + 60_000_000,
      version: watermark.version + 1,
    })
    // Another process begins there: this one knows how far it has come.
    await engineOver(database, rules).drain()
    expect((await finalFindings(database)).length).toBeGreaterThan(0)
  })

  // Issue 9, fault 11.
  it('says that what a new rule finds in the past is history, and never that of what arrived', async () => {
    const told: FindingChange[] = []
    const tell = async (changes: readonly FindingChange[]) => {
      told.push(...changes)
    }
    // The calls are months old: without so long a lateness, what arrives would be history too.
    const engine = engineOver(database, rules, tell, { latenessDays: 36_500 })
    await store(database, spike.slice(0, spike.length - 1))
    await engine.drain()
    expect(told.length).toBeGreaterThan(0)
    expect(told.filter(({ history }) => history !== true)).toEqual([])
    told.length = 0
    await store(database, spike.slice(spike.length - 1))
    await engine.tick()
    expect(told.length).toBeGreaterThan(0)
    expect(told.filter(({ history }) => history !== undefined)).toEqual([])
  })

  it('looks over the past once when a rule is new', async () => {
    await store(database, spike)
    const engine = engineOver(database, [])
    await engine.drain()
    expect(await finalFindings(database)).toEqual([])
    engine.setRules(rules)
    expect((await engine.drain()).findings).toBe(1)
    expect((await engine.drain()).judgedUnits).toBe(0)
  })

  it('is not behind when nothing arrives', async () => {
    const engine = engineOver(database, rules)
    await store(database, spike)
    await engine.drain()
    const before = engine.health().throughUs ?? 0
    await engine.tick()
    expect(engine.health().throughUs).toBeGreaterThan(before)
  })

  it('runs one tick at a time', async () => {
    await store(database, spike)
    const engine = engineOver(database, rules)
    await Promise.all([engine.tick(), engine.tick()])
    const reports = await Promise.all([engine.drain(), engine.drain()])
    expect(reports.reduce((sum, { findings }) => sum + findings, 0)).toBe(1)
  })
})
