import type { ErrorCode } from '../core/errors.ts'
import { stableId } from '../core/hash.ts'
import { fromClickHouse, toClickHouse, toMillis } from '../core/timestamp.ts'
import type { Database, QueryParams } from './database.ts'
import type { DeadLetterInput } from './dead-letter-rows.ts'
import { keepDays } from './keep-days.ts'

export const DEAD_LETTER_STATUSES = ['waiting', 'replayed', 'all'] as const
export type DeadLetterStatus = (typeof DEAD_LETTER_STATUSES)[number]

/** A dead letter as it is listed; reason, field and message are those of the newest attempt to read it. */
export interface StoredDeadLetter extends Required<DeadLetterInput> {
  readonly deadLetterId: string
  /** ISO 8601 UTC with six fraction digits. */
  readonly recordedAt: string
  /** The last time that it was tried again; absent when it never was. */
  readonly replay?: DeadLetterReplay
}

export interface DeadLetterReplay {
  readonly at: string
  readonly by: string
  readonly outcome: 'replayed' | 'failed'
}

/** Which letters are meant; `''` and absent mean all. */
export interface DeadLetterScope {
  readonly tenant?: string
  readonly reason?: string
  readonly topic?: string
  readonly format?: string
  /** Default: `waiting`, those that were not replayed with success. */
  readonly status?: DeadLetterStatus
  /** Bounds of the time of recording: inclusive, exclusive. */
  readonly from?: string
  readonly to?: string
  /** In the kept record (bytes that are no text included) or the message; upper and lower case are the same. */
  readonly text?: string
}

export interface DeadLetterFilter extends DeadLetterScope {
  /** Only letters recorded before this one (`StoredDeadLetter` of the page before): keyset paging, newest first. */
  readonly before?: { readonly recordedAt: string; readonly deadLetterId: string }
  /** At most this many. Default: 100. */
  readonly limit?: number
  /** Only so many characters of each record. Default: all. */
  readonly recordChars?: number
}

// Later than the store's clock ever is.
const END_OF_TIME = '2200-01-01T00:00:00.000000Z'
const BEGIN_OF_TIME = '1970-01-01T00:00:00.000000Z'

interface Row {
  readonly dead_letter_id: string
  readonly recorded_at: string
  readonly tenant: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly record_index: number
  readonly source_format: string
  readonly reason: string
  readonly message: string
  readonly field: string
  readonly record_encoding: string
  readonly record_bytes: number
  readonly kept: string
  readonly headers: string
  readonly received_at: string
  readonly timestamp_source: string
  readonly weight: number
  readonly last_offset: number
  readonly outcome: string
  readonly replayed_at: string
  readonly replayed_by: string
}

const OWN_COLUMNS =
  'dead_letter_id, recorded_at, tenant, topic, partition, offset, record_index, source_format, record_encoding, ' +
  'record_bytes, kept, headers, received_at, timestamp_source, weight, last_offset'

/** Letters with what became of them; the columns that nobody asks for are not read. */
const LETTERS = `(
  SELECT ${OWN_COLUMNS}, record, outcome, replayed_at, replayed_by,
         if(outcome = 'failed', new_reason, old_reason) AS reason, if(outcome = 'failed', new_field, old_field) AS field,
         if(outcome = 'failed', new_message, old_message) AS message
  FROM (
    SELECT ${OWN_COLUMNS}, record, reason AS old_reason, field AS old_field, message AS old_message
    FROM dead_letters FINAL WHERE {tenant:String} = '' OR tenant = {tenant:String}
  ) AS letters
  LEFT JOIN (
    SELECT dead_letter_id, outcome, at AS replayed_at, by AS replayed_by, reason AS new_reason, field AS new_field,
           message AS new_message
    FROM dead_letter_replays FINAL WHERE {tenant:String} = '' OR tenant = {tenant:String}
  ) AS replays USING (dead_letter_id)
)`

function conditionsOf(scope: DeadLetterScope): { sql: string; params: QueryParams } {
  const status = scope.status ?? 'waiting'
  const conditions = [
    `({reason:String} = '' OR reason = {reason:String})`,
    `({topic:String} = '' OR topic = {topic:String})`,
    `({format:String} = '' OR source_format = {format:String})`,
    `recorded_at >= {from:DateTime64(6, 'UTC')} AND recorded_at < {to:DateTime64(6, 'UTC')}`,
    ...(status === 'all' ? [] : [status === 'replayed' ? `outcome = 'replayed'` : `outcome != 'replayed'`]),
    // Asked only where it is wanted: it reads every record.
    ...(scope.text
      ? [
          `(positionCaseInsensitiveUTF8(message, {text:String}) > 0 OR positionCaseInsensitiveUTF8(
             if(record_encoding = 'base64', tryBase64Decode(record), record), {text:String}) > 0)`,
        ]
      : []),
  ]
  return {
    sql: conditions.join(' AND '),
    params: {
      tenant: scope.tenant ?? '',
      reason: scope.reason ?? '',
      topic: scope.topic ?? '',
      format: scope.format ?? '',
      from: toClickHouse(scope.from ?? BEGIN_OF_TIME),
      to: toClickHouse(scope.to ?? END_OF_TIME),
      ...(scope.text ? { text: scope.text } : {}),
    },
  }
}

