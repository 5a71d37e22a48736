import type { DeliveryAttempt, OutboxDelivery } from '../core/delivery.ts'
import { stableId } from '../core/hash.ts'
import type { SendResult } from './notifier.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/**
 * Pauses before the second, third, … attempt, in milliseconds: the schedule that Standard Webhooks recommends, with a
 * minute’s step added. Twelve attempts over about four days.
 */
export const RETRY_PAUSES_MS: readonly number[] = [
  5 * SECOND,
  MINUTE,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
  24 * HOUR,
]

// A replayed delivery has more attempts than the schedule; this many are kept.
const MAX_ATTEMPT_LOG = 50

/**
 * The delivery after an attempt. Pure: the jitter (±20 %) comes from the delivery’s id, so that many deliveries
 * spread out and one delivery is always the same.
 * @param atMs when the attempt began
 * @param endMs when it ended; pauses count from here
 */
export function settle(
  delivery: OutboxDelivery,
  result: SendResult,
  atMs: number,
  endMs: number,
): OutboxDelivery {
  const attempts = delivery.attempts + 1
  const at = new Date(atMs).toISOString()
  const attempt: DeliveryAttempt = {
    at,
    status: result.status,
    ...(result.outcome === 'delivered' ? {} : { error: result.error }),
    duration_ms: Math.max(0, endMs - atMs),
  }
  const { last_error: _earlier, ...rest } = delivery
  const next = {
    ...rest,
    version: delivery.version + 1,
    attempts,
    last_attempt_at: at,
    last_status: result.status,
    attempt_log: [...delivery.attempt_log, attempt].slice(-MAX_ATTEMPT_LOG),
  }
  if (result.outcome === 'delivered') return { ...next, status: 'delivered' }
  const pauseMs = pauseAfter(delivery.delivery_id, attempts)
  if (result.outcome !== 'retry' || pauseMs === undefined) {
    const usedUp = result.outcome === 'retry' ? ` Given up after ${attempts} attempts.` : ''
    return { ...next, status: 'failed', last_error: `${result.error}${usedUp}` }
  }
  return {
    ...next,
    status: 'due',
    last_error: result.error,
    next_attempt_at: new Date(endMs + Math.max(pauseMs, result.retryAfterMs ?? 0)).toISOString(),
  }
}

/** The pause after so many attempts, with jitter; undefined when they are used up. */
export function pauseAfter(deliveryId: string, attempts: number): number | undefined {
  const pauseMs = RETRY_PAUSES_MS[attempts - 1]
  if (pauseMs === undefined) return undefined
  const fraction = Number.parseInt(stableId('jitter', deliveryId, attempts).slice(0, 8), 16) / 0xffffffff
  return Math.round(pauseMs * (0.8 + 0.4 * fraction))
}
