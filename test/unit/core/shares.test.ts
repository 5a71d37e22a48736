import { describe, expect, it } from 'vitest'
import { createShares } from '../../../core/shares.ts'

describe('shares', () => {
  it('give one owner half, and two all that there is', () => {
    const shares = createShares({ limit: 1000 })
    expect(shares.take('a', 500)).toBe(true)
    expect(shares.take('a', 1)).toBe(false)
    expect(shares.take('b', 500)).toBe(true)
    expect(shares.take('c', 100)).toBe(false)
    expect([shares.used(), shares.used('a'), shares.used('c')]).toEqual([1000, 500, 0])
  })

  it('keep an eighth beyond the limit for owners that have a sixty-fourth at most', () => {
    const shares = createShares({ limit: 1000 })
    shares.add('a', 1000)
    expect(shares.take('b', 16)).toBe(false)
    for (let owner = 0; owner < 8; owner++) expect(shares.take(`small-${owner}`, 15)).toBe(true)
    expect(shares.take('small-0', 1)).toBe(false)
    expect(shares.take('small-9', 6)).toBe(false)
    expect(shares.take('small-9', 5)).toBe(true)
  })

  it('give back what was taken, and forget who has nothing', () => {
    const shares = createShares({ limit: 100, ownerLimit: 80 })
    expect(shares.take('__proto__', 80)).toBe(true)
    shares.give('__proto__', 80)
    expect([shares.used(), shares.owners()]).toEqual([0, []])
    expect(shares.take('a', 81)).toBe(false)
  })
})
