import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { AuditEvent } from '../../../core/audit-event.ts'
import { forgottenBehind } from '../../../detectors/arrivals.ts'
import { weekdayOf } from '../../../detectors/utc-day.ts'
import type { Database } from '../../../store/database.ts'
import { EVENT_COLUMNS, eventRow } from '../../../store/event-rows.ts'
import { createWatermarks } from '../../../store/watermarks.ts'
import { byTime, incidents, OFFICE_START, officeEvents } from '../../scenarios/office.ts'
import { emptyStore, engineOver, finalFindings, openTestStore, shippedRules, store } from './support.ts'

/** Detection that was away for longer than the store remembers arrivals. */

const DAY_MS = 86_400_000
const rules = shippedRules()
const today = Math.floor(Date.now() / DAY_MS)
// A Monday: the office has a week, and the incidents a weekday.
const firstDay = today - 34 - weekdayOf(today - 34)
/** The incidents happen nine days ago or earlier. */
const events = [
  ...officeEvents({ seed: 7, people: 6, days: 25, firstDay }),
  ...incidents(22, 'office', firstDay),
].sort(byTime)
const isBefore = ({ occurred_at }: AuditEvent) => Date.parse(occurred_at) < (firstDay + 21) * DAY_MS
const before = events.filter(isBefore)
const missed = events.filter((event) => !isBefore(event))

let database: Database
let close: () => Promise<void>
beforeAll(async () => {
  ;({ database, close } = await openTestStore())
})
afterAll(() => close())
beforeEach(() => emptyStore(database))

/** As `store`, recorded so many days ago. */
async function storeOnDay(some: readonly AuditEvent[], daysAgo: number): Promise<void> {
  const at = new Date(Date.now() - daysAgo * DAY_MS).toISOString().slice(0, 23).replace('T', ' ')
  await database.insert({
    table: 'events',
    columns: [...EVENT_COLUMNS, 'recorded_at'],
    rows: Buffer.from(
      some.map((event) => JSON.stringify([...(JSON.parse(eventRow(event)) as unknown[]), at])).join('\n'),
    ),
    token: `away/${daysAgo}/${some.length}`,
  })
}

/** Sets the clock of what detection has read back by some days. */
async function readLast(daysAgo: number): Promise<void> {
  const watermarks = createWatermarks(database)
  const known = await watermarks.read('detect:1/0')
  if (known === undefined) throw new Error('detection has no watermark')
  const recordedThroughUs = known.recordedThroughUs - daysAgo * DAY_MS * 1000
  await watermarks.write('detect:1/0', { ...known, recordedThroughUs, version: known.version + 1 })
}

/** What a merge does when the time of a part is over. */
async function expire(): Promise<void> {
  await database.command('OPTIMIZE TABLE touched FINAL')
  const [left] = await database.query<{ rows: number }>(
    'SELECT toUInt64(count()) AS rows FROM touched WHERE recorded_at < now() - toIntervalDay(8)',
  )
  expect(left?.rows).toBe(0)
}

describe('detection that was away for nine days', () => {
  it.each([0.5, 3])(
    'finds what one that was never away finds (missed calls came %d days later)',
    async (later) => {
      await store(database, before)
      await engineOver(database, rules).drain()
      await store(database, missed)
      await engineOver(database, rules).drain()
      const expected = await finalFindings(database)
      expect(expected.length).toBeGreaterThan(3)
      await emptyStore(database)

      await store(database, before)
      await engineOver(database, rules).drain()
      await readLast(12)
      await storeOnDay(missed, 12 - later)
      await expire()
      const engine = engineOver(database, rules)
      await engine.tick()
      expect(engine.health().state).toBe('degraded')
      const forgotten = engine.health().reasons.find(({ code }) => code === 'arrivals_forgotten')
      expect(forgotten?.detail).toContain(`The ${missed.length.toLocaleString('en-US')} calls`)
      await engine.drain()
      expect(await finalFindings(database)).toEqual(expected)
      // Said for ten minutes, however soon it is mended.
      expect(engine.health().reasons.map(({ code }) => code)).toEqual(['arrivals_forgotten'])
      // The next process looks no second time.
      const next = engineOver(database, rules)
      expect(await next.drain()).toEqual({ judgedUnits: 0, findings: 0, superseded: 0 })
    },
  )

  it('goes on with the same findings when it stops before the backfill ends', async () => {
    await store(database, events)
    await engineOver(database, rules).drain()
    const expected = await finalFindings(database)
    await emptyStore(database)

    await store(database, before)
    await engineOver(database, rules).drain()
    await readLast(12)
    await storeOnDay(missed, 11)
    await expire()
    const first = engineOver(database, rules)
    await first.tick()
    await first.backfill()
    await engineOver(database, rules).drain()
    expect(await finalFindings(database)).toEqual(expected)
  })

  it('says nothing when no call came meanwhile', async () => {
    await store(database, before)
    await engineOver(database, rules).drain()
    await readLast(12)
    const engine = engineOver(database, rules)
    await engine.drain()
    expect(engine.health()).toMatchObject({ state: 'ok', backfills: [] })
  })
})

describe('what the store has forgotten', () => {
  const day = DAY_MS * 1000
  const now = (OFFICE_START + 100) * day
  it('is nothing while the watermark is younger than a week', () => {
    expect(forgottenBehind(now - 6.9 * day, now, undefined)).toBeUndefined()
    expect(forgottenBehind(now - 7.1 * day, now, undefined)).toBeDefined()
  })
  it('is seen to once while detection catches up, and again when more is forgotten meanwhile', () => {
    const known = forgottenBehind(now - 10 * day, now, undefined)
    expect(forgottenBehind(now - 9 * day, now + day / 24, known)).toBeUndefined()
    expect(forgottenBehind(now - 9 * day, now + day, known)).toBeDefined()
    // Away once more, before what was known.
    expect(forgottenBehind(now - 20 * day, now, known)).toBeDefined()
  })
})
