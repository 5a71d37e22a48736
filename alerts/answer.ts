import type { EgressResult } from './egress.ts'
import type { SendResult } from './notifier.ts'

/** The longest that a receiver may make us wait, in milliseconds. */
export const MAX_RETRY_AFTER_MS = 3_600_000

/**
 * What an exchange means, as Standard Webhooks reads it: 2xx is accepted, 410 is goodbye, timeouts, throttling and
 * faults of the receiver pass, everything else (redirects included) is tried again too, since a receiver’s
 * misconfiguration is mended by people.
 */
export function judgeAnswer(result: EgressResult, nowMs: number): SendResult {
  if (!result.answered) {
    if (result.refused) return { outcome: 'refused', status: 0, error: result.error }
    return { outcome: 'retry', status: 0, error: result.error }
  }
  const { status } = result
  if (status >= 200 && status < 300) return { outcome: 'delivered', status }
  if (status === 410) return { outcome: 'gone', status, error: 'The receiver answered 410 Gone.' }
  const waitMs = retryAfterMs(result.retryAfter, nowMs)
  const error =
    status >= 300 && status < 400
      ? `The receiver answered ${status}: redirects are not followed.`
      : `The receiver answered ${status}.`
  return { outcome: 'retry', status, error, ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }) }
}

/** `Retry-After` in either form (seconds, HTTP date) → milliseconds from now, 0 to `MAX_RETRY_AFTER_MS`. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined
  const text = header.trim()
  const waitMs = /^\d{1,12}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs
  // Date.parse reads too much (`1` is a month, `-5` a year): a date needs its letters.
  if (Number.isNaN(waitMs) || !/^\d+$|[a-z]{3}/i.test(text)) return undefined
  return Math.min(Math.max(waitMs, 0), MAX_RETRY_AFTER_MS)
}
