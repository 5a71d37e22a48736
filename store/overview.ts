import type { Timestamp } from '../core/audit-event.ts'
import { fromClickHouse, fromMillis, toClickHouse, toMillis } from '../core/timestamp.ts'
import type { Database } from './database.ts'
import { countDeadLetters } from './dead-letters.ts'
import { type EventScope, scopeSql } from './event-scope.ts'

/** Calls in one stretch of time; `start` is a whole multiple of the step since 1970. */
export interface VolumeBucket {
  readonly start: Timestamp
  readonly calls: number
  readonly failures: number
  readonly denials: number
}

export interface OverviewNumbers {
  readonly calls: number
  readonly failures: number
  readonly denials: number
  readonly activeActors: number
  readonly activeTools: number
  readonly servers: number
  readonly findingsByDetector: Readonly<Record<string, number>>
  readonly topActors: readonly { readonly actor: string; readonly calls: number; readonly findings: number }[]
  readonly ingest: IngestState
}

export interface IngestState {
  readonly lastRecordedAt?: Timestamp
  readonly lastOccurredAt?: Timestamp
  /** How long ago the newest call happened when the newest record came in, by the store’s clock. */
  readonly lagSeconds: number
  readonly eventsTotal: number
  readonly deadLettersTotal: number
}

/** Fields whose values can be counted. */
export const FACET_COLUMNS = {
  actor: 'actor',
  'mcp.server.name': 'mcp_server_name',
  'gen_ai.tool.name': 'gen_ai_tool_name',
  outcome: 'outcome',
  capability: 'capability',
} as const
export type FacetField = keyof typeof FACET_COLUMNS

type BoundedScope = EventScope & { readonly from: Timestamp; readonly to: Timestamp }

/** Counts for pictures and summaries. Numbers from rollups cover whole five-minute buckets: those that `from` and `to` are in belong. */
export interface OverviewQueries {
  /** Dense: a bucket for every step that the range touches. */
  volume(scope: BoundedScope, stepSeconds: number): Promise<VolumeBucket[]>
  overview(tenant: string, from: Timestamp, to: Timestamp): Promise<OverviewNumbers>
  /** The most frequent values, most first; absent values are not counted. */
  facet(scope: BoundedScope, field: FacetField, limit: number): Promise<{ value: string; count: number }[]>
}

const ROLLUP_SECONDS = 300

export function createOverviewQueries(database: Database): OverviewQueries {
  return {
    volume: (scope, stepSeconds) => volume(database, scope, stepSeconds),
    overview: (tenant, from, to) => overview(database, tenant, from, to),
    facet: async (scope, field, limit) => {
      const { sql, params } = scopeSql(scope)
      const column = FACET_COLUMNS[field]
      return database.query<{ value: string; count: number }>(
        `SELECT ${column} AS value, sum(toInt64(sign)) AS count FROM events WHERE ${sql} AND ${column} != ''
         GROUP BY value HAVING count > 0 ORDER BY count DESC, value LIMIT {limit:UInt32}`,
        { ...params, limit },
      )
    },
  }
}

interface CountRow {
  readonly start: number
  readonly calls: number
  readonly failures: number
  readonly denials: number
}

async function volume(database: Database, scope: BoundedScope, stepSeconds: number): Promise<VolumeBucket[]> {
  const stepMs = stepSeconds * 1000
  const firstMs = Math.floor(toMillis(scope.from) / stepMs) * stepMs
  const endMs = Math.ceil(toMillis(scope.to) / stepMs) * stepMs
  const whole = { ...scope, from: fromMillis(firstMs), to: fromMillis(endMs) }
  const rows = isRolledUp(scope, stepSeconds)
    ? await countRollup(database, whole, stepSeconds)
    : await countEvents(database, whole, stepSeconds)
  const byStart = new Map(rows.map((row) => [row.start * 1000, row]))
  return Array.from({ length: (endMs - firstMs) / stepMs }, (_, index) => {
    const startMs = firstMs + index * stepMs
    const { calls = 0, failures = 0, denials = 0 } = byStart.get(startMs) ?? {}
    return { start: fromMillis(startMs), calls, failures, denials }
  })
}

const isRolledUp = (
  { q, server, tool, outcome, capability, chain }: EventScope,
  stepSeconds: number,
): boolean =>
  stepSeconds % ROLLUP_SECONDS === 0 &&
  [q, server, tool, outcome, capability, chain].every((part) => part === undefined || part === '')

const countRollup = (database: Database, { tenant, actor, from, to }: BoundedScope, stepSeconds: number) =>
  database.query<CountRow>(
    `SELECT intDiv(toUnixTimestamp(bucket), {step:UInt32}) * {step:UInt32} AS start,
            sum(c.calls) AS calls, sum(c.failures) AS failures, sum(c.denials) AS denials
     FROM calls_by_actor AS c
     WHERE ${ROLLUP_RANGE} ${actor === undefined ? '' : 'AND actor = {actor:String}'}
     GROUP BY start ORDER BY start`,
    { ...rollupRange(tenant, from, to), step: stepSeconds, ...(actor === undefined ? {} : { actor }) },
  )

function countEvents(database: Database, scope: BoundedScope, stepSeconds: number) {
  const { sql, params } = scopeSql(scope)
  return database.query<CountRow>(
    `SELECT intDiv(toUnixTimestamp(occurred_at), {step:UInt32}) * {step:UInt32} AS start,
            sum(toInt64(sign)) AS calls, sumIf(toInt64(sign), outcome IN ('failure', 'timeout')) AS failures,
            sumIf(toInt64(sign), outcome = 'denied') AS denials
     FROM events WHERE ${sql} GROUP BY start ORDER BY start`,
    { ...params, step: stepSeconds },
  )
}

