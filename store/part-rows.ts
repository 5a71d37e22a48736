/** One record’s share of a call, as the store keeps it. */
export interface PartInput {
  readonly tenant: string
  readonly joinKey: string
  readonly partId: string
  readonly sourceFormat: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly recordIndex: number
  /** Anything that JSON can carry; already redacted. */
  readonly body: unknown
}

/** Columns of `event_parts` in the order of `partRow`; `recorded_at` is the store’s own clock. */
export const PART_COLUMNS: readonly string[] = [
  'tenant',
  'join_key',
  'part_id',
  'source_format',
  'topic',
  'partition',
  'offset',
  'record_index',
  'body',
]

/** The SELECT list that `partOf` reads. */
export const PART_SELECT = PART_COLUMNS.join(', ')

/** A part as one line of `JSONCompactEachRow`, without the line end. */
export function partRow(part: PartInput): string {
  return JSON.stringify([
    part.tenant.toWellFormed(),
    part.joinKey.toWellFormed(),
    part.partId,
    part.sourceFormat,
    part.topic.toWellFormed(),
    part.partition,
    part.offset,
    part.recordIndex,
    // JSON.stringify escapes lone surrogates, so the body stays valid UTF-8 and comes back as it was.
    JSON.stringify(part.body),
  ])
}

/** A row of `SELECT PART_SELECT`. */
export interface PartRow {
  readonly tenant: string
  readonly join_key: string
  readonly part_id: string
  readonly source_format: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly record_index: number
  readonly body: string
}

/** A row of `SELECT PART_SELECT` → the part that `partRow` wrote. */
export function partOf(row: PartRow): PartInput {
  return {
    tenant: row.tenant,
    joinKey: row.join_key,
    partId: row.part_id,
    sourceFormat: row.source_format,
    topic: row.topic,
    partition: row.partition,
    offset: row.offset,
    recordIndex: row.record_index,
    body: JSON.parse(row.body),
  }
}
