import type { EventDraft, Timestamp } from '../core/audit-event.ts'
import { isObject } from './formats/field-values.ts'
import { readNanos, readTime } from './formats/read-time.ts'

// What log formats call the time of a record, the most particular first; ECS, the conventions of OpenTelemetry, journald.
const NAMES = [
  '@timestamp',
  'timestamp',
  'eventTime',
  'event_time',
  'event.created',
  'datetime',
  'date_time',
  'time',
  'date',
  '_time',
  'ts',
  'Timestamp',
  'TimeGenerated',
  'created_at',
  'createdAt',
  'start_time',
  'startTime',
  'started_at',
  'timeUnixNano',
  'time_unix_nano',
  'observedTimeUnixNano',
  'ts_ms',
  '__REALTIME_TIMESTAMP',
  'publishTime',
  'approximateArrivalTimestamp',
] as const

// A plain name may as well hold a duration, or the seconds since the machine started.
const EARLIEST: Timestamp = '2000-01-01T00:00:00.000000Z'
const LATEST: Timestamp = '2100-01-01T00:00:00.000000Z'

/** The time of a record under one of the names that are usual for it, where its own format found none. */
export function usualTimeOf(json: unknown): Timestamp | undefined {
  if (!isObject(json)) return undefined
  for (const name of NAMES) {
    const value = name === 'event.created' ? (json[name] ?? createdIn(json)) : json[name]
    if (value === undefined || value === null) continue
    const time = /nano/i.test(name) ? (readNanos(value) ?? readTime(value)) : readTime(value)
    if (time !== undefined && time >= EARLIEST && time < LATEST) return time
  }
  return undefined
}

const createdIn = ({ event }: Readonly<Record<string, unknown>>): unknown =>
  isObject(event) ? event['created'] : undefined

/** Times that programs write for none: zero of the epoch, of Go, and of Windows. */
const NO_TIMES: ReadonlySet<string> = new Set([
  '1970-01-01T00:00:00.000000Z',
  '0001-01-01T00:00:00.000000Z',
  '1601-01-01T00:00:00.000000Z',
])

/** Gives a draft without a time, or with the one that stands for none, the time that the record has under a usual name. */
export function setUsualTime(draft: EventDraft, json: unknown): void {
  const time = draft.occurred_at
  if (time !== undefined && (time.startsWith('2') || !NO_TIMES.has(time))) return
  const usual = usualTimeOf(json)
  if (usual !== undefined) draft.occurred_at = usual
  else if (time !== undefined) delete draft.occurred_at
}
