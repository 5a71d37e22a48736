import { readFile } from 'node:fs/promises'
import type { AuditEvent } from '../core/audit-event.ts'
import { type ErrorCode, GatewatchError, messageOf } from '../core/errors.ts'
import { serverCodeOf } from './clickhouse.ts'
import type { Database, InsertBlock } from './database.ts'
import {
  DEAD_LETTER_COLUMNS,
  type DeadLetterInput,
  deadLetterRow,
  sampleDeadLetters,
} from './dead-letter-rows.ts'
import { createDefinitionFold, DEFINITION_COLUMNS, type DefinitionInput } from './definition-rows.ts'
import { createEventColumns } from './event-columns.ts'
import { EVENT_COLUMNS, eventRow } from './event-rows.ts'
import { ROW_FAULTS } from './fault-codes.ts'
import { linesOfNativeBlock } from './native-block-lines.ts'
import { createPartColumns, PART_COLUMNS, type PartInput, partRow } from './part-rows.ts'

/** What became of a run of records. Shape: `Batch` of `ingest/record.ts`. */
export interface BatchInput {
  readonly events: readonly AuditEvent[]
  readonly parts: readonly PartInput[]
  readonly deadLetters: readonly DeadLetterInput[]
  readonly definitions?: readonly DefinitionInput[]
}

/** The rows of one table. Lines (`JSONCompactEachRow`) each have their line end. */
export interface EncodedTable {
  readonly table: string
  readonly columns: readonly string[]
  readonly rows: Uint8Array
  /** Default: lines. */
  readonly format?: NonNullable<InsertBlock['format']>
  /** Number of rows. */
  readonly count: number
}

/** Rows that can be appended to others of their table: a file of them is one block as well. */
export type TableLines = EncodedTable & { readonly format?: never }

/** The same, with the lines also allowed to lie in a file. */
export type TableBlock = Pick<InsertBlock, 'table' | 'columns' | 'rows' | 'format'>

/** Takes batches one after the other and makes one block a table of them. */
export interface BlockEncoder {
  add(batch: BatchInput): void
  /** In the order of `encodeBatch`. The encoder is used up. */
  finish(): EncodedTable[]
}

export interface WriteReport {
  /** Rows that the store refused and that are dead letters now. */
  readonly rejected: number
}

export interface BatchWriter {
  /**
   * Stores the blocks, in their order, all under one token; the same call again stores nothing. Rows that the store
   * cannot parse become dead letters and the rest is stored; of a dead letter that it cannot parse the coordinates are.
   * @throws GatewatchError `store_unavailable` (repeat the call as it was) or `store_rejected` (the store refuses
   * the statement, not a row)
   */
  write(blocks: readonly TableBlock[], token: string): Promise<WriteReport>
}

/**
 * All as lines, which can be appended to others. Dead letters first, then definitions and parts, then events: whoever
 * sees an event can already see what fell beside it.
 */
export function encodeBatch(batch: BatchInput): TableLines[] {
  const definitions = createDefinitionFold()
  if (batch.definitions) definitions.add(batch.definitions)
  return encodeTables(batch, definitions.rows())
}

const encodeTables = (batch: Omit<BatchInput, 'definitions'>, definitions: readonly string[]): TableLines[] =>
  [
    encode('dead_letters', DEAD_LETTER_COLUMNS, sampleDeadLetters(batch.deadLetters), deadLetterRow),
    encode('tool_definitions', DEFINITION_COLUMNS, definitions, (row) => row),
    encode('event_parts', PART_COLUMNS, batch.parts, partRow),
    encode('events', EVENT_COLUMNS, batch.events, eventRow),
  ].filter(({ count }) => count > 0)

/**
 * The batch, in which what cannot be encoded is a dead letter with its coordinates: for a batch that `encodeBatch` threw
 * on. A fault of ours, which must not hold up what was sent with it.
 */
