import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { AuditEvent } from '../../../core/audit-event.ts'
import type { FindingChange } from '../../../core/finding.ts'
import { groupOf, type ProfileStore } from '../../../detectors/profiles.ts'
import type { Rule } from '../../../detectors/rule.ts'
import { createBackfills } from '../../../store/backfills.ts'
import type { Database } from '../../../store/database.ts'
import { createProfileStore } from '../../../store/profiles.ts'
import { byTime, incidents, officeEvents } from '../../scenarios/office.ts'
import { emptyStore, engineOver, finalFindings, openTestStore, shippedRules, store } from './support.ts'

/** What neither late calls, nor history, nor a rule that fails may do to live detection. */

const rules = shippedRules()
const events = [...officeEvents({ seed: 7, people: 6, days: 24 }), ...incidents(22)].sort(byTime)
const [sample] = events
if (sample === undefined) throw new Error('the office has no events')
const at = (event: AuditEvent, ms: number): AuditEvent => ({
  ...event,
  event_id: `${event.event_id}/${ms}`,
  occurred_at: new Date(ms).toISOString().replace('Z', '000Z') as AuditEvent['occurred_at'],
})

let database: Database
let close: () => Promise<void>

beforeAll(async () => {
  ;({ database, close } = await openTestStore())
})
afterAll(() => close())
beforeEach(() => emptyStore(database))

describe('a call of 2001', () => {
  it('costs the tick that it arrives in nothing, and changes what it must later', async () => {
    const told: FindingChange[] = []
    const engine = engineOver(database, rules, async (changes) => {
      told.push(...changes)
    })
    await store(database, events)
    await engine.drain()
    told.length = 0
    await store(database, [at(sample, Date.parse('2001-09-09T01:46:40Z')), at(sample, Date.now() - 60_000)])
    const report = await engine.tick()
    expect(report).toMatchObject({ rows: 2, lateRows: 1, waiting: 0 })
    // The call of today touches an actor, a tool and a chain; all of the past would be some 25 days for each rule.
    expect(report.judgedUnits).toBeLessThanOrEqual(3 * rules.length)
    expect(engine.health().backfills.map(({ reason }) => reason)).toContain('old')
    await engine.drain()
    expect(engine.health()).toMatchObject({ state: 'ok', backfills: [] })
    expect(told.filter(({ history, finding }) => history !== true && finding.window.end < '2026-10')).toEqual(
      [],
    )

    const found = await finalFindings(database)
    for (const table of ['finding_versions', 'watermarks', 'profiles'])
      await database.command(`TRUNCATE TABLE ${table}`)
    await engineOver(database, rules).drain()
    expect(await finalFindings(database)).toEqual(found)
  })
})

describe('a backfill that may wait', () => {
  it('gives way to a tick that runs, and ends after it', async () => {
    const query = database.query.bind(database)
    let held: PromiseWithResolvers<void> | undefined
    let asked = 0
    const engine = engineOver(database, rules, undefined, {
      lateDelayMs: 0,
      query: async (sql, params) => {
        await held?.promise
        return query(sql, params)
      },
      backfillQuery: async (sql, params) => {
        asked += 1
        return query(sql, params)
      },
    })
    await store(database, events)
    await engine.drain()
    await store(database, [at(sample, Date.parse('2001-09-09T01:46:40Z'))])
    await engine.tick()

    asked = 0
    held = Promise.withResolvers<void>()
    const done: string[] = []
    const tick = engine.tick().then(() => done.push('tick'))
    const piece = engine.backfill().then(({ worked }) => done.push(`backfill ${worked}`))
    // It has begun, and then learns and judges nothing.
    while (asked === 0) await sleep(10)
    await sleep(500)
    expect(done).toEqual([])
    held.resolve()
    await Promise.all([tick, piece])
    expect(done).toEqual(['tick', 'backfill true'])
  })
})

describe('a tenant with more waiting calls of earlier days than ticks take on', () => {
  it('is left to the backfill, and named; ticks judge the others meanwhile', async () => {
    const small = [3, 2, 1, 0].map((days) =>
      at({ ...sample, tenant: 'small' }, Date.now() - days * 86_400_000),
    )
    const told: FindingChange[] = []
    const tell = async (changes: readonly FindingChange[]) => {
      told.push(...changes)
    }
    const engine = engineOver(database, rules, tell, { catchUpRows: 300 })
    await store(database, small.slice(0, 3))
    await engine.drain()
    await store(database, [...events, ...small.slice(3)])
    const report = await engine.tick()
    expect(report).toMatchObject({ rows: events.length + 1, waiting: 0 })
    expect(report.judgedUnits).toBeGreaterThan(0)
    // One for all rules of the tenant.
    expect(engine.health().reasons).toMatchObject([
      { code: 'baseline_learning', what: `baselines, tenant ${sample.tenant}` },
    ])
    await engine.drain()
    expect(engine.health()).toMatchObject({ state: 'ok', backfills: [] })
    // Months old, and so told to nobody.
    expect(told.length).toBeGreaterThan(0)
    expect(told.filter(({ history }) => history !== true)).toEqual([])
  })
})

