import type { Severity } from './finding.ts'

/**
 * A delivery is one message to one receiver: a notice about one alert, or a digest of many. It is written down before anything
 * is sent (the outbox), and keeps its id through every attempt, so that the receiver can tell a repetition from a second
 * message.
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

/** What a message is: a notice about one alert, or one digest that stands for many notices (docs/adr/0020-digests.md). */
export const MESSAGE_KINDS = [...NOTICE_KINDS, 'digest'] as const
export type MessageKind = (typeof MESSAGE_KINDS)[number]

export const DELIVERY_STATUSES = ['due', 'delivered', 'failed', 'digested'] as const
/**
 * `due` until an attempt settles it; `failed` when attempts are used up or the receiver refused for good; `digested` when a
 * digest tells it, which then is the delivery to look at.
 */
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
export interface Delivery extends Omit<PlannedDelivery, 'notice'> {
  readonly notice: MessageKind
  readonly tenant: string
  /** Of a digest: its row of digests, which go out one after the other like the notices about one alert. */
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
  /** Of a digested delivery: the delivery that tells it. */
  readonly digest_id?: string
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
  readonly notice: MessageKind
  readonly sequence: number
  readonly created_at: string
}

/** A delivery as the outbox keeps it. */
export interface OutboxDelivery extends Delivery, DeliveryWeight {
  /** Grows with each change; the newest version is the delivery. */
  readonly version: number
  /** Number of the action that asked for it: notices about one alert go out in this order. Of a digest: its window. */
  readonly sequence: number
  /**
   * When it was decided that it goes out alone: before its first attempt, so that what may have been sent never comes in a
   * digest too. Absent: not decided, or not asked.
   */
  readonly admitted_at?: string
  /** The message as JSON (`alerts/notifier.ts`); empty when it was digested. */
  readonly body: string
}

/** How many messages were admitted to go out alone. */
export interface Admissions {
  readonly receiver: string
  readonly tenant: string
  readonly source: string
  readonly severity: Severity
  readonly party: string
  readonly count: number
}

/** A delivery that may become part of a digest, with what the digest says of it; without its body. */
export interface DigestMember extends OutboxDelivery {
  readonly rule: string
  /** At most 400 characters. */
  readonly title: string
}
