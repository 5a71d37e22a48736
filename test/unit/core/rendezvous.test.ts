import { describe, expect, it } from 'vitest'
import { assign } from '../../../core/rendezvous.ts'

const items = Array.from({ length: 8 }, (_, n) => `shard/${n}`)
const members = (count: number) => Array.from({ length: count }, (_, n) => `member-${n}`)

const loads = (assigned: ReadonlyMap<string, string>): number[] =>
  [...Map.groupBy(assigned.values(), (member) => member).values()].map(({ length }) => length).sort()

describe('assign', () => {
  it('gives every item to one member, none more than its even share', () => {
    expect(loads(assign(items, members(1)))).toEqual([8])
    expect(loads(assign(items, members(2)))).toEqual([4, 4])
    for (let count = 3; count <= 12; count++) {
      const assigned = assign(items, members(count))
      expect(assigned.size).toBe(8)
      expect(Math.max(...loads(assigned))).toBeLessThanOrEqual(Math.ceil(8 / count))
    }
  })

  it('says the same to everyone, in whatever order members are named', () => {
    expect(assign(items, members(5).reverse())).toEqual(assign(items, members(5)))
    expect(assign(items, [...members(5), 'member-0'])).toEqual(assign(items, members(5)))
  })

  it('moves few items when a member goes', () => {
    const many = Array.from({ length: 400 }, (_, n) => `item/${n}`)
    const before = assign(many, members(5))
    const after = assign(many, members(4))
    const moved = many.filter(
      (item) => before.get(item) !== 'member-4' && before.get(item) !== after.get(item),
    )
    // Of 320 that could stay.
    expect(moved.length).toBeLessThan(80)
  })

  it('gives nothing to nobody', () => {
    expect(assign(items, [])).toEqual(new Map())
  })
})
