import { Counter, Gauge, type Registry } from 'prom-client'
import { GatewatchError } from '../core/errors.ts'
import { createShares } from '../core/shares.ts'

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

export function createByteBudget({ limitBytes, largestBytes, registry }: ByteBudgetOptions): ByteBudget {
  const shares = createShares({
    limit: limitBytes,
    ownerLimit: Math.min(limitBytes, Math.max(largestBytes, limitBytes / 2)),
  })
  new Gauge({
    name: 'gatewatch_http_intake_bytes_in_flight',
    help: 'Bytes of request bodies, inflated, that are read or worked on',
    registers: [registry],
    collect() {
      this.set(shares.used())
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
        if (more <= 0) shares.give(owner, -more)
        else if (!shares.take(owner, more)) {
          refused.inc()
          throw new GatewatchError('overloaded', 'Too many bytes of request bodies are in flight.', {
            retryAfterSeconds: RETRY_AFTER_SECONDS,
            remedy:
              'Send again later; if this lasts, send smaller bodies, fewer at a time, or raise intake.in_flight_mb.',
          })
        }
        held = bytes
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