export function encodableBatch<Batch extends BatchInput>(batch: Batch): Batch {
  const deadLetters: DeadLetterInput[] = []
  const keep =
    <Item>(rowOf: (item: Item) => string, letterOf: (item: Item, fault: string) => DeadLetterInput) =>
    (item: Item): boolean => {
      try {
        rowOf(item)
        return true
      } catch (error) {
        deadLetters.push(letterOf(item, messageOf(error)))
        return false
      }
    }
  const letters = batch.deadLetters.filter(
    keep(deadLetterRow, (letter) => ({ ...bareLetter(letter), message: 'It could not be encoded.' })),
  )
  const events = batch.events.filter(
    keep(eventRow, (event, fault) =>
      unencodedLetter(
        { ...event, recordIndex: event.record_index, sourceFormat: event.source_format },
        fault,
      ),
    ),
  )
  const parts = batch.parts.filter(keep(partRow, unencodedLetter))
  return { ...batch, events, parts, deadLetters: [...letters, ...deadLetters] }
}

const unencodedLetter = (
  of: Pick<DeadLetterInput, 'tenant' | 'topic' | 'partition' | 'offset' | 'recordIndex' | 'sourceFormat'>,
  fault: string,
): DeadLetterInput => ({
  ...{ tenant: of.tenant, topic: of.topic, partition: of.partition, offset: of.offset },
  ...{ recordIndex: of.recordIndex, sourceFormat: of.sourceFormat, reason: 'internal' },
  message: `The record could not be encoded for the store: ${fault}`.slice(0, 1000),
  ...{ field: '', record: '', recordEncoding: 'utf8', recordBytes: 0, kept: 'nothing' },
})

/**
 * Encodes a block batch by batch, so that the events of a large block need not all be in memory: events and parts by
 * columns, which is what costs the store least, the rest as lines.
 */
export function createBlockEncoder(): BlockEncoder {
  const deadLetters: DeadLetterInput[] = []
  const parts = createPartColumns()
  const definitions = createDefinitionFold()
  const events = createEventColumns()
  return {
    add: (batch) => {
      for (const letter of batch.deadLetters) deadLetters.push(letter)
      for (const part of batch.parts) parts.add(part)
      if (batch.definitions) definitions.add(batch.definitions)
      events.add(batch.events)
    },
    finish: () => {
      const tables: EncodedTable[] = encodeTables({ deadLetters, parts: [], events: [] }, definitions.rows())
      if (parts.count() > 0)
        tables.push({ table: 'event_parts', ...parts.finish(), format: 'Native', count: parts.count() })
      if (events.count() > 0)
        tables.push({ table: 'events', ...events.finish(), format: 'Native', count: events.count() })
      return tables
    },
  }
}

function encode<T>(
  table: string,
  columns: readonly string[],
  items: readonly T[],
  rowOf: (item: T) => string,
): TableLines {
  let lines = ''
  for (const item of items) lines += `${rowOf(item)}\n`
  return { table, columns, rows: Buffer.from(lines), count: items.length }
}

export function createBatchWriter(database: Database): BatchWriter {
  return {
    write: async (blocks, token) => {
      let rejected = 0
      for (const block of blocks) rejected += await writeBlock(database, block, token)
      return { rejected }
    },
  }
}

async function writeBlock(database: Database, block: TableBlock, token: string): Promise<number> {
  try {
    await database.insert({ ...block, token })
    return 0
  } catch (error) {
    if (!isRowFault(error)) throw error
    const rows = block.rows instanceof Uint8Array ? block.rows : await readFile(block.rows.path)
    const { table, columns } = block
    if (block.format === 'Native')
      return writeBlock(database, { table, columns, rows: linesOfNativeBlock(rows) }, token)
    const letters = await bisect(database, { ...block, rows }, lineEndsOf(rows), token, error)
    await writeLetters(database, letters, `${token}/rejected/${table}`)
    return letters.length
  }
}

