/**
 * Ids of blocks that are being compared and stored in this process. Two blocks with an id in common go one after the
 * other, or neither would find the other’s row.
 */
export interface IdClaims {
  /** Waits until no other block holds one of the ids, then holds all of them; the result lets go, once. */
  take(ids: readonly string[]): Promise<() => void>
}

export function createIdClaims(): IdClaims {
  const held = new Map<string, Promise<void>>()
  return {
    take: async (ids) => {
      // All or none, without a wait in between: whoever waits holds nothing, so nobody waits in a circle.
      for (;;) {
        const other = firstHeld(held, ids)
        if (other === undefined) break
        await other
      }
      const { promise, resolve } = Promise.withResolvers<void>()
      const mine = new Set(ids)
      for (const id of mine) held.set(id, promise)
      return () => {
        for (const id of mine) if (held.get(id) === promise) held.delete(id)
        mine.clear()
        resolve()
      }
    },
  }
}

function firstHeld(held: ReadonlyMap<string, Promise<void>>, ids: readonly string[]) {
  if (held.size === 0) return undefined
  for (const id of ids) {
    const other = held.get(id)
    if (other !== undefined) return other
  }
  return undefined
}