/** Dead letters, newest first. */
export async function listDeadLetters(
  database: Database,
  filter: DeadLetterFilter = {},
): Promise<StoredDeadLetter[]> {
  const { sql, params } = conditionsOf(filter)
  // Without the records, which would be carried through the whole sort.
  const rows = await database.query<Row>(
    `SELECT ${OWN_COLUMNS}, reason, field, message, outcome, replayed_at, replayed_by FROM ${LETTERS}
     WHERE ${sql} AND (recorded_at, dead_letter_id) < ({before:DateTime64(6, 'UTC')}, {beforeId:String})
     ORDER BY recorded_at DESC, dead_letter_id DESC
     LIMIT {limit:UInt32}`,
    {
      ...params,
      before: toClickHouse(filter.before?.recordedAt ?? END_OF_TIME),
      beforeId: filter.before?.deadLetterId ?? '',
      limit: filter.limit ?? 100,
    },
  )
  return withRecords(database, filter.tenant ?? '', rows, filter.recordChars)
}

/** Letters of one tenant by their ids, newest first; ids that are none are left out. */
export async function findDeadLetters(
  database: Database,
  tenant: string,
  ids: readonly string[],
): Promise<StoredDeadLetter[]> {
  const rows = await database.query<Row>(
    `SELECT ${OWN_COLUMNS}, reason, field, message, outcome, replayed_at, replayed_by FROM ${LETTERS}
     WHERE dead_letter_id IN {ids:Array(String)} ORDER BY recorded_at DESC, dead_letter_id DESC`,
    { tenant, ids },
  )
  return withRecords(database, tenant, rows)
}

async function withRecords(
  database: Database,
  tenant: string,
  rows: readonly Row[],
  chars?: number,
): Promise<StoredDeadLetter[]> {
  if (rows.length === 0) return []
  const records = await database.query<{ dead_letter_id: string; text: string }>(
    `SELECT dead_letter_id, if({chars:UInt32} = 0, record, substringUTF8(record, 1, {chars:UInt32})) AS text
     FROM dead_letters FINAL
     WHERE ({tenant:String} = '' OR tenant = {tenant:String}) AND topic IN {topics:Array(String)}
       AND dead_letter_id IN {ids:Array(String)}`,
    {
      ...{ tenant, chars: chars ?? 0, topics: [...new Set(rows.map(({ topic }) => topic))] },
      ids: rows.map(({ dead_letter_id }) => dead_letter_id),
    },
  )
  const texts = new Map(records.map(({ dead_letter_id, text }) => [dead_letter_id, text]))
  return rows.map((row) => letterOf(row, texts.get(row.dead_letter_id) ?? ''))
}

const letterOf = (row: Row, record: string): StoredDeadLetter => ({
  deadLetterId: row.dead_letter_id,
  recordedAt: fromClickHouse(row.recorded_at),
  tenant: row.tenant,
  topic: row.topic,
  partition: row.partition,
  offset: row.offset,
  recordIndex: row.record_index,
  sourceFormat: row.source_format,
  reason: row.reason as ErrorCode,
  message: row.message,
  field: row.field,
  record,
  recordEncoding: row.record_encoding === 'base64' ? 'base64' : 'utf8',
  recordBytes: row.record_bytes,
  kept: row.kept as StoredDeadLetter['kept'],
  headers: headersOf(row.headers),
  timestampMs: toMillis(fromClickHouse(row.received_at)),
  timestampSource: row.timestamp_source === 'broker' ? 'broker' : 'received',
  weight: row.weight,
  lastOffset: row.last_offset,
  ...(row.outcome === 'replayed' || row.outcome === 'failed'
    ? { replay: { at: fromClickHouse(row.replayed_at), by: row.replayed_by, outcome: row.outcome } }
    : {}),
})

function headersOf(text: string): Record<string, string> {
  return text === '' ? {} : (JSON.parse(text) as Record<string, string>)
}

