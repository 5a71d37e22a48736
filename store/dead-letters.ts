import type { ErrorCode } from '../core/errors.ts'
import { stableId } from '../core/hash.ts'
import { fromClickHouse, toClickHouse } from '../core/timestamp.ts'
import type { Database } from './database.ts'

/** A record that could not become an event. Shape and limits: `ingest/record.ts`. */
export interface DeadLetterInput {
  readonly tenant: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly recordIndex: number
  readonly sourceFormat: string
  readonly reason: ErrorCode
  readonly message: string
  readonly field: string
  readonly record: string
  readonly recordEncoding: 'utf8' | 'base64'
  readonly recordBytes: number
}

/** A dead letter as it is listed. */
export interface StoredDeadLetter extends DeadLetterInput {
  readonly deadLetterId: string
  /** ISO 8601 UTC with six fraction digits. */
  readonly recordedAt: string
}

/** Columns of `dead_letters` in the order of `deadLetterRow`. */
export const DEAD_LETTER_COLUMNS: readonly string[] = [
  'dead_letter_id',
  'tenant',
  'topic',
  'partition',
  'offset',
  'record_index',
  'source_format',
  'reason',
  'message',
  'field',
  'record',
  'record_encoding',
  'record_bytes',
]

/** A dead letter as one line of `JSONCompactEachRow`. Its id follows from its coordinates, so a replay replaces it. */
export function deadLetterRow(letter: DeadLetterInput): string {
  return JSON.stringify([
    stableId('dead-letter', letter.tenant, letter.topic, letter.partition, letter.offset, letter.recordIndex),
    letter.tenant.toWellFormed(),
    letter.topic.toWellFormed(),
    letter.partition,
    letter.offset,
    letter.recordIndex,
    letter.sourceFormat,
    letter.reason,
    letter.message.toWellFormed(),
    letter.field.toWellFormed(),
    letter.record.toWellFormed(),
    letter.recordEncoding,
    letter.recordBytes,
  ])
}

export interface DeadLetterFilter {
  readonly tenant?: string
  readonly reason?: string
  readonly topic?: string
  /** Only letters recorded before this one (`StoredDeadLetter` of the page before): keyset paging, newest first. */
  readonly before?: { readonly recordedAt: string; readonly deadLetterId: string }
  /** At most this many; 100 unless told. */
  readonly limit?: number
}

// Later than the store's clock ever is.
const END_OF_TIME = '2200-01-01T00:00:00.000000Z'

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
  readonly record: string
  readonly record_encoding: string
  readonly record_bytes: number
}

/** Dead letters, newest first. */
export async function listDeadLetters(
  database: Database,
  filter: DeadLetterFilter = {},
): Promise<StoredDeadLetter[]> {
  const rows = await database.query<Row>(
    `SELECT ${DEAD_LETTER_COLUMNS.join(', ')}, recorded_at FROM dead_letters FINAL
     WHERE ({tenant:String} = '' OR tenant = {tenant:String})
       AND ({reason:String} = '' OR reason = {reason:String})
       AND ({topic:String} = '' OR topic = {topic:String})
       AND (recorded_at, dead_letter_id) < ({before:DateTime64(6, 'UTC')}, {beforeId:String})
     ORDER BY recorded_at DESC, dead_letter_id DESC
     LIMIT {limit:UInt32}`,
    {
      tenant: filter.tenant ?? '',
      reason: filter.reason ?? '',
      topic: filter.topic ?? '',
      before: toClickHouse(filter.before?.recordedAt ?? END_OF_TIME),
      beforeId: filter.before?.deadLetterId ?? '',
      limit: filter.limit ?? 100,
    },
  )
  return rows.map((row) => ({
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
    record: row.record,
    recordEncoding: row.record_encoding === 'base64' ? 'base64' : 'utf8',
    recordBytes: row.record_bytes,
  }))
}

/** How many dead letters there are of each reason, most frequent first. */
export function countDeadLetters(
  database: Database,
  tenant = '',
): Promise<{ reason: string; count: number }[]> {
  return database.query(
    `SELECT reason, toUInt32(count()) AS count FROM dead_letters FINAL
     WHERE ({tenant:String} = '' OR tenant = {tenant:String}) GROUP BY reason ORDER BY count DESC, reason`,
    { tenant },
  )
}
