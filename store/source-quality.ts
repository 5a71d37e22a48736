import type { Timestamp } from '../core/audit-event.ts'
import type { SourceQuality } from '../core/source-quality.ts'
import { sourceOf } from '../core/sources.ts'
import { fromClickHouse, toClickHouse } from '../core/timestamp.ts'
import type { Database } from './database.ts'

const MAX_ROWS = 10_000
const MAX_SOURCES = 1000

const FIGURES = ['calls', 'incomplete', 'without_time', 'unwrapped', 'parts', 'letters', 'not_calls'] as const
type Figure = (typeof FIGURES)[number]

type Row = Readonly<Record<'topic' | 'source_format' | 'last', string>> & Readonly<Record<Figure, number>>

// A part that is no call itself (`callKey` is empty).
const LENDS_ONLY = `startsWith(body, '{"callKey":""')`

const figures = (known: Partial<Record<Figure, string>>): string =>
  FIGURES.map((figure) => `toInt64(${known[figure] ?? '0'}) AS ${figure}`).join(', ')

/**
 * What was recorded in a range of time (ISO 8601 UTC, end exclusive), by source and format, most first. Files of one folder, and
 * the processes that take HTTP, are one source.
 */
export async function sourceQuality(
  database: Database,
  tenant: string,
  from: Timestamp,
  to: Timestamp,
): Promise<SourceQuality[]> {
  const range = `tenant = {tenant:String} AND recorded_at >= toDateTime64({from:String}, 6, 'UTC') AND recorded_at < toDateTime64({to:String}, 6, 'UTC')`
  const params = { tenant, from: toClickHouse(from), to: toClickHouse(to), limit: MAX_ROWS }
  const figuresOf = (table: string, known: Partial<Record<Figure, string>>, where = '') =>
    database.query<Row>(
      `SELECT topic, source_format, toString(max(recorded_at)) AS last, ${figures(known)}
       FROM ${table} WHERE ${range} ${where} GROUP BY topic, source_format LIMIT {limit:UInt32}`,
      params,
    )
  const answers = await Promise.all([
    figuresOf('events', {
      calls: 'sum(sign)',
      incomplete: "sumIf(sign, has(record_flags, 'incomplete'))",
      without_time: "sumIf(sign, timestamp_source IN ('received', 'broker'))",
      unwrapped: "sumIf(sign, has(record_flags, 'unwrapped'))",
    }),
    // Parts of a key under which no call came.
    figuresOf(
      'event_parts',
      { parts: 'count()' },
      `AND ${LENDS_ONLY} AND join_key NOT IN (SELECT join_key FROM event_parts WHERE ${range} AND NOT ${LENDS_ONLY})`,
    ),
    figuresOf('dead_letters', { letters: 'sum(weight)', not_calls: "sumIf(weight, reason = 'not_a_call')" }),
  ])
  return together(answers.flat())
}

function together(rows: readonly Row[]): SourceQuality[] {
  const bySource = new Map<string, SourceQuality>()
  for (const row of rows) {
    const source = sourceOf(row.topic)
    const key = `${source}\0${row.source_format}`
    const known = bySource.get(key)
    const last = fromClickHouse(row.last)
    const lastBefore = known?.lastRecordedAt
    bySource.set(key, {
      source,
      sourceFormat: row.source_format,
      calls: (known?.calls ?? 0) + Number(row.calls),
      incomplete: (known?.incomplete ?? 0) + Number(row.incomplete),
      withoutTime: (known?.withoutTime ?? 0) + Number(row.without_time),
      unwrapped: (known?.unwrapped ?? 0) + Number(row.unwrapped),
      partsWithoutCall: (known?.partsWithoutCall ?? 0) + Number(row.parts),
      deadLetters: (known?.deadLetters ?? 0) + Number(row.letters),
      notCalls: (known?.notCalls ?? 0) + Number(row.not_calls),
      lastRecordedAt: lastBefore !== undefined && lastBefore > last ? lastBefore : last,
    })
  }
  return [...bySource.values()].toSorted((a, b) => weightOf(b) - weightOf(a)).slice(0, MAX_SOURCES)
}

const weightOf = ({ calls, partsWithoutCall, deadLetters }: SourceQuality): number =>
  calls + partsWithoutCall + deadLetters
