import type { AuditEvent, EventDraft, Timestamp } from '../core/audit-event.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { DefinitionHashes, ToolDefinition } from '../core/tool-definition.ts'

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
  /** Whoever sends it says that it is history: what is found by it alone tells nobody. From the sender’s right, never from the record. */
  readonly imported?: true
  /** Why the source could not read it: it becomes a dead letter with this reason. */
  readonly refused?: { readonly reason: ErrorCode; readonly message: string }
  /** The header of a schema registry was taken off its value. */
  readonly framed?: true
  /** Where it stands for several that could not be read: the offset of the last of them. */
  readonly lastOffset?: number
  /** Size in bytes where `value` is only the beginning. */
  readonly fullBytes?: number
  /** A piece of a record that is tried again by itself: the index that its first entry had. */
  readonly pieceIndex?: number
  /** The operator brings it, and says that it is history: it may be old, and is learned from. */
  readonly history?: boolean
}

/** One record’s share of a call that is reported in several records. */
export interface EventPart {
  readonly tenant: string
  /** Records with the same key may belong to the same call: the source and its trace id, request id, … (`join-key.ts`). */
  readonly joinKey: string
  /** Identity of this record: a hash of its coordinates. */
  readonly partId: string
  readonly sourceFormat: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly recordIndex: number
  /** Redacted. `callKey` tells the calls under one join key apart. */
  readonly body: { readonly callKey: string; readonly draft: EventDraft; readonly imported?: true }
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
  /**
   * What `record` is: the whole record, a piece of it that is a record by itself (an element, a line), an entry that a
   * format took out of it, or only the beginning of one of these. Absent: the whole record.
   */
  readonly kept?: 'record' | 'piece' | 'entry' | 'beginning'
  /** With the time, what is needed to try the record again as it came; redacted. */
  readonly headers?: Readonly<Record<string, string>>
  readonly timestampMs?: number
  readonly timestampSource?: RawRecord['timestampSource']
  /** Of a letter that stands for several records: how many, and the offset of the last. */
  readonly weight?: number
  readonly lastOffset?: number
}

/** That a tool was seen with a definition. */
export interface ToolSighting extends DefinitionHashes {
  readonly tenant: string
  /** Sources say different parts of a definition, so only what one format says is compared. */
  readonly sourceFormat: string
  readonly server: string
  /** Redacted. */
  readonly definition: ToolDefinition
  readonly seenAt: Timestamp
}

/** What became of a run of records: every record is in one of the first three. */
export interface Batch {
  readonly events: readonly AuditEvent[]
  readonly parts: readonly EventPart[]
  readonly deadLetters: readonly DeadLetter[]
  /** Absent when no record defined a tool. */
  readonly definitions?: readonly ToolSighting[]
}
