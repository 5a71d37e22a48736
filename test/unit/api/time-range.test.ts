import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openRangeOf, parseTime, rangeOf } from '../../../api/time-range.ts'
import { NOW_MS } from './api-fixture.ts'

describe('parseTime', () => {
  it.each([
    ['now', '2026-08-21T14:00:00.000000Z'],
    ['-24h', '2026-08-20T14:00:00.000000Z'],
    ['now-7d', '2026-08-14T14:00:00.000000Z'],
    ['-90s', '2026-08-21T13:58:30.000000Z'],
    ['2026-08-21', '2026-08-21T00:00:00.000000Z'],
    ['2026-08-21T14:03:11.482915Z', '2026-08-21T14:03:11.482915Z'],
    ['2026-08-21T16:03:11+02:00', '2026-08-21T14:03:11.000000Z'],
    ['2026-08-21T14:03', '2026-08-21T14:03:00.000000Z'],
  ])('%s', (text, time) => {
    expect(parseTime(text, NOW_MS)).toBe(time)
  })

  it.each([
    '',
    'yesterday',
    '-24',
    '-24y',
    '2026-02-30',
    '1969-12-31',
    '9999-01-01',
    '-999999w',
    '1724248991',
  ])('refuses %j', (text) => {
    expect(parseTime(text, NOW_MS)).toBeUndefined()
  })

  it('answers any text with a time or nothing', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const time = parseTime(text, NOW_MS)
        return time === undefined || /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(time)
      }),
    )
  })
})

describe('rangeOf', () => {
  it('is the last 24 hours unless told', () => {
    expect(rangeOf({}, NOW_MS)).toEqual({
      from: '2026-08-20T14:00:00.000000Z',
      to: '2026-08-21T14:00:00.000000Z',
    })
    expect(openRangeOf({}, NOW_MS)).toEqual({})
  })

  it('names the field at fault', () => {
    const fault = (field: string) =>
      expect.objectContaining({ code: 'request_invalid', place: expect.objectContaining({ field }) })
    expect(() => rangeOf({ to: 'soon' }, NOW_MS)).toThrowError(fault('to'))
    expect(() => rangeOf({ from: 'now', to: '-1h' }, NOW_MS)).toThrowError(fault('from'))
  })
})
