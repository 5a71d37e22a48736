import { expect, it } from 'vitest'
import { createManualClock } from '../../../../core/clock.ts'
import { GatewatchError } from '../../../../core/errors.ts'
import { createRateLimits } from '../../../../ingest/sources/rate-limits.ts'

const refusalOf = (ask: () => void): unknown => {
  try {
    ask()
    return 'admitted'
  } catch (error) {
    return error instanceof GatewatchError ? [error.code, error.place.retryAfterSeconds] : error
  }
}

const limit = { recordsPerSecond: 10, burst: 50 }

it('lets a burst in, then as many as the rate, and says how long to wait', () => {
  const clock = createManualClock(0)
  const limits = createRateLimits({ bySource: new Map([['kong', limit]]), clock })
  limits.admit('kong')
  limits.charge('kong', 50)
  expect(refusalOf(() => limits.admit('kong'))).toEqual(['rate_limited', 1])
  clock.advance(100)
  limits.admit('kong')
})

it('makes a body larger than the burst wait afterwards, not for ever', () => {
  const clock = createManualClock(0)
  const limits = createRateLimits({ bySource: new Map([['kong', limit]]), clock })
  limits.admit('kong')
  limits.charge('kong', 250)
  expect(refusalOf(() => limits.admit('kong'))).toEqual(['rate_limited', 21])
  clock.advance(20_100)
  limits.admit('kong')
})

it('counts each source by itself, and limits none that has no limit', () => {
  const clock = createManualClock(0)
  const limits = createRateLimits({
    bySource: new Map([['kong', limit]]),
    otherwise: { recordsPerSecond: 1, burst: 1 },
    clock,
  })
  limits.charge('kong', 1000)
  limits.admit('one')
  limits.charge('one', 1)
  expect(() => limits.admit('one')).toThrow()
  limits.admit('two')
  const unlimited = createRateLimits({ bySource: new Map(), clock })
  unlimited.charge('any', 1e9)
  unlimited.admit('any')
})

it('neither gives nor takes when the clock is set back', () => {
  const clock = createManualClock(100_000)
  const limits = createRateLimits({ bySource: new Map([['kong', limit]]), clock })
  limits.charge('kong', 51)
  clock.set(0)
  expect(() => limits.admit('kong')).toThrow()
  clock.advance(200)
  limits.admit('kong')
})
