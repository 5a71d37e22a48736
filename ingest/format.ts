import type { EventDraft, Timestamp } from '../core/audit-event.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { ToolDefinition } from '../core/tool-definition.ts'

/** What stands inside of a wrapper or is the body of a log record: a value of JSON, or text. */
export type Inner = ({ readonly json: unknown } | { readonly text: string }) & {
  /** What stands around this one only, in a list. */
  readonly around?: Readonly<Record<string, unknown>>
}

/** A record after the checks that every format needs: UTF-8, depth, and JSON where it is JSON. */
export interface ParsedRecord {
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array
  /** `undefined` when the bytes are not UTF-8 (then only a binary format can read them). */
  readonly text: string | undefined
  /** `undefined` when the text is not JSON. */
  readonly json: unknown
}

/**
 * What a format makes of a record: one entry for each call, part or fault in it, in the record’s order. `source` is
 * the piece of the record that the entry comes from, when the record carries several: a dead letter shows it.
 */
export type Decoded =
  /** A call that this source reports once. */
  | { readonly kind: 'event'; readonly draft: EventDraft; readonly source?: unknown }
  /** A share of a call that the source reports in several records (spans, a span and a log line, …). */
  | {
      readonly kind: 'part'
      readonly joinKey: string
      /** `''` when the record is no call itself but may lend facts to the calls of the same join key. */
      readonly callKey: string
      readonly draft: EventDraft
      readonly source?: unknown
      /**
       * The text or object that the record carries, where its own names make no call of it: the record of another program
       * may be in there. `adopt` gives what was made of that the facts and keys of the record around it.
       */
      readonly body?: {
        readonly of: Inner
        readonly adopt: (draft: EventDraft) => Decoded
      }
    }
  /**
   * What a server said about its tools (`tools/list`, an inventory, an administrator’s change). It stands beside the
   * event, part or fault of the same record, never alone, and comes after it.
   */
  | {
      readonly kind: 'definitions'
      /** `''` when the source does not say whose tools they are. */
      readonly server: string
      readonly definitions: readonly ToolDefinition[]
      /** Default: the record’s own time. */
      readonly seenAt?: Timestamp
      readonly source?: unknown
    }
  | {
      readonly kind: 'fault'
      readonly reason: ErrorCode
      readonly message: string
      readonly field?: string
      readonly source?: unknown
    }

/** A run of entries that one format made of one piece of a record. */
export interface DecodedPiece {
  readonly sourceFormat: string
  readonly entries: readonly Decoded[]
  /** The piece by itself, when the record holds several; else the whole record’s bytes are the piece. */
  readonly piece?: { readonly text: string } | { readonly json: unknown }
  /** What was nested deeper than the limit is not in it. */
  readonly isCut?: boolean
}

/**
 * A gateway’s record format: a pure function from bytes and headers to drafts. One file a format; real samples are
 * its tests. It never throws on data.
 */
export interface Format {
  /** The word used in `source_format`, in configuration and in docs. */
  readonly name: string
  /** What it reads when that is not JSON. */
  readonly reads?: 'text' | 'bytes'
  /** Cheap and narrow: looks at headers and a few keys. Of several formats that say yes the one with most marks decodes. */
  recognises(record: ParsedRecord): boolean
  decode(record: ParsedRecord): readonly Decoded[]
  /** Where it recognises a record no other is asked: envelopes, bytes, and what the operator wrote. */
  readonly decides?: true
  /** A list of it may hold nothing, which is no fault: envelopes of batches. */
  readonly mayBeEmpty?: true
  /** How many things in a record that it recognises speak for it, where its marks do not say all. */
  weigh?(json: Readonly<Record<string, unknown>>): number
  /** What to compare a record with that no format recognises, to say which one it comes nearest to. */
  readonly marks?: Marks
}

/** Names of keys at the top of a JSON record, or paths (`ai.mcp`) into it. */
export interface Marks {
  /** What `recognises` asks for: each of these; of a list any one. `kind=Event` must be that word. */
  readonly needs: readonly (string | readonly string[])[]
  /** What such records have besides, the most telling ones. */
  readonly usual?: readonly string[]
}
