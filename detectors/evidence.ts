import type { Finding } from '../core/finding.ts'
import { fromClickHouse, fromMillis } from '../core/timestamp.ts'
import type { Evidence, Source, SqlCondition, SqlParams } from './detector.ts'
import { clickHouseTime } from './utc-day.ts'

/** Ids that a finding carries at most. */
export const MAX_EVENT_IDS = 100

export type EvidenceFields = Pick<Finding, 'first_event_at' | 'last_event_at' | 'event_count' | 'event_ids'>

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
  const bounds = `tenant = {tenant:String} AND occurred_at >= {start:DateTime64(6, 'UTC')} AND occurred_at < {end:DateTime64(6, 'UTC')}`
  return {
    sql: `${bounds} AND sign = 1
      AND (event_id, version) NOT IN (SELECT event_id, version FROM events WHERE ${bounds} AND sign = -1)
      ${where === undefined ? '' : `AND (${where.sql})`}`,
    params: { ...where?.params, tenant, start: clickHouseTime(startMs), end: clickHouseTime(endMs) },
  }
}

/** The events behind a draft: as told, or looked up. */
export async function evidenceOf(
  source: Source,
  tenant: string,
  evidence: Evidence,
): Promise<EvidenceFields> {
  if ('events' in evidence) {
    const events = [...evidence.events].sort((a, b) => a.atMs - b.atMs || (a.id < b.id ? -1 : 1))
    return {
      first_event_at: fromMillis(events[0]?.atMs ?? 0),
      last_event_at: fromMillis(events.at(-1)?.atMs ?? 0),
      event_count: events.length,
      event_ids: events.slice(0, MAX_EVENT_IDS).map(({ id }) => id),
    }
  }
  const events = eventsBetween(tenant, evidence.startMs, evidence.endMs, source.where)
  const params: SqlParams = {
    ...events.params,
    actors: evidence.actors,
    server: evidence.server ?? '',
    tool: evidence.tool ?? '',
  }
  const rows = await source.query<{ first: string; last: string; count: number; ids: string[] }>(
    `SELECT toString(min(occurred_at)) AS first, toString(max(occurred_at)) AS last, count() AS count,
       arrayMap(pair -> pair.2, arraySlice(arraySort(groupArray((occurred_at, event_id))), 1, ${MAX_EVENT_IDS})) AS ids
     FROM events
     WHERE ${events.sql} AND actor IN {actors:Array(String)}
       ${evidence.server === undefined ? '' : 'AND mcp_server_name = {server:String}'}
       ${evidence.tool === undefined ? '' : 'AND gen_ai_tool_name = {tool:String}'}`,
    params,
  )
  const found = rows[0]
  return {
    first_event_at: fromClickHouse(found?.first ?? '1970-01-01 00:00:00'),
    last_event_at: fromClickHouse(found?.last ?? '1970-01-01 00:00:00'),
    event_count: found?.count ?? 0,
    event_ids: found?.ids ?? [],
  }
}