/** Dead letters of rows; where the store cannot read one of these either, only what it is about. */
async function writeLetters(
  database: Database,
  letters: readonly DeadLetterInput[],
  token: string,
): Promise<void> {
  const blockOf = (some: readonly DeadLetterInput[]) =>
    encode('dead_letters', DEAD_LETTER_COLUMNS, some, deadLetterRow)
  try {
    await database.insert({ ...blockOf(letters), token })
  } catch (error) {
    if (!isRowFault(error)) throw error
    await database.insert({ ...blockOf(letters.map(bareLetter)), token: `${token}/bare` })
  }
}

const bareLetter = (letter: DeadLetterInput): DeadLetterInput => ({
  ...letter,
  ...{ message: 'The store refused this, and what it said of it as well.', field: '', record: '' },
  ...{ kept: 'nothing', headers: {}, timestampMs: 0 },
})

/**
 * Halves a refused block until the rows that are at fault stand alone. The cuts depend only on the number of rows,
 * and each half has its own token, so a crash in the middle repeats the same halves.
 */
async function bisect(
  database: Database,
  block: TableBlock & { readonly rows: Uint8Array },
  lineEnds: readonly number[],
  token: string,
  fault: GatewatchError,
): Promise<DeadLetterInput[]> {
  const letters: DeadLetterInput[] = []
  const tryRange = async (from: number, to: number): Promise<void> => {
    const start = from === 0 ? 0 : lineEnds[from - 1]
    const rows = block.rows.subarray(start, lineEnds[to - 1])
    try {
      await database.insert({ ...block, rows, token: `${token}/rows/${from}-${to}` })
    } catch (error) {
      if (!isRowFault(error)) throw error
      if (to - from === 1) letters.push(rejectedRow(block.columns, rows, error))
      else await split(from, to)
    }
  }
  const split = async (from: number, to: number): Promise<void> => {
    const middle = (from + to) >>> 1
    await tryRange(from, middle)
    await tryRange(middle, to)
  }
  if (lineEnds.length === 1) return [rejectedRow(block.columns, block.rows, fault)]
  await split(0, lineEnds.length)
  return letters
}

function lineEndsOf(rows: Uint8Array): number[] {
  const ends: number[] = []
  for (let at = rows.indexOf(10); at !== -1; at = rows.indexOf(10, at + 1)) ends.push(at + 1)
  return ends
}

const RECORD_LIMIT_BYTES = 64 * 1024

function rejectedRow(columns: readonly string[], line: Uint8Array, fault: GatewatchError): DeadLetterInput {
  const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8').trimEnd()
  const value = valueReader(columns, text)
  return {
    tenant: String(value('tenant') ?? ''),
    topic: String(value('topic') ?? ''),
    partition: Number(value('partition') ?? 0),
    offset: Number(value('offset') ?? 0),
    recordIndex: Number(value('record_index') ?? 0),
    sourceFormat: String(value('source_format') ?? ''),
    reason: 'store_rejected' satisfies ErrorCode,
    message: fault.message.slice(0, 1000),
    field: '',
    record: text.slice(0, RECORD_LIMIT_BYTES),
    recordEncoding: 'utf8',
    recordBytes: line.byteLength,
    kept: 'row',
  }
}

function valueReader(columns: readonly string[], line: string): (column: string) => unknown {
  try {
    const values: unknown = JSON.parse(line)
    return (column) => (Array.isArray(values) ? values[columns.indexOf(column)] : undefined)
  } catch {
    return () => undefined
  }
}

// What a view says comes when the table may hold the block already: cut, its rows would be stored twice.
const OF_A_VIEW = /while pushing to view/i

function isRowFault(error: unknown): error is GatewatchError {
  if (!(error instanceof GatewatchError) || error.code !== 'store_rejected') return false
  return Object.hasOwn(ROW_FAULTS, serverCodeOf(error.cause) ?? '') && !OF_A_VIEW.test(error.message)
}