describe('a rule whose question fails', () => {
  it('is left out, named, and judges what it missed when it works again', async () => {
    await store(database, events)
    await engineOver(database, rules).drain()
    const expected = await finalFindings(database)
    await emptyStore(database)

    let broken = true
    const breakable = rules.map((rule) => (rule.kind === 'volume' ? failingWhile(rule, () => broken) : rule))
    const engine = engineOver(database, breakable)
    await engine.tick()
    await store(database, events)
    await engine.drain()
    const kindsOf = (found: readonly string[]) =>
      new Set(found.map((finding) => (JSON.parse(finding) as { detector: string }).detector))
    expect([...kindsOf(await finalFindings(database))].sort()).toEqual(
      [...kindsOf(expected)].filter((kind) => kind !== 'volume').sort(),
    )
    expect(engine.health()).toMatchObject({
      state: 'degraded',
      reasons: [{ code: 'rule_quarantined', what: 'rule volume-spike, tenant office' }],
    })
    expect(engine.health().reasons[0]?.detail).toContain('no_such_column')

    broken = false
    // It is asked again by itself, a few seconds later by the store’s clock.
    while (engine.health().state === 'degraded') {
      await engine.tick()
      await engine.backfill()
    }
    await engine.drain()
    expect(await finalFindings(database)).toEqual(expected)
  })

  it('does not keep a tick from failing when the store itself is away', async () => {
    await store(database, events)
    const query = database.query.bind(database)
    let away = false
    const engine = engineOver(database, rules, undefined, {
      query: (sql, params) => (away ? Promise.reject(new Error('refused')) : query(sql, params)),
    })
    await engine.tick()
    away = true
    await expect(engine.drain()).rejects.toThrow('refused')
    expect(engine.health().reasons.filter(({ code }) => code === 'rule_quarantined')).toEqual([])
    away = false
    await engine.drain()
    expect((await finalFindings(database)).length).toBeGreaterThan(0)
  })
})

describe('a rule whose baselines fail', () => {
  const late = at(sample, Date.parse('2001-09-09T01:46:40Z'))
  let broken: keyof ProfileStore | undefined
  const profilesOfOne = (): ProfileStore => {
    const volume = rules.find(({ kind }) => kind === 'volume')
    if (volume === undefined) throw new Error('there is no volume rule')
    const whole = createProfileStore(database)
    const guarded =
      <More extends unknown[], Answer>(
        name: keyof ProfileStore,
        ask: (tenant: string, group: string, ...more: More) => Answer,
      ) =>
      (tenant: string, group: string, ...more: More): Answer => {
        if (broken === name && group === groupOf(volume)) throw new Error('no such baseline')
        return ask(tenant, group, ...more)
      }
    return {
      newest: guarded('newest', whole.newest),
      write: guarded('write', whole.write),
      dropAfter: guarded('dropAfter', whole.dropAfter),
    }
  }
  const kindsOf = (found: readonly string[]) =>
    new Set(found.map((finding) => (JSON.parse(finding) as { detector: string }).detector))
  const quarantined = [{ code: 'rule_quarantined', what: 'rule volume-spike, tenant office' }]

  it('holds up no other in the backfill, and comes back', async () => {
    await store(database, [...events, late])
    await engineOver(database, rules).drain()
    const expected = await finalFindings(database)
    await emptyStore(database)

    broken = 'dropAfter'
    const engine = engineOver(database, rules, undefined, { profiles: profilesOfOne() })
    await engine.tick()
    await store(database, events)
    await engine.drain()
    await store(database, [late])
    await engine.drain()
    expect(engine.health().reasons).toMatchObject(quarantined)
    expect(kindsOf(await finalFindings(database))).toContain('off-hours')

    broken = undefined
    while (engine.health().state === 'degraded') {
      await engine.tick()
      await engine.backfill()
    }
    await engine.drain()
    expect(await finalFindings(database)).toEqual(expected)
  })

  it('keeps no tick from judging with the others', async () => {
    const calm = engineOver(database, rules)
    await store(database, events)
    await calm.drain()
    broken = 'newest'
    const engine = engineOver(database, rules, undefined, { profiles: profilesOfOne() })
    await store(database, [at(sample, Date.now() - 60_000)])
    expect((await engine.tick()).judgedUnits).toBeGreaterThan(0)
    expect(engine.health().reasons).toMatchObject(quarantined)
    broken = undefined
  })
})

describe('a request to judge the past again', () => {
  it.each([
    ['to the present', undefined],
    ['to a day', 24],
  ] as const)('is taken up by a tick, %s', async (_, days) => {
    const backfills = createBackfills(database)
    const engine = engineOver(database, rules, undefined, { requests: backfills })
    await store(database, events)
    await engine.drain()
    const expected = await finalFindings(database)
    await database.command('TRUNCATE TABLE finding_versions')
    const fromDay = Math.floor(Date.parse(sample.occurred_at) / 86_400_000)
    const through = days === undefined ? {} : { throughDay: fromDay + days }
    await backfills.request({ tenant: 'office', fromDay: fromDay - 1, ...through }, 'ada')
    expect((await backfills.left('office')).waiting).toBe(1)
    await engine.tick()
    const { waiting, work } = await backfills.left('office')
    expect(waiting).toBe(0)
    expect(work.map(({ rule, reason }) => [rule, reason])).toEqual(rules.map(({ id }) => [id, 'requested']))
    await engine.drain()
    expect(await finalFindings(database)).toEqual(expected)
    expect(await backfills.left('office')).toEqual({ waiting: 0, work: [], shards: [] })
    expect(await backfills.left('other')).toEqual({ waiting: 0, work: [], shards: [] })
  })
})

function failingWhile(rule: Rule, isBroken: () => boolean): Rule {
  const { question } = rule
  return {
    ...rule,
    question: {
      ...question,
      candidates: async (source, span, wanted) => {
        if (isBroken()) await source.query('SELECT no_such_column FROM events')
        return question.candidates(source, span, wanted)
      },
    },
  }
}
