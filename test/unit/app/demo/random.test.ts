import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../../app/demo/random.ts'

const draw = (count: number, one: () => number): number[] => Array.from({ length: count }, one)
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

describe('createRandom', () => {
  it('gives the same numbers for the same name, and others for another', () => {
    const first = createRandom(1, 'a')
    const again = createRandom(1, 'a')
    const other = createRandom(1, 'b')
    const numbers = draw(50, first.next)
    expect(draw(50, again.next)).toEqual(numbers)
    expect(draw(50, other.next)).not.toEqual(numbers)
  })

  it('keeps its distributions', () => {
    const random = createRandom('distributions')
    expect(mean(draw(20_000, random.next))).toBeCloseTo(0.5, 1)
    expect(mean(draw(20_000, random.normal))).toBeCloseTo(0, 1)
    expect(mean(draw(20_000, () => random.poisson(1.3)))).toBeCloseTo(1.3, 1)
    const dice = draw(6_000, () => random.int(1, 6))
    expect([Math.min(...dice), Math.max(...dice)]).toEqual([1, 6])
    const thirds = draw(9_000, () => random.weighted([1, 0, 2]))
    expect(thirds.filter((index) => index === 1)).toEqual([])
    expect(thirds.filter((index) => index === 2).length / 9_000).toBeCloseTo(2 / 3, 1)
    expect(random.hex(21)).toMatch(/^[0-9a-f]{21}$/)
  })
})
