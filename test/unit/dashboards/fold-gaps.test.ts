import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { foldGaps } from '../../../dashboards/web/src/charts/fold-gaps.ts'

describe('foldGaps', () => {
  it('folds an hour of silence between two bursts', () => {
    const burst = [0, 1000, 2000, 3000]
    const { positions, folds } = foldGaps([...burst, ...burst.map((ms) => ms + 3_600_000)])
    expect(folds).toEqual([{ after: 3, ms: 3_597_000 }])
    expect((positions[4] ?? 0) - (positions[3] ?? 0)).toBeLessThan(0.9)
  })

  it('keeps steady calls in proportion', () => {
    expect(foldGaps([0, 1000, 3000, 4000])).toEqual({ positions: [0, 0.25, 0.75, 1], folds: [] })
  })

  it('stands on one call, on none, and on calls of the same moment', () => {
    expect(foldGaps([])).toEqual({ positions: [], folds: [] })
    expect(foldGaps([5])).toEqual({ positions: [0], folds: [] })
    expect(foldGaps([5, 5]).positions).toEqual([0, 0])
  })

  it('keeps order and stays within the line', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 10 ** 9 }), { maxLength: 50 }), (times) => {
        const { positions } = foldGaps(times.toSorted((a, b) => a - b))
        positions.forEach((position, at) => {
          expect(position).toBeGreaterThanOrEqual(positions[at - 1] ?? 0)
          expect(position).toBeLessThanOrEqual(1)
        })
      }),
    )
  })
})
