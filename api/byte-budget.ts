import { Counter, Gauge, type Registry } from 'prom-client'
import { GatewatchError } from '../core/errors.ts'

/** A part of the budget that one request has. */
export interface ByteLease {
  /**
   * Sets how much the request has, in bytes.
   * @throws GatewatchError `overloaded` when more is wanted than is left; what it had before it keeps
   */
  resize(bytes: number): void
  /** Gives everything back; again does nothing. */
  release(): void
}

/**
 * How many bytes of request bodies may be in the memory at once. Nobody waits: who comes too much is to come again. One sender
 * cannot take all of it, and what is kept for small requests only those get who have little: however much the others
 * send, an ordinary request is taken.
 */
export interface ByteBudget {
  /**
   * @param owner whose bytes they are: what a credential says, never what a sender does
   * @throws GatewatchError `overloaded` when more is wanted than is left, or than one owner may have
   */
  take(bytes: number, owner: string): ByteLease
}

export interface ByteBudgetOptions {
  /** Large enough for the largest body, or that is refused for ever. */
  readonly limitBytes: number
  /** The largest body, as it comes and inflated: one owner may have so much, or half of the limit. */
  readonly largestBytes: number
  readonly registry: Registry
}

const RETRY_AFTER_SECONDS = 2
// Beyond the limit, for owners that have little: of the limit an eighth, and each a sixty-fourth.
const KEPT_SHARE = 1 / 8
const LITTLE_SHARE = 1 / 64

export function createByteBudget({ limitBytes, largestBytes, registry }: ByteBudgetOptions): ByteBudget {
  const ownerBytes = Math.min(limitBytes, Math.max(largestBytes, limitBytes / 2))
  const littleBytes = limitBytes * LITTLE_SHARE
  const keptBytes = limitBytes * KEPT_SHARE
  const ofOwners = new Map<string, number>()
  let inUse = 0
  /** Whether an owner may have `has` bytes when there are `all`. */
  const isRoom = (has: number, all: number): boolean =>
    has <= littleBytes ? all <= limitBytes + keptBytes : has <= ownerBytes && all <= limitBytes
  new Gauge({
    name: 'gatewatch_http_intake_bytes_in_flight',
    help: 'Bytes of request bodies, inflated, that are read or worked on',
    registers: [registry],
    collect() {
      this.set(inUse)
    },
  })
  const refused = new Counter({
    name: 'gatewatch_http_intake_refused_total',
    help: 'Requests refused because too many bytes were in flight',
    registers: [registry],
  })
  return {
    take: (wanted, owner) => {
      let held = 0
      let isReleased = false
      const resize = (bytes: number) => {
        if (isReleased) return
        const more = bytes - held
        const has = (ofOwners.get(owner) ?? 0) + more
        if (more > 0 && !isRoom(has, inUse + more)) {
          refused.inc()
          throw new GatewatchError('overloaded', 'Too many bytes of request bodies are in flight.', {
            retryAfterSeconds: RETRY_AFTER_SECONDS,
            remedy:
              'Send again later; if this lasts, send smaller bodies, fewer at a time, or raise intake.in_flight_mb.',
          })
        }
        inUse += more
        held = bytes
        if (has === 0) ofOwners.delete(owner)
        else ofOwners.set(owner, has)
      }
      resize(wanted)
      return {
        resize,
        release: () => {
          resize(0)
          isReleased = true
        },
      }
    },
  }
}
