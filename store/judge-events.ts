import type { Sources } from '../core/sources.ts'
import { agree, type EventRow, idsOfConflict, sameFacts, sameRecord } from './event-facts.ts'

/** What to do with a row of a block; absent: it is new and stored as it is. */
export type Verdict =
  /** It is stored already, or comes before in the same block. */
  | { readonly kind: 'duplicate' }
  /** Another event has its id, with other content: it gets an id of its own. */
  | { readonly kind: 'conflict'; readonly eventId: string }

export interface JudgeOptions {
  /** Rows of the block that may be known, with their number, in order. Of one tenant. */
  readonly rows: readonly (readonly [number, EventRow])[]
  /** The events that are stored under an id. */
  readonly storedAs: (eventId: string) => readonly EventRow[]
  /** An insert of the same block was begun before: a row that is stored at its own place is this row. */
  readonly repeated: boolean
  /** Only what one source says is the same again. */
  readonly sources: Sources
}

/**
 * The same block gets the same verdicts as long as what was stored before its first insert is there: rows of its own that
 * a broken insert left are recognised by their place, those of others by their content.
 */
export function judgeEvents({ rows, storedAs, repeated, sources }: JudgeOptions): Map<number, Verdict> {
  const verdicts = new Map<number, Verdict>()
  const taken = new Map<string, EventRow[]>()
  const standing = (eventId: string) => [...storedAs(eventId), ...(taken.get(eventId) ?? [])]
  const take = (eventId: string, row: EventRow) => {
    taken.set(eventId, [...(taken.get(eventId) ?? []), row])
  }
  const isOfSameSource = (row: EventRow, other: EventRow) =>
    sources.of(String(row['topic'])) === sources.of(String(other['topic']))
  const isKnown = (row: EventRow, others: readonly EventRow[]) =>
    others.some(
      (other) =>
        isOfSameSource(row, other) &&
        (sameFacts(row, other) || (sameRecord(row, other) && agree(row, other))),
    )
  const isItself = (row: EventRow, eventId: string) =>
    repeated && storedAs(eventId).some((other) => sameRecord(row, other))

  for (const [number, row] of rows) {
    const own = String(row['event_id'])
    const others = standing(own)
    if (others.length === 0 || isItself(row, own)) {
      take(own, row)
      continue
    }
    if (isKnown(row, others)) {
      verdicts.set(number, { kind: 'duplicate' })
      continue
    }
    // Whoever may write can also have taken the first of these ids, on purpose; then it is the second.
    const [first, second] = idsOfConflict(row, sources)
    const isKept = standing(first).some(
      (other) => other['conflicting_event_id'] === own && isOfSameSource(row, other) && sameFacts(row, other),
    )
    if (isKept && !isItself(row, first)) {
      verdicts.set(number, { kind: 'duplicate' })
      continue
    }
    const eventId = standing(first).length === 0 || isItself(row, first) ? first : second
    take(eventId, { ...row, conflicting_event_id: own })
    verdicts.set(number, { kind: 'conflict', eventId })
  }
  return verdicts
}
