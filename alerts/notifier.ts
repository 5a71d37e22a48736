import type { Alert } from '../core/alert.ts'
import type { DeliveryKind, NoticeKind } from '../core/delivery.ts'
import type { Finding, Severity } from '../core/finding.ts'
import type { DeliveryBudget } from './budget.ts'
import type { Digest } from './digest.ts'

/** What a delivery says, before a notifier puts it into a receiver’s own format. Kept in the outbox as JSON. */
export type Message = Notice | Digest

/** What is said about one alert. */
export interface Notice {
  readonly kind: NoticeKind
  /** The alert as it was when the notice was planned. */
  readonly alert: Alert
  /** The finding that caused it; absent when a person’s action did. */
  readonly finding?: Finding
  /** When the cause happened, ISO 8601 UTC. */
  readonly at: string
}

/** A receiver as the pipeline sees it: who is told what, from which severity on. */
export interface ReceiverRoute {
  readonly name: string
  readonly kind: DeliveryKind
  /** Findings below this severity make alerts, but tell this receiver nothing. */
  readonly minSeverity: Severity
  readonly notices: readonly NoticeKind[]
}

export interface SendContext {
  /** Stable over all attempts. */
  readonly deliveryId: string
  /** The time of this attempt, milliseconds since the epoch. */
  readonly nowMs: number
  /** Ends the attempt early when gatewatch stops. */
  readonly signal: AbortSignal
}

/** What became of an attempt. `status` is the HTTP status, 0 without an answer; `error` holds our words only. */
export type SendResult =
  | { readonly outcome: 'delivered'; readonly status: number }
  /** Try again later, not before `retryAfterMs` from now if the receiver named a time. */
  | {
      readonly outcome: 'retry'
      readonly status: number
      readonly error: string
      readonly retryAfterMs?: number
    }
  /** This notice will never be accepted. */
  | { readonly outcome: 'refused'; readonly status: number; readonly error: string }
  /** The receiver asks never to be spoken to again (410). */
  | { readonly outcome: 'gone'; readonly status: number; readonly error: string }

/** One receiver and the way to speak to it. A notifier does no retries and keeps no state: the dispatcher does. */
export interface Notifier {
  /** The receiver’s name in the configuration. */
  readonly receiver: string
  readonly kind: DeliveryKind
  /** A hash of where it sends: tells a changed address from the same, without naming it. */
  readonly target: string
  /** The notices this kind of receiver has a use for. */
  readonly notices: readonly NoticeKind[]
  /** What the receiver bears: a token bucket. */
  readonly rate: { readonly perSecond: number; readonly burst: number }
  /** What those behind it bear: beyond it messages come in digests. */
  readonly budget: DeliveryBudget
  /** One attempt. Whatever the receiver does is a result; a throw is a fault of ours. */
  send(message: Message, context: SendContext): Promise<SendResult>
}

/** The route of a notifier with a severity floor. */
export const routeOf = (
  { receiver, kind, notices }: Pick<Notifier, 'receiver' | 'kind' | 'notices'>,
  minSeverity: Severity,
): ReceiverRoute => ({ name: receiver, kind, minSeverity, notices })
