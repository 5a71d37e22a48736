import { describe, expect, it } from 'vitest'
import {
  DAY_MS,
  isWorkday,
  localDate,
  localTime,
  weekday,
  zoneOffsetMs,
} from '../../../../app/demo/calendar.ts'

const dateOf = (text: string): number => Date.parse(`${text}T00:00:00Z`) / DAY_MS

describe('calendar', () => {
  it('follows daylight saving', () => {
    expect(new Date(localTime('Europe/Berlin', dateOf('2026-07-01'), 9)).toISOString()).toBe(
      '2026-07-01T07:00:00.000Z',
    )
    expect(new Date(localTime('Europe/Berlin', dateOf('2026-12-01'), 9)).toISOString()).toBe(
      '2026-12-01T08:00:00.000Z',
    )
    // The morning of the change itself.
    expect(new Date(localTime('America/New_York', dateOf('2026-11-01'), 9)).toISOString()).toBe(
      '2026-11-01T14:00:00.000Z',
    )
    expect(zoneOffsetMs('Asia/Kolkata', 0)).toBe(5.5 * 3_600_000)
  })

  it('knows which date it is somewhere', () => {
    const at = Date.parse('2026-08-21T22:00:00Z')
    expect(localDate('Australia/Sydney', at)).toBe(dateOf('2026-08-22'))
    expect(localDate('America/Los_Angeles', at)).toBe(dateOf('2026-08-21'))
    expect(weekday(dateOf('2026-08-21'))).toBe(5)
  })

  it('keeps weekends and public holidays free', () => {
    expect(isWorkday('US', dateOf('2026-11-26'))).toBe(false)
    expect(isWorkday('US', dateOf('2026-11-25'))).toBe(true)
    expect(isWorkday('DE', dateOf('2026-11-26'))).toBe(true)
    expect(isWorkday('GB', dateOf('2026-08-31'))).toBe(false)
    expect(isWorkday('GB', dateOf('2026-08-24'))).toBe(true)
    expect(isWorkday('IN', dateOf('2026-08-22'))).toBe(false)
  })
})
