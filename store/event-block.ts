import type { AuditEvent } from '../core/audit-event.ts'
import type { InsertBlock } from './database.ts'
import type { EventRow } from './event-facts.ts'
import type { Verdict } from './judge-events.ts'
import { columnsOfNativeBlock, linesOfNativeBlock } from './native-block-lines.ts'

/** Encoded rows of `events`. Shape: `EventRows` of `ingest/known-events.ts`. */
export interface EventBlock extends Pick<InsertBlock, 'columns' | 'format'> {
  readonly rows: Uint8Array | (() => Promise<Uint8Array>)
  readonly count: number
}

/** Rows as lines (`JSONCompactEachRow`). */
export interface EventLines {
  readonly columns: readonly string[]
  readonly rows: Uint8Array
  readonly count: number
}

/** What is looked up of an event; of `occurred_at` only the day. */
export type EventIdentity = Pick<AuditEvent, 'tenant' | 'event_id' | 'occurred_at' | 'actor'>

const KEYS = new Set(['tenant', 'event_id', 'occurred_at', 'actor'])

/** The identities of the rows of a block, in their order. */
export function identitiesOf(block: EventBlock, bytes: Uint8Array): EventIdentity[] {
  if (block.format === 'Native') {
    const columns = columnsOfNativeBlock(bytes, KEYS)
    return Array.from({ length: block.count }, (_, row) => identityOf((key) => columns.get(key)?.[row]))
  }
  const places = new Map([...KEYS].map((key) => [key, block.columns.indexOf(key)]))
  return linesOf(bytes).map((line) => {
    const values = JSON.parse(line) as unknown[]
    return identityOf((key) => values[places.get(key) ?? -1])
  })
}

function identityOf(value: (key: string) => unknown): EventIdentity {
  const text = (key: string) => String(value(key) ?? '')
  return {
    tenant: text('tenant'),
    event_id: text('event_id'),
    occurred_at: text('occurred_at'),
    actor: text('actor'),
  }
}

/** Reads single rows of a block, by their number. */
export function createRowReader(block: EventBlock, bytes: Uint8Array): (row: number) => EventRow {
  if (block.format === 'Native') {
    const columns = columnsOfNativeBlock(bytes)
    return (row) => Object.fromEntries([...columns].map(([name, values]) => [name, values[row]]))
  }
  const lines = linesOf(bytes)
  return (row) => {
    const values = JSON.parse(lines[row] ?? '[]') as unknown[]
    return Object.fromEntries(block.columns.map((name, at) => [name, values[at]]))
  }
}

const CONFLICT = 'conflicting_event_id'

/** The block as lines, without its duplicates and with the ids of its conflicts. */
export function applyVerdicts(
  block: EventBlock,
  bytes: Uint8Array,
  verdicts: ReadonlyMap<number, Verdict>,
): EventLines {
  const columns = block.columns.includes(CONFLICT) ? block.columns : [...block.columns, CONFLICT]
  const [id, given] = [columns.indexOf('event_id'), columns.indexOf(CONFLICT)]
  const isLonger = columns !== block.columns
  const renamed = (line: string, eventId: string | undefined): string => {
    if (eventId === undefined && !isLonger) return line
    const values = JSON.parse(line) as unknown[]
    values[given] = eventId === undefined ? '' : values[id]
    if (eventId !== undefined) values[id] = eventId
    return JSON.stringify(values)
  }
  let text = ''
  let count = 0
  const lines = linesOf(block.format === 'Native' ? linesOfNativeBlock(bytes) : bytes)
  for (const [number, line] of lines.entries()) {
    const verdict = verdicts.get(number)
    if (verdict?.kind === 'duplicate') continue
    text += `${renamed(line, verdict?.kind === 'conflict' ? verdict.eventId : undefined)}\n`
    count++
  }
  return { columns, rows: Buffer.from(text), count }
}

const linesOf = (bytes: Uint8Array): string[] =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8').split('\n').slice(0, -1)
