/** How fast a receiver may be spoken to. Time is handed in, in milliseconds. */
export interface TokenBucket {
  /** Takes a token if there is one. */
  take(nowMs: number): boolean
  /** Milliseconds until there is one; 0 when there is. */
  waitMs(nowMs: number): number
}

/** Refills at `perSecond`, holds at most `burst`, begins full. */
export function createTokenBucket({ perSecond, burst }: { perSecond: number; burst: number }): TokenBucket {
  let tokens = burst
  let seenMs = Number.NEGATIVE_INFINITY
  const refill = (nowMs: number) => {
    // A clock that was set back gives nothing and takes nothing.
    const passedMs = Number.isFinite(seenMs) ? Math.max(0, nowMs - seenMs) : 0
    tokens = Math.min(burst, tokens + (passedMs / 1000) * perSecond)
    seenMs = nowMs
  }
  return {
    take: (nowMs) => {
      refill(nowMs)
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
    waitMs: (nowMs) => {
      refill(nowMs)
      return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / perSecond) * 1000)
    },
  }
}