const ROLLUP_RANGE =
  "tenant = {tenant:String} AND bucket >= toStartOfFiveMinutes(toDateTime({from:String}, 'UTC')) AND bucket <= toDateTime({last:String}, 'UTC')"

// `to` is exclusive: a range that ends on a bucket's start does not touch the bucket.
const rollupRange = (tenant: string, from: Timestamp, to: Timestamp) => ({
  tenant,
  from: secondsOf(from),
  last: secondsOf(fromMillis(Math.ceil(toMillis(to)) - 1)),
})

const secondsOf = (time: Timestamp): string => toClickHouse(time).slice(0, 19)

async function overview(
  database: Database,
  tenant: string,
  from: Timestamp,
  to: Timestamp,
): Promise<OverviewNumbers> {
  const range = rollupRange(tenant, from, to)
  const [actors, tools, findings, ingest] = await Promise.all([
    database.query<{ actor: string; calls: number; failures: number; denials: number }>(
      `SELECT actor, sum(c.calls) AS calls, sum(c.failures) AS failures, sum(c.denials) AS denials
       FROM calls_by_actor AS c WHERE ${ROLLUP_RANGE} GROUP BY actor HAVING calls > 0 ORDER BY calls DESC, actor`,
      range,
    ),
    database.query<{ server: string; tool: string }>(
      `SELECT mcp_server_name AS server, gen_ai_tool_name AS tool FROM calls_by_tool
       WHERE ${ROLLUP_RANGE} GROUP BY server, tool HAVING sum(calls) > 0`,
      range,
    ),
    database.query<{ detector: string; actor: string; findings: number }>(
      `SELECT detector, actor, count() AS findings FROM finding_versions FINAL
       WHERE tenant = {tenant:String} AND status = 'current'
         AND last_event_at >= toDateTime64({from:String}, 6, 'UTC') AND first_event_at < toDateTime64({to:String}, 6, 'UTC')
       GROUP BY detector, actor`,
      { tenant, from: toClickHouse(from), to: toClickHouse(to) },
    ),
    ingestState(database, tenant),
  ])
  const findingsOf = sumBy(findings, ({ actor }) => actor)
  return {
    calls: total(actors, 'calls'),
    failures: total(actors, 'failures'),
    denials: total(actors, 'denials'),
    activeActors: actors.length,
    activeTools: tools.filter(({ tool }) => tool !== '').length,
    servers: new Set(tools.map(({ server }) => server).filter((server) => server !== '')).size,
    findingsByDetector: Object.fromEntries(sumBy(findings, ({ detector }) => detector)),
    topActors: actors
      .slice(0, 10)
      .map(({ actor, calls }) => ({ actor, calls, findings: findingsOf.get(actor) ?? 0 })),
    ingest,
  }
}

const total = <Key extends string>(rows: readonly Readonly<Record<Key, number>>[], key: Key): number =>
  rows.reduce((sum, row) => sum + row[key], 0)

function sumBy<Row extends { readonly findings: number }>(rows: readonly Row[], keyOf: (row: Row) => string) {
  const sums = new Map<string, number>()
  for (const row of rows) sums.set(keyOf(row), (sums.get(keyOf(row)) ?? 0) + row.findings)
  return sums
}

async function ingestState(database: Database, tenant: string): Promise<IngestState> {
  const [[arrived], [counted], dead] = await Promise.all([
    database.query<{ recorded: string; rows: number }>(
      'SELECT max(recorded_at) AS recorded, count() AS rows FROM touched WHERE tenant = {tenant:String}',
      { tenant },
    ),
    database.query<{ newest: string; calls: number }>(
      'SELECT max(bucket) AS newest, sum(c.calls) AS calls FROM calls_by_actor AS c WHERE tenant = {tenant:String}',
      { tenant },
    ),
    countDeadLetters(database, tenant),
  ])
  const eventsTotal = counted?.calls ?? 0
  const lastOccurredAt =
    counted === undefined || eventsTotal === 0
      ? undefined
      : await newestSince(database, tenant, counted.newest)
  const lastRecordedAt =
    arrived === undefined || arrived.rows === 0 ? undefined : fromClickHouse(arrived.recorded)
  return {
    ...(lastRecordedAt === undefined ? {} : { lastRecordedAt }),
    ...(lastOccurredAt === undefined ? {} : { lastOccurredAt }),
    lagSeconds:
      lastRecordedAt === undefined || lastOccurredAt === undefined
        ? 0
        : Math.max(0, (toMillis(lastRecordedAt) - toMillis(lastOccurredAt)) / 1000),
    eventsTotal,
    deadLettersTotal: dead.reduce((sum, { count }) => sum + count, 0),
  }
}

// The rollup knows the bucket of the newest call; the table is asked about that bucket only.
async function newestSince(
  database: Database,
  tenant: string,
  bucket: string,
): Promise<Timestamp | undefined> {
  const [row] = await database.query<{ newest: string; rows: number }>(
    "SELECT max(occurred_at) AS newest, count() AS rows FROM events WHERE tenant = {tenant:String} AND sign = 1 AND occurred_at >= toDateTime64({bucket:String}, 6, 'UTC')",
    { tenant, bucket },
  )
  return row === undefined || row.rows === 0 ? undefined : fromClickHouse(row.newest)
}
