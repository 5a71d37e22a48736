import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { AuditEvent } from '../../../core/audit-event.ts'
import type { Finding } from '../../../core/finding.ts'
import type { BaselineLimits } from '../../../detectors/cardinality.ts'
import { detectors } from '../../../detectors/registry.ts'
import { parseRules } from '../../../detectors/rule.ts'
import { DAY_MS } from '../../../detectors/utc-day.ts'
import type { Database } from '../../../store/database.ts'
import {
  byTime,
  incidents,
  OFFICE_START,
  officeEvent,
  officeEvents,
  randomOf,
  shuffled,
} from '../../scenarios/office.ts'
import { emptyStore, engineOver, finalFindings, openTestStore, store } from './support.ts'

/** Somebody invents actors, tools and destinations. Baselines stay small, colleagues are judged, and the law holds. */

const limits: BaselineLimits = { actors: 30, values: 40, perActor: 20 }
const FOLDER = new URL('../../../detectors/rules/', import.meta.url)
const { rules, errors } = parseRules(
  readdirSync(FOLDER)
    .filter((file) => file.endsWith('.yaml'))
    .map((path) => ({ path, text: readFileSync(new URL(path, FOLDER), 'utf8') })),
  detectors,
  limits,
)
if (errors[0] !== undefined) throw errors[0]

const office = [...officeEvents({ seed: 7, people: 6, days: 24 }), ...incidents(22)].sort(byTime)

/** On the days 15 to 18, 400 invented actors each, every one with tools and destinations of its own. */
const flood: AuditEvent[] = []
const random = randomOf(3)
for (let day = 15; day < 19; day += 1) {
  for (let name = 0; name < 400; name += 1) {
    for (let call = 0; call < 3; call += 1) {
      const tool = {
        server: 'invented',
        tool: `tool-${day}-${name}-${call}`,
        capability: 'write',
        destination: `host-${day}-${name}.example`,
      } as const
      const atMs = (OFFICE_START + day) * DAY_MS + Math.floor(random() * DAY_MS)
      flood.push(officeEvent('office', `!invented-${day}-${name}`, tool, atMs, `session:${day}/${name}`))
    }
  }
}
const events = [...office, ...flood].sort(byTime)

let database: Database
let close: () => Promise<void>
let expected: string[]

beforeAll(async () => {
  ;({ database, close } = await openTestStore())
  await store(database, events)
  await engineOver(database, rules).drain()
  expected = await finalFindings(database)
})
afterAll(() => close())
beforeEach(() => emptyStore(database))

const profilesOf = () =>
  database.query<{ profile: string; bytes: number }>(
    'SELECT profile, max(length(body)) AS bytes FROM profiles FINAL GROUP BY profile ORDER BY profile',
  )

describe('a flood of invented names', () => {
  it('leaves the findings about colleagues as they are without it', async () => {
    await store(database, office)
    await engineOver(database, rules).drain()
    const without = (await finalFindings(database)).map((text) => JSON.parse(text) as Finding)
    const withFlood = expected.map((text) => JSON.parse(text) as Finding)
    const incidental = ({ rule, actor, window }: Finding) =>
      actor.startsWith('!') || window.end < '2026-06-23' ? [] : [`${rule} ${actor} ${window.start}`]
    const named = without.flatMap(incidental)
    expect(named.length).toBeGreaterThanOrEqual(4)
    const found = new Set(withFlood.flatMap(incidental))
    expect(named.filter((name) => !found.has(name))).toEqual([])
  })

  it('makes no stored baseline large, and detection says which limit it reached', async () => {
    await store(database, office)
    await engineOver(database, rules).drain()
    const before = await profilesOf()
    await emptyStore(database)
    await store(database, events)
    const engine = engineOver(database, rules)
    await engine.drain()
    const after = await profilesOf()
    expect(after.map(({ profile }) => profile)).toEqual(before.map(({ profile }) => profile))
    // 1,600 invented actors with 4,800 tools beside 7 colleagues: the baselines hold 30 and 40.
    for (const [index, { bytes }] of after.entries())
      expect(bytes).toBeLessThan(10 * (before[index]?.bytes ?? 0))
    const [last] = await database.query<{ body: string }>(
      "SELECT body FROM profiles FINAL WHERE profile LIKE '[\"hours%' ORDER BY day DESC LIMIT 1",
    )
    const hours = JSON.parse(last?.body ?? '{}') as { actors: unknown[]; overflow: unknown[] }
    expect(hours.actors.length).toBeLessThanOrEqual(limits.actors)
    expect(hours.overflow).toHaveLength(1)
  })

  const lanes = [
    ['ticks', { latenessDays: 36_500 }],
    ['the backfill', { latenessDays: 3 }],
  ] as const
  it.each(lanes)('obeys the law, by %s: any cut and order gives the same findings', async (_, lane) => {
    let engine = engineOver(database, rules, async () => {}, lane)
    await engine.tick()
    const mixed = shuffled(events, 21)
    const size = Math.ceil(mixed.length / 4)
    for (let from = 0; from < mixed.length; from += size) {
      await store(database, mixed.slice(from, from + size))
      await engine.tick()
      await engine.backfill()
      engine = engineOver(database, rules, async () => {}, lane)
    }
    await engine.drain()
    expect(await finalFindings(database)).toEqual(expected)
  })
})

describe('a flood of today', () => {
  it('degrades detection, with its limit and its tenant', async () => {
    const today = Math.floor(Date.now() / DAY_MS)
    const firstDay = today - 24
    await store(database, [
      ...officeEvents({ seed: 7, people: 6, days: 24, firstDay }),
      ...flood.slice(0, 1_200).map((event) => ({
        ...event,
        occurred_at: new Date(Date.parse(event.occurred_at) + (today - 2 - OFFICE_START - 15) * DAY_MS)
          .toISOString()
          .replace('Z', '000Z') as AuditEvent['occurred_at'],
      })),
    ])
    const engine = engineOver(database, rules)
    await engine.drain()
    const { state, reasons } = engine.health()
    expect(state).toBe('degraded')
    expect([...new Set(reasons.map(({ code }) => code))]).toEqual(['baseline_overflow'])
    const ofActors = reasons.filter(({ what }) => what.startsWith('limit actors'))
    expect(ofActors.map(({ what }) => what).join('\n')).toContain('tenant office, rule volume-spike')
    expect(ofActors[0]?.detail).toContain('more than 30 actors since')
  })
})
