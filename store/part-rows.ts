import { textColumn, uint32Column, uint64Column, wordColumn } from './native-columns.ts'
import { createRowColumns, type RowColumn, type RowColumns } from './row-columns.ts'

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

// `recorded_at` is the store’s own clock.
const COLUMNS: readonly RowColumn<PartInput>[] = [
  ['tenant', wordColumn, (part) => part.tenant],
  ['join_key', textColumn, (part) => part.joinKey],
  ['part_id', textColumn, (part) => part.partId],
  ['source_format', wordColumn, (part) => part.sourceFormat],
  ['topic', wordColumn, (part) => part.topic],
  ['partition', uint32Column, (part) => part.partition],
  ['offset', uint64Column, (part) => part.offset],
  ['record_index', uint32Column, (part) => part.recordIndex],
  // JSON.stringify escapes lone surrogates, so the body stays valid UTF-8 and comes back as it was.
  ['body', textColumn, (part) => JSON.stringify(part.body)],
]

/** Columns of `event_parts`, in the order of `partRow`. */
export const PART_COLUMNS: readonly string[] = COLUMNS.map(([name]) => name)

/** A part as one line of `JSONCompactEachRow`, without the line end. */
export const partRow = (part: PartInput): string =>
  JSON.stringify(
    COLUMNS.map(([, , read]) => {
      const value = read(part)
      return typeof value === 'string' ? value.toWellFormed() : value
    }),
  )

/** The SELECT list that `partOf` reads. */
export const PART_SELECT = PART_COLUMNS.join(', ')

/** Parts as one block of ClickHouse’s Native format. */
export const createPartColumns = (): RowColumns<PartInput> => createRowColumns(COLUMNS)

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

/** A row of `SELECT PART_SELECT` → the part that `createPartColumns` or `partRow` wrote. */
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
