import type { Finding } from '../core/finding.ts'
import { fromClickHouse, fromMillis } from '../core/timestamp.ts'
import type { Evidence, Source, SqlCondition } from './detector.ts'
import { clickHouseTime } from './utc-day.ts'

/** Ids that a finding carries at most. */
export const MAX_EVENT_IDS = 100

export type EvidenceFields = Pick<Finding, 'first_event_at' | 'last_event_at' | 'event_count' | 'event_ids'>

/**
 * The events of a tenant in [start, end), cancelled ones too; parameters `tenant`, `start`, `end`. The dates say nothing that the times do not; but with them the
 * table’s key narrows a day to its actors.
 */
export const BETWEEN = `tenant = {tenant:String}
  AND occurred_at >= {start:DateTime64(6, 'UTC')} AND occurred_at < {end:DateTime64(6, 'UTC')}
  AND toDate(occurred_at) >= toDate({start:DateTime64(6, 'UTC')})
  AND toDate(occurred_at) <= toDate({end:DateTime64(6, 'UTC')} - toIntervalMicrosecond(1))`

/**
 * A condition over `events` for the events of a tenant in [startMs, endMs), without those that a correction has
 * cancelled. Uses the parameters `tenant`, `start` and `end`.
 */
export function eventsBetween(
  tenant: string,
  startMs: number,
  endMs: number,
  where?: SqlCondition,
): SqlCondition {
  return {
    // Mostly nothing is cancelled: then no row’s id has to be read to say so.
    sql: `${BETWEEN} AND sign = 1
      AND ((SELECT count() FROM events WHERE ${BETWEEN} AND sign = -1) = 0
        OR (event_id, version) NOT IN (SELECT event_id, version FROM events WHERE ${BETWEEN} AND sign = -1))
      ${where === undefined ? '' : `AND (${where.sql})`}`,
    params: { ...where?.params, tenant, start: clickHouseTime(startMs), end: clickHouseTime(endMs) },
  }
}

/**
 * The events that baselines learn from: not those that came long after their time, which whoever may send could make up. They
 * are judged as all others are.
 */
export const TEACHES = "NOT has(record_flags, 'late')"

type Lookup = Exclude<Evidence, { readonly events: unknown }>

/** Drafts whose events are looked up with one question, which reads the events of all their actors once. */
const LOOKUPS = 5_000

/** The events behind a draft, and whether all of them were imported as history. */
export interface FoundEvidence {
  readonly fields: EvidenceFields
  readonly imported: boolean
}

const NO_EVENTS: EvidenceFields = {
  first_event_at: fromMillis(0),
  last_event_at: fromMillis(0),
  event_count: 0,
  event_ids: [],
}

/** The events behind drafts: as told, or looked up, many at a time. */
export async function evidenceOf(
  source: Source,
  tenant: string,
  evidence: readonly Evidence[],
): Promise<{ get(of: Evidence): FoundEvidence }> {
  const fields = new Map<Evidence, FoundEvidence>()
  const lookups: Lookup[] = []
  for (const one of evidence) {
    if ('events' in one) fields.set(one, told(one.events))
    else lookups.push(one)
  }
  for (const [expression, alike] of Map.groupBy(lookups, ({ matching }) => matching?.expression ?? "''")) {
    for (let from = 0; from < alike.length; from += LOOKUPS) {
      const some = alike.slice(from, from + LOOKUPS)
      for (const [which, found] of await lookUp(source, tenant, some, expression)) {
        const one = some[which]
        if (one !== undefined) fields.set(one, found)
      }
    }
  }
  return { get: (of) => fields.get(of) ?? { fields: NO_EVENTS, imported: false } }
}

function told(behind: Extract<Evidence, { readonly events: unknown }>['events']): FoundEvidence {
  const events = [...behind].sort((a, b) => a.atMs - b.atMs || (a.id < b.id ? -1 : 1))
  return {
    fields: {
      first_event_at: fromMillis(events[0]?.atMs ?? 0),
      last_event_at: fromMillis(events.at(-1)?.atMs ?? 0),
      event_count: events.length,
      event_ids: events.slice(0, MAX_EVENT_IDS).map(({ id }) => id),
    },
    imported: events.length > 0 && events.every(({ imported }) => imported === true),
  }
}

/**
 * One row for each lookup and actor, joined with the events: however many lookups, the events are read once.
 * @param expression of all of them: SQL over a row of `events`
 */
async function lookUp(
  source: Source,
  tenant: string,
  lookups: readonly Lookup[],
  expression: string,
): Promise<Map<number, FoundEvidence>> {
  const wanted = lookups.flatMap((lookup, which) =>
    [...new Set(lookup.actors)].map((actor) => ({ ...lookup, which, actor })),
  )
  const events = eventsBetween(
    tenant,
    lookups.reduce((least, { startMs }) => Math.min(least, startMs), Number.POSITIVE_INFINITY),
    lookups.reduce((most, { endMs }) => Math.max(most, endMs), 0),
    source.where,
  )
  const rows = await source.query<{
    which: number
    first: string
    last: string
    count: number
    ids: string[]
    live: number
  }>(
    `SELECT which, toString(min(at)) AS first, toString(max(at)) AS last, count() AS count, countIf(NOT history) AS live,
       arrayMap(pair -> pair.2, groupArraySorted(${MAX_EVENT_IDS})((at, id))) AS ids
     FROM (
       SELECT occurred_at AS at, event_id AS id, actor AS who, mcp_server_name AS server, gen_ai_tool_name AS tool, ${expression} AS matched, ifNull(imported, false) AS history
       FROM events WHERE ${events.sql} AND actor IN {whos:Array(String)}
     ) AS found
     INNER JOIN (
       SELECT which, who, from, to, anyServer, ofServer, anyTool, ofTool, ofMatch FROM system.one
       ARRAY JOIN {whichs:Array(UInt32)} AS which, {whos:Array(String)} AS who,
         {starts:Array(DateTime64(6, 'UTC'))} AS from, {ends:Array(DateTime64(6, 'UTC'))} AS to,
         {anyServers:Array(UInt8)} AS anyServer, {servers:Array(String)} AS ofServer,
         {anyTools:Array(UInt8)} AS anyTool, {tools:Array(String)} AS ofTool, {matches:Array(String)} AS ofMatch
     ) AS lookup ON found.who = lookup.who
     WHERE at >= from AND at < to AND (anyServer OR server = ofServer) AND (anyTool OR tool = ofTool) AND matched = ofMatch
     GROUP BY which`,
    {
      ...events.params,
      whichs: wanted.map(({ which }) => which),
      whos: wanted.map(({ actor }) => actor),
      starts: wanted.map(({ startMs }) => clickHouseTime(startMs)),
      ends: wanted.map(({ endMs }) => clickHouseTime(endMs)),
      anyServers: wanted.map(({ server }) => (server === undefined ? 1 : 0)),
      servers: wanted.map(({ server }) => server ?? ''),
      anyTools: wanted.map(({ tool }) => (tool === undefined ? 1 : 0)),
      tools: wanted.map(({ tool }) => tool ?? ''),
      matches: wanted.map(({ matching }) => matching?.value ?? ''),
    },
  )
  return new Map(
    rows.map(({ which, first, last, count, ids, live }) => [
      which,
      {
        fields: {
          first_event_at: fromClickHouse(first),
          last_event_at: fromClickHouse(last),
          event_count: count,
          event_ids: ids,
        },
        imported: count > 0 && live === 0,
      },
    ]),
  )
}
