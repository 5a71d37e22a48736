import type { Source, Span } from '../detector.ts'
import { eventsBetween, TEACHES } from '../evidence.ts'
import { startOfDay } from '../utc-day.ts'
import { type ArgumentDay, MOST_VALUES } from './profile.ts'

/** A value of an argument that an actor gave on a day. */
export interface ArgumentUse extends Omit<ArgumentDay, 'values'> {
  readonly value: string
  readonly calls: number
  /** The first call with it, and when, milliseconds since the epoch. */
  readonly firstId: string
  readonly firstMs: number
  readonly imported: boolean
}

/** A fingerprint is `ARGUMENT:HASH`, and an argument’s name may have colons. */
const OF_CALL = `toUInt32(toDate(occurred_at)) AS day, toString(actor) AS who, toString(mcp_server_name) AS server,
  toString(gen_ai_tool_name) AS tool, arrayStringConcat(arrayPopBack(splitByChar(':', fingerprint)), ':') AS argument,
  arrayElement(splitByChar(':', fingerprint), -1) AS value`

/** The arguments that each actor gave on each day, with their values; in order of argument and actor. */
export async function readArgumentDays(
  source: Source,
  tenant: string,
  fromDay: number,
  toDay: number,
): Promise<Map<number, ArgumentDay[]>> {
  const { crowd } = source
  const events = eventsBetween(tenant, startOfDay(fromDay), startOfDay(toDay), source.where)
  const days = await source.query<Omit<ArgumentDay, 'actor'> & { who: string }>(
    `SELECT day, who, server, tool, argument, arraySlice(arraySort(groupUniqArray(value)), 1, ${MOST_VALUES + 1}) AS values
     FROM (SELECT ${OF_CALL} FROM events ARRAY JOIN argument_fingerprints AS fingerprint
       WHERE ${events.sql} AND gen_ai_tool_name != '' AND ${TEACHES} ${crowd?.actors === undefined ? '' : `AND (${crowd.actors.sql})`})
     GROUP BY day, server, tool, argument, who ORDER BY day, server, tool, argument, who
     ${crowd === undefined ? '' : 'LIMIT {rows:UInt32} BY day, who'}`,
    {
      ...events.params,
      ...crowd?.actors?.params,
      ...(crowd === undefined ? {} : { rows: crowd.rowsPerActor }),
    },
  )
  return Map.groupBy(
    days.map(({ who, ...rest }) => ({ ...rest, actor: who })),
    ({ day }) => day,
  )
}

/** Values of arguments on each day, in order of actor, argument and first call. */
export async function readArgumentUses(
  source: Source,
  { tenant, fromDay, toDay, keys }: Span,
): Promise<Map<number, ArgumentUse[]>> {
  const events = eventsBetween(tenant, startOfDay(fromDay), startOfDay(toDay), source.where)
  const uses = await source.query<Omit<ArgumentUse, 'actor' | 'imported'> & { who: string; history: number }>(
    `SELECT day, who, server, tool, argument, value, count() AS calls, min(at) AS firstMs,
       argMin(id, (at, id)) AS firstId, toUInt8(argMin(old, (at, id))) AS history
     FROM (SELECT ${OF_CALL}, toUnixTimestamp64Milli(occurred_at) AS at, toString(event_id) AS id, ifNull(imported, false) AS old
       FROM events ARRAY JOIN argument_fingerprints AS fingerprint
       WHERE ${events.sql} AND gen_ai_tool_name != ''
       ${keys === undefined ? '' : 'AND actor IN {actors:Array(String)}'})
     GROUP BY day, who, server, tool, argument, value ORDER BY day, who, server, tool, argument, firstMs, value`,
    { ...events.params, ...(keys === undefined ? {} : { actors: [...keys] }) },
  )
  return Map.groupBy(
    uses.map(({ who, history, ...rest }) => ({ ...rest, actor: who, imported: history === 1 })),
    ({ day }) => day,
  )
}
