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

/** How many bytes of request bodies may be in the memory at once. Nobody waits: who comes too much is to come again. */
export interface ByteBudget {
  /** @throws GatewatchError `overloaded` when more is wanted than is left */
  take(bytes: number): ByteLease
}

const RETRY_AFTER_SECONDS = 2

/** @param limitBytes large enough for the largest body, or that is refused for ever */
export function createByteBudget(limitBytes: number, registry: Registry): ByteBudget {
  let inUse = 0
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
    take: (wanted) => {
      let held = 0
      let isReleased = false
      const resize = (bytes: number) => {
        if (isReleased) return
        if (inUse - held + bytes > limitBytes) {
          refused.inc()
          throw new GatewatchError('overloaded', 'Too many bytes of request bodies are in flight.', {
            retryAfterSeconds: RETRY_AFTER_SECONDS,
            remedy: 'Send again later; if this lasts, raise intake.in_flight_mb or send smaller bodies.',
          })
        }
        inUse += bytes - held
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
