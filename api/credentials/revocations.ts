import type { Clock } from '../../core/clock.ts'
import { MAX_SKEW_SECONDS, MAX_TOKEN_SECONDS } from './tokens.ts'

/** Tokens taken back before their end. Held in memory, and only as long as the token could still be valid. */
export interface Revocations {
  revoke(jti: string): void
  isRevoked(jti: string): boolean
}

export function createRevocations(clock: Clock): Revocations {
  const keepMs = (MAX_TOKEN_SECONDS + 2 * MAX_SKEW_SECONDS) * 1000
  // Insertion order is order of time, so the oldest entries come first.
  const revokedAt = new Map<string, number>()
  const forgetOld = () => {
    for (const [jti, atMs] of revokedAt) {
      if (clock.now() - atMs <= keepMs) return
      revokedAt.delete(jti)
    }
  }
  return {
    revoke: (jti) => {
      forgetOld()
      revokedAt.delete(jti)
      revokedAt.set(jti, clock.now())
    },
    isRevoked: (jti) => revokedAt.has(jti),
  }
}
