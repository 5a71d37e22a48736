import { stableId } from '../core/hash.ts'

/** A shard that this process may judge, and under which epoch of its lease. */
export interface OwnedShard {
  /** 0 to `shards` − 1. */
  readonly shard: number
  /**
   * The fencing token: it grows each time that the shard changes hands, at this process or elsewhere. What is written
   * for the shard carries it, or a version that grows with it, so that what an earlier owner writes late loses.
   */
  readonly epoch: number
}

/**
 * Which shards this process may judge now. Judging is divided by tenant and rule: `shardOf` says where each pair
 * belongs. Where several processes share a store, leases decide who owns a shard.
 */
export interface ShardOwnership {
  /** How many shards there are in all, owned or not; the same in every process of a deployment. */
  readonly shards: number
  /**
   * The shards owned now, in their order; empty while there are none. A lease that may have expired by this
   * process’s own clock is not among them. Does not throw.
   */
  owned(): readonly OwnedShard[]
  /** Whether the shard is still owned under this epoch: asked right before results are written. Does not throw. */
  stillOwns(shard: number, epoch: number): boolean
}

/**
 * The shard of a rule at a tenant: the same in every process and release, and spread evenly.
 * @param shards how many there are, at least one
 */
export const shardOf = (tenant: string, rule: string, shards: number): number =>
  Number.parseInt(stableId(tenant, rule).slice(0, 8), 16) % shards

/** For a process that is alone with its store (the embedded one: its folder is locked): it owns everything, always. */
export function createSoleOwnership(shards = 1): ShardOwnership {
  const owned = Array.from({ length: shards }, (_, shard) => ({ shard, epoch: 1 }))
  return {
    shards,
    owned: () => owned,
    stillOwns: (shard, epoch) => owned[shard]?.epoch === epoch,
  }
}