/** How many records wait as dead letters for each reason, most frequent first. */
export function countDeadLetters(
  database: Database,
  tenant = '',
): Promise<{ reason: string; count: number }[]> {
  return database.query(
    `SELECT reason, toUInt64(sum(weight)) AS count FROM ${LETTERS} WHERE outcome != 'replayed'
     GROUP BY reason ORDER BY count DESC, reason`,
    { tenant },
  )
}

export interface DeadLetterCount {
  readonly topic: string
  readonly reason: string
  readonly sourceFormat: string
  /** Records, also those of which no more than the number is kept. */
  readonly count: number
  /** Records that are kept, whole or cut. */
  readonly kept: number
  /** Times of recording. */
  readonly first: string
  readonly last: string
}

/** Exact counts by topic, reason and format, most frequent first; at most 1000. */
export async function countDeadLettersBy(
  database: Database,
  scope: DeadLetterScope = {},
): Promise<DeadLetterCount[]> {
  const { sql, params } = conditionsOf(scope)
  const rows = await database.query<{
    topic: string
    reason: string
    source_format: string
    count: number
    kept_count: number
    first: string
    last: string
  }>(
    `SELECT topic, reason, source_format, toUInt64(sum(weight)) AS count, toUInt64(countIf(kept != 'nothing')) AS kept_count,
            min(recorded_at) AS first, max(recorded_at) AS last
     FROM ${LETTERS} WHERE ${sql} GROUP BY topic, reason, source_format
     ORDER BY count DESC, topic, reason, source_format LIMIT 1000`,
    params,
  )
  return rows.map(({ topic, reason, source_format, count, kept_count, first, last }) => ({
    ...{ topic, reason, sourceFormat: source_format, count, kept: kept_count },
    ...{ first: fromClickHouse(first), last: fromClickHouse(last) },
  }))
}

export interface DeadLetterRate {
  readonly tenant: string
  readonly topic: string
  readonly reason: string
  readonly count: number
  /** The hour, by the store’s clock. */
  readonly from: string
  readonly to: string
  /** What one of them says. */
  readonly message: string
}

/** Of this hour and the last: which topics had at least so many dead letters of one reason. */
export async function deadLetterRates(database: Database, atLeast: number): Promise<DeadLetterRate[]> {
  const rows = await database.query<DeadLetterRate & { count: number }>(
    `SELECT tenant, topic, reason, toUInt64(sum(weight)) AS count, any(message) AS message,
            toDateTime64(toStartOfHour(recorded_at, 'UTC'), 6, 'UTC') AS from,
            toDateTime64(toStartOfHour(recorded_at, 'UTC') + INTERVAL 1 HOUR, 6, 'UTC') AS to
     FROM dead_letters FINAL
     WHERE recorded_at >= toStartOfHour(now('UTC')) - INTERVAL 1 HOUR
     GROUP BY tenant, topic, reason, from, to
     HAVING count >= {atLeast:UInt64} ORDER BY from, tenant, topic, reason LIMIT 1000`,
    { atLeast },
  )
  return rows.map((row) => ({ ...row, from: fromClickHouse(row.from), to: fromClickHouse(row.to) }))
}

/** What became of a letter that was tried again. */
export interface ReplayMark {
  readonly tenant: string
  readonly deadLetterId: string
  readonly outcome: 'replayed' | 'failed'
  /** Of a failed one: why, this time. */
  readonly reason: string
  readonly field: string
  readonly message: string
  readonly stored: number
  readonly duplicates: number
}

/** Notes down attempts. The same marks under the same token are noted once. */
export async function markReplayed(
  database: Database,
  marks: readonly ReplayMark[],
  { by, token }: { readonly by: string; readonly token: string },
): Promise<void> {
  if (marks.length === 0) return
  const lines = marks.map((mark) =>
    JSON.stringify([
      ...[
        mark.tenant,
        mark.deadLetterId,
        by.toWellFormed(),
        mark.outcome,
        mark.reason,
        mark.field.toWellFormed(),
      ],
      ...[mark.message.toWellFormed(), mark.stored, mark.duplicates],
    ]),
  )
  await database.insert({
    table: 'dead_letter_replays',
    columns: [
      ...['tenant', 'dead_letter_id', 'by', 'outcome', 'reason', 'field', 'message', 'stored', 'duplicates'],
    ],
    rows: Buffer.from(`${lines.join('\n')}\n`),
    token: `replays/${token}/${stableId(...lines)}`,
  })
}

/**
 * Sets how long letters are kept. Told again what it is already, it does nothing; so every process may ask at its start.
 * @param days whole days, at least 1
 */
export const keepDeadLetters = (database: Database, days: number): Promise<void> =>
  keepDays(database, { dead_letters: 'recorded_at', dead_letter_replays: 'at' }, days)
