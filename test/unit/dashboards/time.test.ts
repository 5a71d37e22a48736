import { describe, expect, it } from 'vitest'
import {
  chooseStepSeconds,
  formatAgo,
  formatDuration,
  formatElapsed,
  formatOffset,
  isRelative,
  resolveTime,
} from '../../../dashboards/web/src/time.ts'

const NOW = Date.parse('2026-11-21T12:00:00Z')
const HOUR = 3_600_000

describe('resolveTime', () => {
  it.each([
    ['now', NOW],
    ['-24h', NOW - 24 * HOUR],
    ['-7d', NOW - 7 * 24 * HOUR],
    ['-90s', NOW - 90_000],
    ['2026-11-20T00:00:00Z', Date.parse('2026-11-20T00:00:00Z')],
    ['yesterday', undefined],
    ['-5y', undefined],
    ['2026', undefined],
  ])('%s', (text, ms) => {
    expect(resolveTime(text, NOW)).toBe(ms)
  })
})

describe('a range', () => {
  it('gets the finest step that gives no more than the wanted buckets', () => {
    expect(chooseStepSeconds(HOUR)).toBe(300)
    expect(chooseStepSeconds(24 * HOUR)).toBe(900)
    expect(chooseStepSeconds(28 * 24 * HOUR)).toBe(21_600)
    expect(chooseStepSeconds(10 * 365 * 24 * HOUR)).toBe(604_800)
  })

  it('is relative only when both ends move', () => {
    expect(isRelative('-24h', 'now')).toBe(true)
    expect(isRelative('2026-11-20T00:00:00Z', 'now')).toBe(false)
  })
})

describe('words for time', () => {
  it.each([
    [0, '0 ms'],
    [7_100, '7.1 s'],
    [90 * 60_000, '1 h 30 min'],
    [24 * HOUR, '24 h'],
    [50 * HOUR, '2 d 2 h'],
  ])('duration %d', (ms, words) => {
    expect(formatDuration(ms)).toBe(words)
  })

  it.each([
    [400, '0:00.4'],
    [59_990, '0:59.9'],
    [125_000, '2:05'],
    [3 * HOUR + 61_000, '3:01:01'],
  ])('elapsed %d', (ms, words) => {
    expect(formatElapsed(ms)).toBe(words)
  })

  it('says how long ago, and what is still to come', () => {
    expect(formatAgo(NOW - 3000, NOW)).toBe('just now')
    expect(formatAgo(NOW - 5 * HOUR, NOW)).toBe('5 h ago')
    expect(formatAgo(NOW + 5 * 60_000, NOW)).toBe('in 5 min')
  })

  it('names an offset', () => {
    expect([0, 120, -210].map(formatOffset)).toEqual(['UTC', 'UTC+02:00', 'UTC−03:30'])
  })
})
