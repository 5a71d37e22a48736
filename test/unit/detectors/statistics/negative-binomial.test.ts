import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lnTailAtLeast } from '../../../../detectors/statistics/negative-binomial.ts'

/** Σ pmf by its recursion; exact enough where nothing underflows. */
function summedTail(k: number, mean: number, dispersion: number): number {
  const r = 1 / dispersion
  const q = mean / (mean + r)
  let pmf = (1 - q) ** r
  let below = 0
  for (let j = 0; j < k; j += 1) {
    below += pmf
    pmf *= ((j + r) / (j + 1)) * q
  }
  return 1 - below
}

describe('the tail of the negative binomial', () => {
  it('agrees with the sum of its terms', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 60 }),
        fc.double({ min: 0.05, max: 40, noNaN: true }),
        fc.double({ min: 0.1, max: 5, noNaN: true }),
        (k, mean, dispersion) => {
          const expected = summedTail(k, mean, dispersion)
          if (expected < 1e-9) return
          expect(Math.exp(lnTailAtLeast(k, mean, dispersion))).toBeCloseTo(expected, 7)
        },
      ),
    )
  })

  it('is the geometric tail for dispersion 1, as far out as that goes', () => {
    // P(Y ≥ k) = q^k with q = mean/(mean + 1)
    for (const k of [1, 10, 100, 1_000, 5_000]) {
      expect(lnTailAtLeast(k, 3, 1)).toBeCloseTo(k * Math.log(0.75), 6)
    }
  })

  it('is certain for no events and impossible for a mean of 0', () => {
    expect(lnTailAtLeast(0, 3, 1)).toBe(0)
    expect(lnTailAtLeast(1, 0, 1)).toBe(Number.NEGATIVE_INFINITY)
  })

  it('falls as the count grows', () => {
    let before = 0
    for (let k = 1; k < 400; k += 1) {
      const now = lnTailAtLeast(k, 20, 0.4)
      expect(now).toBeLessThan(before)
      before = now
    }
  })
})
