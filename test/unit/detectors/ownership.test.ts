import { describe, expect, it } from 'vitest'
import { createSoleOwnership, shardOf } from '../../../detectors/ownership.ts'

describe('shardOf', () => {
  it('never changes: what is stored for a shard belongs to it for good', () => {
    const at = (shards: number) =>
      ['volume-spike', 'new-tool', 'off-hours-calls'].map((rule) => shardOf('default', rule, shards))
    expect(at(8)).toEqual([4, 6, 4])
    expect(at(1)).toEqual([0, 0, 0])
  })

  it('spreads tenants and rules evenly', () => {
    const shards = Array.from({ length: 2000 }, (_, n) => shardOf(`tenant-${n % 100}`, `rule-${n % 97}`, 8))
    const counts = Map.groupBy(shards, (shard) => shard)
    // 2000 over 8: 250 each, standard deviation 15.
    expect(counts.size).toBe(8)
    for (const { length } of counts.values()) expect(Math.abs(length - 250)).toBeLessThan(75)
  })

  it('keeps tenant and rule apart', () => {
    const pairs = Array.from({ length: 64 }, (_, n) => [shardOf(`a${n}`, 'b', 8), shardOf('a', `${n}b`, 8)])
    expect(pairs.some(([one, other]) => one !== other)).toBe(true)
  })
})

describe('the sole owner', () => {
  it('owns every shard under the one epoch there is', () => {
    const ownership = createSoleOwnership(3)
    expect(ownership.shards).toBe(3)
    expect(ownership.owned()).toEqual([0, 1, 2].map((shard) => ({ shard, epoch: 1 })))
    expect(ownership.stillOwns(2, 1)).toBe(true)
    expect(ownership.stillOwns(2, 2)).toBe(false)
    expect(ownership.stillOwns(3, 1)).toBe(false)
  })
})
