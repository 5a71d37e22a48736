import type { Severity } from './finding.ts'

/**
 * A delivery is one notice about one alert to one receiver. It is written down before anything is sent (the outbox),
 * and keeps its id through every attempt, so that the receiver can tell a repetition from a second notice.
 */
export const DELIVERY_KINDS = ['webhook', 'slack', 'pagerduty'] as const
/** The way a receiver is spoken to. */
export type DeliveryKind = (typeof DELIVERY_KINDS)[number]

/**
 * What a notice says: the alert opened, became worse, came back after a pause or after it was taken back; a finding that it
 * told of no longer holds; it was acknowledged, was closed.
 */
export const NOTICE_KINDS = [
  'opened',
  'severity_raised',
  'recurred',
  'taken_back',
  'acknowledged',
  'closed',
] as const
export type NoticeKind = (typeof NOTICE_KINDS)[number]

export const DELIVERY_STATUSES = ['due', 'delivered', 'failed'] as const
/** `due` until an attempt settles it; `failed` when attempts are used up or the receiver refused for good. */
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number]

/** What an action on an alert wants sent. Part of the action, so that it cannot be lost between two writes. */
export interface PlannedDelivery {
  readonly delivery_id: string
  readonly receiver: string
  readonly kind: DeliveryKind
  readonly notice: NoticeKind
}

/** What became of one attempt. Our words: never the body, the secret or the address with its query. */
export interface DeliveryAttempt {
  /** ISO 8601 UTC. */
  readonly at: string
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  readonly error?: string
  readonly duration_ms: number
}

/** A delivery as people see it; times are ISO 8601 UTC. */
export interface Delivery extends PlannedDelivery {
  readonly tenant: string
  readonly alert_id: string
  readonly status: DeliveryStatus
  readonly attempts: number
  readonly created_at: string
  readonly next_attempt_at: string
  readonly last_attempt_at?: string
  readonly last_status?: number
  readonly last_error?: string
  /** Every attempt, oldest first. */
  readonly attempt_log: readonly DeliveryAttempt[]
}

/** What decides which delivery goes out first, and beside whom it takes turns. */
export interface DeliveryWeight {
  /** Of the alert when the notice was planned. */
  readonly severity: Severity
  /** Of the finding that caused the notice; 0 when a person’s action did. */
  readonly score: number
  /** Where the finding’s first event came from (a source, a topic); empty when it names none. */
  readonly source: string
  /** Whom the alert is about: the actor, else the entity with its type. An actor’s chains are one party. */
  readonly party: string
}

/** One version of a delivery whose time has come, as the outbox lists it. Times are ISO 8601 UTC. */
export interface WaitingDelivery extends DeliveryWeight {
  readonly tenant: string
  readonly delivery_id: string
  readonly version: number
  readonly receiver: string
  readonly alert_id: string
  readonly notice: NoticeKind
  readonly sequence: number
  readonly created_at: string
}

/** A delivery as the outbox keeps it. */
export interface OutboxDelivery extends Delivery, DeliveryWeight {
  /** Grows with each change; the newest version is the delivery. */
  readonly version: number
  /** Number of the action that asked for it: notices about one alert go out in this order. */
  readonly sequence: number
  /** The notice as JSON (`alerts/notifier.ts`). */
  readonly body: string
}
