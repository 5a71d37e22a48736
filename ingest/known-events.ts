import type { AuditEvent } from '../core/audit-event.ts'

/** Rows of `events` that are about to be stored. */
export interface EventRows {
  readonly columns: readonly string[]
  /** Or how to read them, which is only done when something of them is known. */
  readonly rows: Uint8Array | (() => Promise<Uint8Array>)
  /** Default: lines. */
  readonly format?: 'JSONCompactEachRow' | 'Native'
  readonly count: number
}

/** Rows of `events` as lines (`JSONCompactEachRow`). */
export interface EventLines {
  readonly columns: readonly string[]
  readonly rows: Uint8Array
  readonly count: number
}

/** What is looked up of an event before it is stored. */
export type EventIdentity = Pick<AuditEvent, 'tenant' | 'event_id' | 'occurred_at' | 'actor'>

/** What became of the comparison of a block with the events that are stored. */
export interface ComparedRows {
  /** The rows to store as lines; absent when they are those of the block. */
  readonly replaced?: EventLines
  /** Numbers of the rows that are stored already, or came before in the same block; left out. */
  readonly duplicates: ReadonlySet<number>
  /** Numbers of the rows whose id another event has, with other content: stored under an id of their own, and marked. */
  readonly conflicts: ReadonlySet<number>
  /** To be called when the block is stored, or given up: until then no other block with one of its ids is compared. */
  release(): void
}

/**
 * Compares a block with what is stored; `store/known-events.ts` does it. `repeated`: an insert of exactly this block was
 * begun before and may be there in part, so that a row may find itself.
 * @param identities of the rows, in their order, where they are at hand
 * @throws GatewatchError `store_unavailable`; nothing is held then
 */
export type CompareEvents = (
  block: EventRows,
  options: { readonly repeated: boolean; readonly identities?: readonly EventIdentity[] },
) => Promise<ComparedRows>
