import { stableId } from '../core/hash.ts'
import type { Sources } from '../core/sources.ts'
import { EVENT_COLUMNS } from './event-rows.ts'

/** A row of `events`, value by column, as `JSONEachRow` has it. Columns that are absent hold their default. */
export type EventRow = Readonly<Record<string, unknown>>

// Where a record came from, and what gatewatch works out of its facts with settings, catalogues and keys that change.
const NOT_FACTS = new Set([
  ...['event_id', 'conflicting_event_id', 'tenant', 'topic', 'partition', 'offset', 'record_index'],
  'imported',
  ...[
    'source_format',
    'timestamp_source',
    'occurred_at',
    'actor',
    'capability',
    'sensitivity',
    'destination',
  ],
  'argument_flags',
  'record_flags',
])

const FACTS = EVENT_COLUMNS.filter((column) => !NOT_FACTS.has(column))

/** The broker’s clock, or ours, tells when a record came: the same record has another time when it comes again. */
const hasOwnTime = ({ timestamp_source: source }: EventRow): boolean =>
  source === 'event' || source === 'observed'

const textOf = (value: unknown): string =>
  value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
    ? ''
    : JSON.stringify(value)

const timeOf = (row: EventRow): string => (hasOwnTime(row) ? String(row['occurred_at']) : '')

/** Whether both rows say the same of a call. */
export const sameFacts = (a: EventRow, b: EventRow): boolean =>
  timeOf(a) === timeOf(b) && FACTS.every((column) => textOf(a[column]) === textOf(b[column]))

/** Whether the rows come from the same place of the same source. */
export const sameRecord = (a: EventRow, b: EventRow): boolean =>
  a['topic'] === b['topic'] &&
  a['partition'] === b['partition'] &&
  a['offset'] === b['offset'] &&
  a['record_index'] === b['record_index']

// Within an hour a source has tokens of so many values; which ones is another matter when it is read again.
const OVER_LIMIT = /^hmac:[\w-]{1,64}:over-limit--not-linked$/
const TOKENS = /hmac:[\w-]{1,64}:[\w-]{22}/g

/** Whether two texts are the same but for tokens that one of them has and the other has not. */
function sameButTokens(mine: string, theirs: string): boolean {
  if (!mine.includes('over-limit--not-linked') && !theirs.includes('over-limit--not-linked')) return false
  const [own = [], others = []] = [mine.match(TOKENS) ?? [], theirs.match(TOKENS) ?? []]
  return (
    mine.replace(TOKENS, '') === theirs.replace(TOKENS, '') &&
    own.length === others.length &&
    own.every(
      (token, at) => token === others[at] || OVER_LIMIT.test(token) || OVER_LIMIT.test(others[at] ?? ''),
    )
  )
}

/**
 * As `sameFacts`, for a record that is read again at its place: another version of gatewatch, or other settings, may find
 * more in it or less, but not anything else.
 */
export const agree = (a: EventRow, b: EventRow): boolean =>
  (timeOf(a) === timeOf(b) || timeOf(a) === '' || timeOf(b) === '') &&
  FACTS.every((column) => {
    const [mine, theirs] = [textOf(a[column]), textOf(b[column])]
    return mine === theirs || mine === '' || theirs === '' || sameButTokens(mine, theirs)
  })

/**
 * The ids that an event may get whose own id another event has: one that says its facts, so that the same record is known
 * when it comes again, and one that also says its place.
 */
export function idsOfConflict(row: EventRow, sources: Sources): readonly [string, string] {
  const facts = [
    String(row['tenant']),
    sources.of(String(row['topic'])),
    String(row['event_id']),
    timeOf(row),
    ...FACTS.map((column) => textOf(row[column])),
  ]
  const place = ['topic', 'partition', 'offset', 'record_index'].map((column) => String(row[column]))
  return [stableId('conflict', ...facts), stableId('conflict-at', ...facts, ...place)]
}
