import { describe, expect, it } from 'vitest'
import { nextPollMs } from '../../../dashboards/web/src/poll.ts'

describe('nextPollMs', () => {
  it('asks less often when there is nothing new', () => {
    expect(nextPollMs({ everyMs: 5000, unchanged: 0, failed: 0 })).toBe(5000)
    expect(nextPollMs({ everyMs: 5000, unchanged: 11, failed: 0 })).toBe(5000)
    expect(nextPollMs({ everyMs: 5000, unchanged: 12, failed: 0 })).toBe(15_000)
  })

  it('asks a failing server half as often each time, and once a minute at least', () => {
    expect([1, 2, 3, 4, 40].map((failed) => nextPollMs({ everyMs: 5000, unchanged: 0, failed }))).toEqual([
      10_000, 20_000, 40_000, 60_000, 60_000,
    ])
    expect(nextPollMs({ everyMs: 120_000, unchanged: 0, failed: 3 })).toBe(120_000)
  })

  it('never asks again where the screen does not wish it', () => {
    expect(nextPollMs({ everyMs: 0, unchanged: 0, failed: 3 })).toBeUndefined()
  })
})
