import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { classCells, densityOf } from '../../../../detectors/off-hours/density.ts'
import { nightStart } from '../../../../detectors/off-hours/profile.ts'
import {
  distanceToUsed,
  HALF_HOURS,
  isRoundTheClock,
  learnDay,
  type Rhythm,
} from '../../../../detectors/off-hours/rhythm.ts'
import { weekdayOf } from '../../../../detectors/utc-day.ts'

/** A person who works 9:00–17:00 local on weekdays, `offset` half hours ahead of UTC. */
function workerAt(offset: number, days = 28): Rhythm {
  const usedOfDay = new Map<number, number[]>()
  for (let day = 0; day < days; day += 1) {
    if (weekdayOf(20_605 + day) > 4) continue
    for (let local = 18; local < 34; local += 1) {
      const halfHour = (20_605 + day) * HALF_HOURS + local - offset
      const utcDay = Math.floor(halfHour / HALF_HOURS)
      usedOfDay.set(utcDay, [
        ...(usedOfDay.get(utcDay) ?? []),
        ((halfHour % HALF_HOURS) + HALF_HOURS) % HALF_HOURS,
      ])
    }
  }
  let rhythm: Rhythm | undefined
  for (const [day, halfHours] of [...usedOfDay].sort(([a], [b]) => a - b)) {
    rhythm = learnDay(rhythm, day, weekdayOf(day), halfHours)
  }
  if (rhythm === undefined) throw new Error('no days')
  return rhythm
}

describe('the rhythm of an actor', () => {
  it('finds the time zone of people who work by day, in every zone', () => {
    for (let offset = -24; offset <= 28; offset += 1) {
      expect(Math.abs(workerAt(offset).offset - offset), `offset ${offset}`).toBeLessThanOrEqual(2)
    }
  })

  it('knows the date on both sides of the date line', () => {
    // UTC+13 and UTC−11 have the same clock; Monday begins a day apart.
    expect(workerAt(26).offset).toBe(26)
    expect(workerAt(28).offset).toBe(28)
    expect(workerAt(-22).offset).toBe(-22)
    expect(workerAt(-20).offset).toBe(-20)
  })

  it('places every night in its day and the next', () => {
    for (let offset = -24; offset <= 28; offset += 1) {
      expect(nightStart(20_000, offset)).toBeGreaterThanOrEqual(20_000 * HALF_HOURS)
      expect(nightStart(20_000, offset)).toBeLessThan(20_001 * HALF_HOURS)
      expect((nightStart(20_000, offset) + offset) % HALF_HOURS).toBe(HALF_HOURS / 2)
    }
  })

  it('keeps offsets within −12 and +14 hours', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 47 }), { minLength: 1, maxLength: 20 }), (halfHours) => {
        const offset = learnDay(undefined, 20_000, 0, halfHours).offset
        expect(offset).toBeGreaterThanOrEqual(-24)
        expect(offset).toBeLessThanOrEqual(28)
      }),
    )
  })

  it('tells who works around the clock', () => {
    expect(isRoundTheClock(workerAt(0))).toBe(false)
    const everyHour = Array.from({ length: 24 }, (_, hour) => 2 * hour)
    expect(isRoundTheClock(learnDay(undefined, 20_000, 0, everyHour))).toBe(true)
  })

  it('measures distances around midnight', () => {
    expect(distanceToUsed(new Set([47]), 1)).toBe(2)
    expect(distanceToUsed(new Set([1]), 47)).toBe(2)
    expect(distanceToUsed(new Set([10]), 10)).toBe(0)
    expect(distanceToUsed(new Set(), 10)).toBe(24)
  })

  it('fades with a half-life of 120 days, over decades too', () => {
    const at = (rhythm: Rhythm, cell: number) => classCells({ ...rhythm, offset: 0 })[cell]
    let rhythm = learnDay(undefined, 11_571, 0, [20])
    rhythm = learnDay(rhythm, 11_571 + 119 * 7, 0, [30])
    expect(at(rhythm, 20)).toBeCloseTo(2 ** ((-119 * 7) / 120), 6)
    expect(at(rhythm, 30)).toBeCloseTo(1, 6)
    // Every Monday for fifty years: the sum that fading at each step comes to.
    for (let week = 120; week < 120 + 52 * 50; week += 1)
      rhythm = learnDay(rhythm, 11_571 + 7 * week, 0, [40])
    expect(at(rhythm, 40)).toBeCloseTo(1 / (1 - 2 ** (-7 / 120)), 3)
    expect(at(rhythm, 20)).toBeCloseTo(0, 9)
    expect(rhythm.weekdays.filter((weights) => weights !== undefined)).toHaveLength(1)
  })

  it('shares with the day before what the day does not change', () => {
    const monday = learnDay(learnDay(undefined, 20_601, 2, [18]), 20_606, 0, [20])
    const tuesday = learnDay(monday, 20_607, 1, [20])
    expect(tuesday.weekdays[0]).toBe(monday.weekdays[0])
    expect(tuesday.weekdays[2]).toBe(monday.weekdays[2])
    expect(monday.weekdays[1]).toBeUndefined()
  })

  it('has densities that sum to 1', () => {
    const peers = densityOf(classCells(workerAt(0)))
    for (const density of [peers, densityOf(classCells(workerAt(4)), peers)]) {
      expect(density.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 6)
      expect(Math.min(...density)).toBeGreaterThan(0)
    }
  })
})
