import type { AuditEvent, EventDraft } from '../core/audit-event.ts'
import type { ErrorCode } from '../core/errors.ts'

/** What a source sent, with its coordinates; a source never looks inside `value`. */
export interface RawRecord {
  readonly value: Uint8Array
  /** Kafka or HTTP headers, names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** The broker’s or our own clock, milliseconds since the epoch. */
  readonly timestampMs: number
  readonly timestampSource: 'broker' | 'received'
  readonly tenant: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Name of the format when the configuration or a header fixes it; otherwise it is detected. */
  readonly format?: string
}

/** One record’s share of a call that is reported in several records. */
export interface EventPart {
  readonly tenant: string
  /** Records with the same key may belong to the same call (trace id, request id, …). */
  readonly joinKey: string
  /** Identity of this record: a hash of its coordinates. */
  readonly partId: string
  readonly sourceFormat: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly recordIndex: number
  /** Redacted. `callKey` tells the calls under one join key apart. */
  readonly body: { readonly callKey: string; readonly draft: EventDraft }
}

/** A record that could not become an event: its redacted bytes, and the reason in words. */
export interface DeadLetter {
  readonly tenant: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly recordIndex: number
  readonly sourceFormat: string
  readonly reason: ErrorCode
  readonly message: string
  /** The field concerned, in dotted notation, or `''`. */
  readonly field: string
  /** Redacted; base64 when the bytes are not UTF-8; cut after 64 KiB. */
  readonly record: string
  readonly recordEncoding: 'utf8' | 'base64'
  readonly recordBytes: number
}

/** What became of a run of records: every record is in one of the three. */
export interface Batch {
  readonly events: readonly AuditEvent[]
  readonly parts: readonly EventPart[]
  readonly deadLetters: readonly DeadLetter[]
}
