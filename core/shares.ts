/**
 * Something that there is so much of, in whatever unit, shared by owners. One owner cannot take all of it, and what is kept
 * beyond the limit only those get who have little: however much the others have, who comes with little is served.
 */
export interface Shares {
  /** Takes `amount` for the owner, or nothing: whether there was room. */
  take(owner: string, amount: number): boolean
  /** Takes without asking: what is there already, or belongs to nobody who could be refused. */
  add(owner: string, amount: number): void
  give(owner: string, amount: number): void
  /** What all have, and what one has. */
  used(owner?: string): number
  /** Those who have something, in no order. */
  owners(): readonly (readonly [owner: string, amount: number])[]
  /** What one owner may have. */
  readonly ownerLimit: number
}

export interface SharesOptions {
  readonly limit: number
  /** What one owner may have. Default: half of the limit. */
  readonly ownerLimit?: number
}

// Beyond the limit, for owners that have little: of the limit an eighth, and each a sixty-fourth.
const KEPT_SHARE = 1 / 8
const LITTLE_SHARE = 1 / 64

export function createShares({ limit, ownerLimit = limit / 2 }: SharesOptions): Shares {
  const little = limit * LITTLE_SHARE
  const kept = limit * KEPT_SHARE
  const ofOwners = new Map<string, number>()
  let used = 0
  const add = (owner: string, amount: number) => {
    used += amount
    const has = (ofOwners.get(owner) ?? 0) + amount
    if (has === 0) ofOwners.delete(owner)
    else ofOwners.set(owner, has)
  }
  return {
    ownerLimit,
    take: (owner, amount) => {
      const has = (ofOwners.get(owner) ?? 0) + amount
      const all = used + amount
      const isRoom = has <= little ? all <= limit + kept : has <= ownerLimit && all <= limit
      if (isRoom) add(owner, amount)
      return isRoom
    },
    add,
    give: (owner, amount) => add(owner, -amount),
    used: (owner) => (owner === undefined ? used : (ofOwners.get(owner) ?? 0)),
    owners: () => [...ofOwners],
  }
}
