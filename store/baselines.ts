import type { Timestamp } from '../core/audit-event.ts'
import { fromClickHouse, toClickHouse } from '../core/timestamp.ts'
import type { Database } from './database.ts'
import { createOverviewQueries } from './overview.ts'

interface ActorRange {
  readonly tenant: string
  readonly actor: string
  readonly from: Timestamp
  readonly to: Timestamp
}

/** The numbers behind the pictures of findings, from the rollups. */
export interface BaselineQueries {
  /** Dense. The step is a multiple of five minutes, `from` and `to` whole multiples of it. */
  calls(of: ActorRange, stepSeconds: number): Promise<{ start: Timestamp; calls: number }[]>
  /** Distinct days with calls by weekday (0 = Monday) and half hour (0–47), on a clock shifted by the offset. */
  habits(
    of: ActorRange,
    offsetMinutes: number,
  ): Promise<{ weekday: number; halfHour: number; days: number }[]>
  /** First use of a tool by each actor, earliest first. */
  firstUses(
    of: { readonly tenant: string; readonly server: string; readonly tool: string },
    limit: number,
  ): Promise<{ actor: string; at: Timestamp }[]>
}

export function createBaselineQueries(database: Database): BaselineQueries {
  const { volume } = createOverviewQueries(database)
  return {
    calls: async (of, stepSeconds) =>
      (await volume(of, stepSeconds)).map(({ start, calls }) => ({ start, calls })),
    habits: ({ tenant, actor, from, to }, offsetMinutes) =>
      database.query(
        `SELECT toDayOfWeek(local) - 1 AS weekday, intDiv(toHour(local) * 60 + toMinute(local), 30) AS halfHour,
                uniqExact(toDate(local)) AS days
         FROM (
           SELECT addMinutes(bucket, {offset:Int32}) AS local FROM calls_by_actor AS c
           WHERE tenant = {tenant:String} AND actor = {actor:String}
             AND bucket >= toDateTime({from:String}, 'UTC') AND bucket < toDateTime({to:String}, 'UTC')
           GROUP BY bucket HAVING sum(c.calls) > 0
         )
         GROUP BY weekday, halfHour ORDER BY weekday, halfHour`,
        {
          tenant,
          actor,
          offset: offsetMinutes,
          from: toClickHouse(from).slice(0, 19),
          to: toClickHouse(to).slice(0, 19),
        },
      ),
    firstUses: async ({ tenant, server, tool }, limit) => {
      const rows = await database.query<{ actor: string; at: string; unsure: number }>(
        `SELECT actor, least(min(first_seen), min(late_first)) AS at,
           min(vanished_first) <= at OR at < toDateTime64('1971-01-01 00:00:00', 6, 'UTC') AS unsure
         FROM tools_by_actor
         WHERE tenant = {tenant:String} AND mcp_server_name = {server:String} AND gen_ai_tool_name = {tool:String}
         GROUP BY actor HAVING sum(calls) > 0 ORDER BY at, actor LIMIT {limit:UInt32}`,
        { tenant, server, tool, limit },
      )
      const unsure = rows.filter((row) => row.unsure).map(({ actor }) => actor)
      const inEvents = unsure.length === 0 ? new Map() : await firstInEvents({ tenant, server, tool }, unsure)
      return rows
        .map(({ actor, at }) => ({ actor, at: fromClickHouse(inEvents.get(actor) ?? at) }))
        .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
    },
  }

  // Where a correction took a first use away (store/migrations/0012_first_uses.sql), the events say which is the first.
  async function firstInEvents(
    of: { readonly tenant: string; readonly server: string; readonly tool: string },
    actors: readonly string[],
  ): Promise<Map<string, string>> {
    const rows = await database.query<{ actor: string; at: string }>(
      `SELECT actor, min(first) AS at FROM (
         SELECT actor, min(occurred_at) AS first FROM events
         WHERE tenant = {tenant:String} AND actor IN {actors:Array(String)}
           AND mcp_server_name = {server:String} AND gen_ai_tool_name = {tool:String}
         GROUP BY actor, event_id, version HAVING sum(sign) > 0)
       GROUP BY actor`,
      { ...of, actors },
    )
    return new Map(rows.map(({ actor, at }) => [actor, at]))
  }
}
