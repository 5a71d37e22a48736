import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { judgeAnswer, MAX_RETRY_AFTER_MS, retryAfterMs } from '../../../alerts/answer.ts'
import { createBreaker } from '../../../alerts/breaker.ts'
import { pauseAfter, RETRY_PAUSES_MS } from '../../../alerts/retry-schedule.ts'
import { createTokenBucket } from '../../../alerts/token-bucket.ts'

const nowMs = Date.parse('2026-08-21T15:00:00Z')

describe('Retry-After', () => {
  it.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['Fri, 21 Aug 2026 15:00:30 GMT', 30_000],
    ['Fri, 21 Aug 2026 14:00:00 GMT', 0],
    ['86400', MAX_RETRY_AFTER_MS],
    ['Fri, 01 Jan 2100 00:00:00 GMT', MAX_RETRY_AFTER_MS],
  ])('%s is a time', (header, ms) => {
    expect(retryAfterMs(header, nowMs)).toBe(ms)
  })

  it.each(['', 'soon', '-5', '1.5', '0x10', '1e3', undefined])('%s is none', (header) => {
    expect(retryAfterMs(header, nowMs)).toBeUndefined()
  })

  it('is never negative, endless or not a number, whatever it says', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.date({ noInvalidDate: true }).map(String)), (header) => {
        const ms = retryAfterMs(header, nowMs) ?? 0
        expect(ms >= 0 && ms <= MAX_RETRY_AFTER_MS).toBe(true)
      }),
    )
  })
})

describe('judgeAnswer', () => {
  it.each([
    [200, 'delivered'],
    [204, 'delivered'],
    [301, 'retry'],
    [400, 'retry'],
    [404, 'retry'],
    [410, 'gone'],
    [429, 'retry'],
    [500, 'retry'],
  ])('reads %i as %s', (status, outcome) => {
    expect(judgeAnswer({ answered: true, status, text: 'secret of the receiver' }, nowMs)).toMatchObject({
      outcome,
      status,
    })
    expect(JSON.stringify(judgeAnswer({ answered: true, status, text: 'secret' }, nowMs))).not.toContain(
      'secret',
    )
  })

  it('does not try again what our own guard forbids', () => {
    expect(judgeAnswer({ answered: false, sent: false, refused: true, error: 'x' }, nowMs).outcome).toBe(
      'refused',
    )
  })
})

describe('the schedule', () => {
  it('stays within a fifth of its pauses, spreads deliveries, and ends', () => {
    for (const [index, pauseMs] of RETRY_PAUSES_MS.entries()) {
      const pauses = Array.from({ length: 200 }, (_, n) => pauseAfter(`delivery ${n}`, index + 1) ?? 0)
      expect(Math.min(...pauses)).toBeGreaterThanOrEqual(pauseMs * 0.8)
      expect(Math.max(...pauses)).toBeLessThanOrEqual(pauseMs * 1.2)
      expect(new Set(pauses).size).toBeGreaterThan(100)
    }
    expect(pauseAfter('d', RETRY_PAUSES_MS.length + 1)).toBeUndefined()
  })
})

describe('the token bucket', () => {
  it('allows a burst, then one at its pace', () => {
    const bucket = createTokenBucket({ perSecond: 2, burst: 3 })
    expect([0, 0, 0, 0].map((ms) => bucket.take(ms))).toEqual([true, true, true, false])
    expect(bucket.waitMs(0)).toBe(500)
    expect(bucket.take(499)).toBe(false)
    expect(bucket.take(500)).toBe(true)
    // Set back: waits from there, and gives nothing for it.
    expect(bucket.take(100)).toBe(false)
    expect(bucket.take(700)).toBe(true)
  })

  it('never gives more than burst and pace allow', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 80 }), (steps) => {
        const bucket = createTokenBucket({ perSecond: 5, burst: 2 })
        let ms = 0
        let taken = 0
        for (const step of steps) {
          ms += step
          if (bucket.take(ms)) taken += 1
        }
        expect(taken).toBeLessThanOrEqual(2 + (ms / 1000) * 5 + 1e-6)
      }),
    )
  })
})

describe('the breaker', () => {
  it('opens after five faults in a row, longer each time, and closes with a success', () => {
    const breaker = createBreaker()
    for (let fault = 0; fault < 4; fault += 1) breaker.fault(0)
    expect(breaker.waitMs(0)).toBe(0)
    breaker.fault(0)
    expect(breaker.waitMs(0)).toBe(30_000)
    expect(breaker.waitMs(30_000)).toBe(0)
    breaker.fault(30_000)
    expect(breaker.waitMs(30_000)).toBe(60_000)
    for (let fault = 0; fault < 20; fault += 1) breaker.fault(90_000)
    expect(breaker.waitMs(90_000)).toBe(300_000)
    breaker.success()
    expect(breaker.waitMs(90_000)).toBe(0)
  })
})
