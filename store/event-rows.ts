import {
  type AuditEvent,
  AuditEventSchema,
  columnOf,
  type EventField,
  eventFields,
} from '../core/audit-event.ts'
import { fromClickHouse, toClickHouse } from '../core/timestamp.ts'

// What the store has of its own: `recorded_at` is its clock (0001_events.sql), `chain` it works out (0009_chain_computed.sql).
const writtenFields = eventFields.filter((field) => field !== 'recorded_at' && field !== 'chain')

/** Columns of `events` in the order of `eventRow`. */
export const EVENT_COLUMNS: readonly string[] = writtenFields.map(columnOf)

/** The SELECT list that `eventOf` reads. */
export const EVENT_SELECT = eventFields.map(columnOf).join(', ')

const typeOf = (field: EventField): string | undefined =>
  (AuditEventSchema.properties[field] as { type?: string }).type

const NULLABLE: ReadonlySet<string> = new Set(
  eventFields.filter((field) => ['integer', 'number', 'boolean'].includes(typeOf(field) ?? '')),
)

const LISTS: ReadonlySet<string> = new Set(eventFields.filter((field) => typeOf(field) === 'array'))

// Lone surrogates are not valid UTF-8; U+FFFD is what every UTF-8 encoder makes of them.
const textOf = (value: string): string => (value.isWellFormed() ? value : value.toWellFormed())

/** An event as one line of `JSONCompactEachRow`, without the line end. */
export function eventRow(event: AuditEvent): string {
  return JSON.stringify(
    writtenFields.map((field) => {
      const value = event[field]
      if (value === undefined) return NULLABLE.has(field) ? null : LISTS.has(field) ? [] : ''
      if (field === 'occurred_at') return toClickHouse(value as string)
      if (Array.isArray(value)) return value.map(textOf)
      return typeof value === 'string' ? textOf(value) : value
    }),
  )
}

/** A row of `SELECT EVENT_SELECT` → the event; empty columns are absent fields. */
export function eventOf(row: Record<string, unknown>): AuditEvent {
  const event: Partial<Record<EventField, unknown>> = {}
  for (const field of eventFields) {
    const value = row[columnOf(field)]
    if (value === null || value === undefined || value === '') continue
    if (Array.isArray(value) && value.length === 0) continue
    event[field] =
      field === 'occurred_at' || field === 'recorded_at' ? fromClickHouse(value as string) : value
  }
  return event as AuditEvent
}
