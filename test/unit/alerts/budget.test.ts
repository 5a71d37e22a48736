import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BudgetInput, shareOut } from '../../../alerts/budget.ts'
import { createTurns } from '../../../alerts/weight.ts'
import type { Admissions, WaitingDelivery } from '../../../core/delivery.ts'
import { SEVERITIES } from '../../../core/finding.ts'

const nowMs = Date.parse('2026-08-21T15:00:00.000Z')
let made = 0
const waiting = (given: Partial<WaitingDelivery> = {}): WaitingDelivery => {
  made += 1
  return {
    tenant: 'acme',
    delivery_id: `d${String(made).padStart(6, '0')}`,
    version: 1,
    receiver: 'soc',
    alert_id: `a${made}`,
    notice: 'opened',
    sequence: 1,
    created_at: new Date(nowMs - 1000).toISOString(),
    severity: 'critical',
    score: 5,
    source: 'gateway',
    party: 'mallory',
    ...given,
  }
}
const many = (count: number, given: (index: number) => Partial<WaitingDelivery> = () => ({})) =>
  Array.from({ length: count }, (_, index) => waiting(given(index)))
const admitted = (given: Partial<Admissions> = {}): Admissions => ({
  receiver: 'soc',
  tenant: 'acme',
  source: 'gateway',
  severity: 'critical',
  party: 'mallory',
  count: 1,
  ...given,
})
const share = (all: readonly WaitingDelivery[], given: Partial<BudgetInput> = {}) =>
  shareOut(all, {
    budget: { perParty: 3, perSource: 10 },
    admitted: [],
    toldInDigests: new Map(),
    nowMs,
    turns: createTurns(),
    ...given,
  })
const counts = (shares: ReturnType<typeof shareOut>) => [
  shares.alone.length,
  shares.beyond.length,
  shares.leftOut.length,
]

describe('what goes out alone', () => {
  it('is so much of a party, and so much of a source that makes up parties', () => {
    expect(counts(share(many(400)))).toEqual([3, 397, 0])
    expect(counts(share(many(400, (index) => ({ party: `p${index}` }))))).toEqual([10, 390, 0])
  })

  it('is less what was admitted before, of each severity, source and tenant apart', () => {
    const all = [
      ...many(5),
      ...many(5, () => ({ severity: 'high' })),
      ...many(5, () => ({ source: 'other' })),
      ...many(5, () => ({ tenant: 'globex' })),
    ]
    const shares = share(all, { admitted: [admitted({ count: 2 }), admitted({ source: 'third', count: 9 })] })
    expect(counts(shares)).toEqual([1 + 3 + 3 + 3, 10, 0])
    const full = Array.from({ length: 5 }, (_, index) => admitted({ party: `p${index}`, count: 2 }))
    expect(counts(share(many(1), { admitted: full }))).toEqual([0, 1, 0])
    expect(counts(share(many(1), { admitted: [admitted({ count: 99 })] }))).toEqual([0, 1, 0])
  })

  it('is the heaviest, in turns by party', () => {
    const all = many(40, (index) => ({ party: `p${index % 20}`, score: index }))
    const { alone } = share(all)
    expect(alone.map(({ score }) => score).toSorted((a, b) => b - a)).toEqual([
      39, 38, 37, 36, 35, 34, 33, 32, 31, 30,
    ])
  })

  it('is what was admitted, tried or replayed before, digests, and what people did, whatever the budget', () => {
    const all = [
      ...many(20, () => ({ version: 2 })),
      ...many(20, () => ({ notice: 'digest' })),
      ...many(20, () => ({ notice: 'closed' })),
      ...many(20, () => ({ notice: 'acknowledged' })),
    ]
    expect(counts(share(all))).toEqual([80, 0, 0])
  })

  it('is nothing about how an alert of a digest went on', () => {
    const all = [
      waiting({ notice: 'closed' }),
      waiting({ notice: 'acknowledged' }),
      waiting({ notice: 'taken_back' }),
      waiting({ notice: 'severity_raised' }),
    ]
    const toldInDigests = new Map(all.map(({ delivery_id }) => [delivery_id, 'digest-1']))
    const { alone, beyond, leftOut } = share(all, { toldInDigests })
    expect(leftOut).toEqual([
      [all[0], 'digest-1'],
      [all[1], 'digest-1'],
    ])
    expect(beyond).toEqual([all[2]])
    expect(alone).toEqual([all[3]])
  })

  it('and what comes in digests is all that waits, each once, within the budget', () => {
    const arbitrary = fc.array(
      fc.record({
        severity: fc.constantFrom(...SEVERITIES),
        source: fc.constantFrom('a', 'b'),
        party: fc.constantFrom('x', 'y', 'z'),
        version: fc.constantFrom(1, 1, 1, 2),
        notice: fc.constantFrom('opened' as const, 'recurred' as const, 'closed' as const),
        score: fc.double({ min: 0, max: 9, noNaN: true }),
      }),
      { maxLength: 60 },
    )
    const before = fc.array(
      fc.record({
        severity: fc.constantFrom(...SEVERITIES),
        source: fc.constantFrom('a', 'b'),
        party: fc.constantFrom('x', 'y', 'z'),
        count: fc.integer({ min: 1, max: 6 }),
      }),
      { maxLength: 6 },
    )
    fc.assert(
      fc.property(arbitrary, before, (given, earlier) => {
        const all = given.map(waiting)
        const { alone, beyond, leftOut } = share(all, { admitted: earlier.map(admitted) })
        expect(new Set([...alone, ...beyond])).toEqual(new Set(all))
        expect(alone.length + beyond.length + leftOut.length).toBe(all.length)
        const group = (one: { severity: string; source: string }) => `${one.severity} ${one.source}`
        const counted = alone.filter(({ version, notice }) => version === 1 && notice !== 'closed')
        for (const [key, ofGroup] of Map.groupBy(counted, group)) {
          const sentOf = (party?: string) =>
            earlier
              .filter((one) => group(one) === key && (party === undefined || one.party === party))
              .reduce((sum, { count }) => sum + count, 0)
          expect(ofGroup.length + sentOf()).toBeLessThanOrEqual(10)
          for (const [party, ofParty] of Map.groupBy(ofGroup, (one) => one.party))
            expect(ofParty.length + sentOf(party)).toBeLessThanOrEqual(3)
        }
      }),
    )
  })
})
