import type { Source, Span } from '../detector.ts'
import { eventsBetween, TEACHES } from '../evidence.ts'
import { startOfDay } from '../utc-day.ts'
import type { DefinitionUse } from './profile.ts'

export const DEFINITION_SQL = 'toString(tool_definition_hash)'

/** The definitions that calls of each day carried, in order of server, tool and definition; `keys` are servers. */
export async function readDefinitions(
  source: Source,
  { tenant, fromDay, toDay, keys }: Span,
  { taught = false }: { readonly taught?: boolean } = {},
): Promise<Map<number, DefinitionUse[]>> {
  const { crowd } = source
  const events = eventsBetween(tenant, startOfDay(fromDay), startOfDay(toDay), source.where)
  const uses = await source.query<DefinitionUse>(
    `SELECT toUInt32(toDate(occurred_at)) AS day, mcp_server_name AS server, gen_ai_tool_name AS tool,
       ${DEFINITION_SQL} AS definition, count() AS calls, toUnixTimestamp64Milli(min(occurred_at)) AS firstMs,
       toUnixTimestamp64Milli(max(occurred_at)) AS lastMs,
       arraySlice(arraySort(groupUniqArray(toString(actor))), 1, 200) AS actors
     FROM events WHERE ${events.sql} AND gen_ai_tool_name != '' AND tool_definition_hash != ''
       ${taught ? `AND ${TEACHES}` : ''} ${crowd?.actors === undefined ? '' : `AND (${crowd.actors.sql})`}
       ${keys === undefined ? '' : 'AND mcp_server_name IN {servers:Array(String)}'}
     GROUP BY day, server, tool, definition ORDER BY day, server, tool, definition`,
    { ...events.params, ...crowd?.actors?.params, ...(keys === undefined ? {} : { servers: [...keys] }) },
  )
  return Map.groupBy(uses, ({ day }) => day)
}
