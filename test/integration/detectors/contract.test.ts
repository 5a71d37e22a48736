import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { AuditEvent } from '../../../core/audit-event.ts'
import type { FindingChange } from '../../../core/finding.ts'
import { backtest } from '../../../detectors/backtest.ts'
import { detectors } from '../../../detectors/registry.ts'
import type { Database } from '../../../store/database.ts'
import { byTime, incidents, officeEvents, randomOf, shuffled } from '../../scenarios/office.ts'
import { signs } from '../../scenarios/signs.ts'
import {
  bytesOf,
  correct,
  emptyStore,
  engineOver,
  finalFindings,
  openTestStore,
  shippedRules,
  shippedSignals,
  store,
} from './support.ts'

/**
 * The law that every kind of detector obeys: findings are a function of the stored events and of nothing else. Each
 * test stores the same events in another way and compares all bytes of the current findings.
 */

const rules = [...shippedRules(), ...shippedSignals()]
const events = [...officeEvents({ seed: 7, people: 6, days: 24 }), ...incidents(22), ...signs(22)].sort(
  byTime,
)

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

function cutsOf<T>(items: readonly T[], pieces: number, seed: number): T[][] {
  const random = randomOf(seed)
  const cuts = Array.from({ length: pieces - 1 }, () => Math.floor(random() * items.length)).sort(
    (a, b) => a - b,
  )
  return [0, ...cuts].map((from, index) => items.slice(from, cuts[index] ?? items.length))
}

it('has findings of every kind to be tested with', () => {
  const kinds = new Set(expected.map((finding) => (JSON.parse(finding) as { detector: string }).detector))
  expect([...kinds].sort()).toEqual(detectors.map(({ kind }) => kind).sort())
})

it('a backtest finds what live ticks found, over any range', async () => {
  await store(database, events)
  const query = database.query.bind(database)
  const all = await Array.fromAsync(backtest({ query, rules, fromMs: 0, toMs: 4e12 }))
  expect(bytesOf(all)).toEqual(expected)
  const middle = Date.parse(incidents(22)[100]?.occurred_at ?? '')
  const parts = [
    ...(await Array.fromAsync(backtest({ query, rules, fromMs: 0, toMs: middle }))),
    ...(await Array.fromAsync(backtest({ query, rules, fromMs: middle, toMs: 4e12 }))),
  ]
  expect(bytesOf(parts)).toEqual(expected)
})

/** The events are months old. With a lateness of decades they are judged by ticks; with days, by the backfill. */
const lanes = [
  ['ticks', { latenessDays: 36_500 }],
  ['the backfill', { latenessDays: 3 }],
] as const

describe.each(lanes)('the law, by %s', (_, lane) => {
  const engineOf = (onFindings?: (changes: readonly FindingChange[]) => Promise<void>) =>
    engineOver(database, rules, onFindings, lane)

  async function storeAndTick(
    pieces: readonly (readonly AuditEvent[])[],
    restartEvery = Number.POSITIVE_INFINITY,
  ) {
    let engine = engineOf()
    await engine.tick()
    for (const [index, piece] of pieces.entries()) {
      if (index % restartEvery === 0) engine = engineOf()
      await store(database, piece)
      await engine.tick()
      if (index % 2 === 1) await engine.backfill()
    }
    await engine.drain()
  }

  it('the same input gives the same findings', async () => {
    const engine = engineOf()
    await engine.tick()
    await store(database, events)
    await engine.drain()
    expect(await finalFindings(database)).toEqual(expected)
  })

  it.each([1, 2])('any cut into ticks gives the same findings (cut %i)', async (seed) => {
    await storeAndTick(cutsOf(events, 6, seed))
    expect(await finalFindings(database)).toEqual(expected)
  })

  it('a cut within the hours of the incidents gives the same findings', async () => {
    const from = incidents(22)[0]?.occurred_at ?? ''
    const before = events.filter((event) => event.occurred_at < from)
    const after = events.filter((event) => event.occurred_at >= from)
    await storeAndTick([before, ...cutsOf(after, 10, 4)])
    expect(await finalFindings(database)).toEqual(expected)
  })

  it('late events give the same findings', async () => {
    const random = randomOf(5)
    const late = events.filter(() => random() < 0.02)
    const onTime = events.filter((event) => !late.includes(event))
    await storeAndTick([...cutsOf(onTime, 3, 6), ...cutsOf(shuffled(late, 8), 3, 9)])
    expect(await finalFindings(database)).toEqual(expected)
  })

  it('shuffled events give the same findings', async () => {
    await storeAndTick(cutsOf(shuffled(events, 10), 4, 11))
    expect(await finalFindings(database)).toEqual(expected)
  })

  it('a restart before any tick gives the same findings', async () => {
    await storeAndTick(cutsOf(events, 5, 12), 1)
    expect(await finalFindings(database)).toEqual(expected)
  })

  it('corrected events count as what they became', async () => {
    const wrong = new Map(
      events
        .filter((_, index) => index % 397 === 0)
        .map((event) => [event.event_id, { ...event, actor: '(unknown)', 'gen_ai.tool.name': 'unheard-of' }]),
    )
    const engine = engineOf()
    for (const piece of cutsOf(events, 3, 13)) {
      await store(
        database,
        piece.map((event) => wrong.get(event.event_id) ?? event),
      )
      await engine.tick()
    }
    for (const event of events) {
      const before = wrong.get(event.event_id)
      if (before !== undefined) await correct(database, before, event)
    }
    await engine.drain()
    expect(await finalFindings(database)).toEqual(expected)
  })

  it('a replay adds nothing', async () => {
    const changes: FindingChange[] = []
    const engine = engineOf(async (more) => {
      changes.push(...more)
    })
    await engine.tick()
    await store(database, events, 'contract/replayed')
    await engine.drain()
    const told = changes.length
    expect(told).toBe(expected.length)
    await store(database, events, 'contract/replayed')
    expect(await engine.drain()).toEqual({ judgedUnits: 0, findings: 0, superseded: 0 })
    expect(changes).toHaveLength(told)
    await database.command('TRUNCATE TABLE watermarks')
    await engineOf().drain()
    expect(await finalFindings(database)).toEqual(expected)
  })

  it('two engines at once add nothing', async () => {
    const [one, other] = [engineOf(), engineOf()]
    await Promise.all([one.tick(), other.tick()])
    for (const piece of cutsOf(events, 3, 14)) {
      await store(database, piece)
      await Promise.all([one.tick(), other.tick()])
    }
    await Promise.all([one.drain(), other.drain()])
    expect(await finalFindings(database)).toEqual(expected)
  })
})

describe('more calls of earlier days than ticks take on', () => {
  const catchingUp = { latenessDays: 36_500, catchUpRows: 300 }

  it('are left to the backfill, with the same findings', async () => {
    const engine = engineOver(database, rules, undefined, catchingUp)
    await engine.tick()
    for (const piece of cutsOf(shuffled(events, 15), 3, 16)) {
      await store(database, piece)
      expect(await engine.tick()).toMatchObject({ judgedUnits: 0, waiting: 0 })
      await engine.backfill()
    }
    await engineOver(database, rules, undefined, catchingUp).drain()
    expect(await finalFindings(database)).toEqual(expected)
  })
})
