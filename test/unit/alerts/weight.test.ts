import { describe, expect, it } from 'vitest'
import { AGE_STEP_MS, createTurns, pickByWeight } from '../../../alerts/weight.ts'
import type { WaitingDelivery } from '../../../core/delivery.ts'

const nowMs = Date.parse('2026-08-21T15:00:00.000Z')
let made = 0
const waiting = (given: Partial<WaitingDelivery> & { agoMs?: number } = {}): WaitingDelivery => {
  const { agoMs = 1000, ...rest } = given
  made += 1
  return {
    tenant: 'acme',
    delivery_id: `d${String(made).padStart(6, '0')}`,
    version: 1,
    receiver: 'soc',
    alert_id: `a${made}`,
    notice: 'opened',
    sequence: 1,
    created_at: new Date(nowMs - agoMs).toISOString(),
    severity: 'critical',
    score: 5,
    source: 'gateway',
    party: 'mallory',
    ...rest,
  }
}
const many = (count: number, given: (index: number) => Parameters<typeof waiting>[0]) =>
  Array.from({ length: count }, (_, index) => waiting(given(index)))
const pick = (all: readonly WaitingDelivery[], limit = 50, turns = createTurns()) =>
  pickByWeight(all, { limit, nowMs, turns })
const parties = (picked: readonly WaitingDelivery[]) => picked.map(({ party }) => party)

describe('what goes out next', () => {
  it('is the highest severity, whatever waits longer', () => {
    const low = many(60, (index) => ({ severity: 'low', party: `p${index}`, agoMs: 60_000 }))
    expect(parties(pick([...low, waiting({ party: 'ada' })], 3))[0]).toBe('ada')
  })

  it('is the highest score of a party, and every other time what waits longest', () => {
    const all = [1, 9, 3, 7, 5].map((score, index) => waiting({ score, agoMs: 10_000 - index * 1000 }))
    expect(pick(all).map(({ score }) => score)).toEqual([9, 1, 7, 3, 5])
  })

  it('is in the next batch however many of another entity wait', () => {
    const flood = many(1500, () => ({ score: 99, agoMs: AGE_STEP_MS * 9 }))
    expect(parties(pick([...flood, waiting({ party: 'ada', score: 1, agoMs: 0 })])).indexOf('ada')).toBe(1)
  })

  it('is in the next batch however many entities another source makes up', () => {
    const flood = many(1500, (index) => ({ score: 99, source: 'attacker', party: `made up ${index}` }))
    expect(parties(pick([...flood, waiting({ party: 'ada', score: 1 })])).indexOf('ada')).toBeLessThan(2)
  })

  it('gives tenants turns, whatever one has', () => {
    const flood = many(90, (index) => ({ source: `s${index % 30}`, party: `p${index}` }))
    const picked = pick([...flood, ...many(10, () => ({ tenant: 'globex', score: 1 }))], 20)
    expect(picked.filter(({ tenant }) => tenant === 'globex')).toHaveLength(10)
  })

  it('goes on with turns where the batch before ended', () => {
    const turns = createTurns()
    const left = new Set([...many(9, () => ({ score: 99 })), ...many(3, () => ({ party: 'ada', score: 1 }))])
    const sent: string[] = []
    // A receiver that takes one message at a time.
    for (let look = 0; look < 6; look += 1) {
      const [next] = pick([...left], 1, turns)
      if (next === undefined) break
      left.delete(next)
      turns.took(next)
      sent.push(next.party)
    }
    expect(sent).toEqual(['mallory', 'ada', 'mallory', 'ada', 'mallory', 'ada'])
  })

  it('is in the end what nobody would choose: waiting gains weight', () => {
    const flood = many(500, (index) => ({ party: `p${index % 5}` }))
    const old = waiting({ party: 'ada', severity: 'info', score: 0, agoMs: AGE_STEP_MS * 4 })
    const younger = { ...old, created_at: new Date(nowMs - AGE_STEP_MS * 3).toISOString() }
    expect(parties(pick([...flood, old]))).toContain('ada')
    expect(parties(pick([...flood, younger]))).not.toContain('ada')
  })

  it('never takes one twice, and all in the end', () => {
    const all = many(200, (index) => ({
      severity: index % 3 === 0 ? 'low' : 'high',
      party: `p${index % 7}`,
      source: `s${index % 2}`,
    }))
    expect(new Set(pick(all, 1000))).toEqual(new Set(all))
    expect(pick(all, 10)).toEqual(pick(all, 1000).slice(0, 10))
    expect(pick([])).toEqual([])
  })

  it('does not remember more parties than it may', () => {
    const turns = createTurns()
    for (let index = 0; index < 30_000; index += 1) turns.took(waiting({ party: `p${index}` }))
    expect(turns.of(JSON.stringify(['acme', 'gateway', 'p0']))).toEqual({ last: 0, count: 0 })
    expect(turns.newest()).toBe(30_000)
  })
})
