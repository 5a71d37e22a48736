import type { Clock } from '../../core/clock.ts'
import { GatewatchError } from '../../core/errors.ts'

export interface RateLimit {
  readonly recordsPerSecond: number
  /** How many records may come at once after a pause. */
  readonly burst: number
}

/**
 * How fast each source may send, in records: a token bucket each. A body is let in while there is a token and pays for
 * all of its records afterwards, so that a body larger than the burst is slow, not impossible.
 */
export interface RateLimits {
  /** @throws GatewatchError `rate_limited`, with the seconds to wait */
  admit(source: string): void
  charge(source: string, records: number): void
}

export interface RateLimitOptions {
  readonly bySource: ReadonlyMap<string, RateLimit>
  /** For every other source, each by itself; absent: no limit. */
  readonly otherwise?: RateLimit
  readonly clock: Clock
}

interface Bucket {
  tokens: number
  seenMs: number
}

// More than any site has; forgetting one that is full costs nothing.
const MAX_BUCKETS = 10_000

export function createRateLimits({ bySource, otherwise, clock }: RateLimitOptions): RateLimits {
  const buckets = new Map<string, Bucket>()

  const refilled = (source: string, { recordsPerSecond, burst }: RateLimit): Bucket => {
    const nowMs = clock.now()
    const bucket = buckets.get(source) ?? { tokens: burst, seenMs: nowMs }
    // A clock that was set back gives nothing and takes nothing.
    const passedMs = Math.max(0, nowMs - bucket.seenMs)
    bucket.tokens = Math.min(burst, bucket.tokens + (passedMs / 1000) * recordsPerSecond)
    bucket.seenMs = nowMs
    // Set anew: the map stays in order of use, and the longest unused goes first.
    buckets.delete(source)
    buckets.set(source, bucket)
    for (const oldest of buckets.keys()) {
      if (buckets.size <= MAX_BUCKETS) break
      buckets.delete(oldest)
    }
    return bucket
  }

  return {
    admit: (source) => {
      const limit = bySource.get(source) ?? otherwise
      if (limit === undefined) return
      const { tokens } = refilled(source, limit)
      if (tokens >= 1) return
      throw new GatewatchError(
        'rate_limited',
        `${source} sends more than ${limit.recordsPerSecond} records a second.`,
        {
          retryAfterSeconds: Math.max(1, Math.ceil((1 - tokens) / limit.recordsPerSecond)),
          remedy: 'Wait as long as Retry-After says, then send again.',
        },
      )
    },
    charge: (source, records) => {
      const limit = bySource.get(source) ?? otherwise
      if (limit !== undefined) refilled(source, limit).tokens -= records
    },
  }
}
