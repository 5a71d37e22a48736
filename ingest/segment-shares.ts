import { GatewatchError } from '../core/errors.ts'
import { createShares } from '../core/shares.ts'
import type { OwnedBytes } from './segment-file.ts'

/** Nobody’s name: what the operator brings, and what an earlier version left. It may have all that there is. */
export const OPERATOR = ''

export const RETRY_AFTER_SECONDS = 5
const REFUSED_FOR_MS = 60_000

/** Whose bytes wait in a segment log, and how many more of them may. */
export interface SegmentShares {
  /** Takes room for rows that are about to be appended. @returns why there is none */
  admit(owner: string, bytes: number): GatewatchError | undefined
  /** Gives back what was admitted and could not be appended. */
  giveBack(owner: string, bytes: number): void
  /** Says in which segment the rows are; they have their room until it is removed. */
  appended(segment: number, owned: OwnedBytes): void
  /** What a segment of an earlier run has: `bytes` in all, also where it is not known whose they are. */
  recovered(segment: number, owned: OwnedBytes, bytes: number): void
  removed(segment: number): void
  /** Of the bytes that wait those whose owner is known; most first. */
  owned(): OwnedBytes
  /** Owners that were refused within the last minute, because they have their share. */
  refused(): readonly string[]
}

export function createSegmentShares(maxBytes: number, now: () => number): SegmentShares {
  const shares = createShares({ limit: maxBytes })
  const refusedAt = new Map<string, number>()
  const bySegment = new Map<number, Map<string, number>>()

  const appended: SegmentShares['appended'] = (segment, owned) => {
    const sums = bySegment.get(segment) ?? new Map<string, number>()
    bySegment.set(segment, sums)
    for (const [owner, bytes] of owned) sums.set(owner, (sums.get(owner) ?? 0) + bytes)
  }

  return {
    admit: (owner, bytes) => {
      if (owner === OPERATOR) {
        if (shares.used() + bytes > maxBytes) return refusal('Too much is waiting for the store.')
        shares.add(owner, bytes)
        return undefined
      }
      if (shares.take(owner, bytes)) return undefined
      if (shares.used(owner) + bytes <= shares.ownerLimit)
        return refusal('Too much is waiting for the store.')
      refusedAt.set(owner, now())
      return refusal(`Of ${owner} as much is waiting for the store as one sender may have.`)
    },
    giveBack: shares.give,
    appended,
    recovered: (segment, owned, bytes) => {
      const known = owned.reduce((sum, [, some]) => sum + some, 0)
      const all: OwnedBytes = known === bytes ? owned : [[OPERATOR, bytes]]
      for (const [owner, some] of all) shares.add(owner, some)
      appended(segment, all)
    },
    removed: (segment) => {
      for (const [owner, bytes] of bySegment.get(segment) ?? []) shares.give(owner, bytes)
      bySegment.delete(segment)
    },
    owned: () =>
      shares
        .owners()
        .filter(([owner]) => owner !== OPERATOR)
        .sort(([, a], [, b]) => b - a),
    refused: () => {
      for (const [owner, atMs] of refusedAt) if (now() - atMs > REFUSED_FOR_MS) refusedAt.delete(owner)
      return [...refusedAt.keys()]
    },
  }
}

const refusal = (message: string): GatewatchError =>
  new GatewatchError('overloaded', message, {
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    remedy:
      'Send again later; if this lasts, see the store’s log, or raise intake.waiting_mb where the disk has room.',
  })
