import type { Source, Span, SqlCondition } from '../detector.ts'
import { eventsBetween, TEACHES } from '../evidence.ts'
import { clickHouseTime, DAY_MS, startOfDay } from '../utc-day.ts'

/** An actor’s use of a tool, on one day, that may be its first. */
export interface FirstUse {
  readonly day: number
  readonly actor: string
  readonly server: string
  readonly tool: string
  readonly capability: string
  /** Milliseconds since the epoch. */
  readonly firstMs: number
  /** Of that day. */
  readonly calls: number
}

interface Wanted {
  readonly actors: readonly string[]
  readonly tools: readonly string[]
}

/**
 * Uses of each day and of the one after it (a roll-out may go on) that the rollup says are first ones, looked up in
 * the events. The rollup is as large as the number of actor × tool pairs, however long the history.
 */
export async function readFirstUses(source: Source, span: Span): Promise<Map<number, FirstUse[]>> {
  const { tenant, fromDay, toDay, keys } = span
  const wanted = keys === undefined ? undefined : splitKeys(keys)
  const pairs = source.where === undefined ? await readPairs(source, span, wanted) : undefined
  if (pairs?.size === 0) return new Map()
  const events = eventsBetween(tenant, startOfDay(fromDay), startOfDay(toDay + 1), source.where)
  const limits =
    pairs === undefined ? wanted && { sql: OF_ACTOR_OR_TOOL, params: { ...wanted } } : ofPairs(pairs.keys())
  const uses = await source.query<FirstUse>(
    `SELECT toUInt32(toDate(occurred_at)) AS day, actor, mcp_server_name AS server, gen_ai_tool_name AS tool,
       argMin(capability, (occurred_at, capability)) AS capability,
       toUnixTimestamp64Milli(min(occurred_at)) AS firstMs, count() AS calls
     FROM events WHERE ${events.sql} AND gen_ai_tool_name != ''
       ${limits === undefined ? '' : `AND (${limits.sql})`}
     GROUP BY day, actor, server, tool ORDER BY day, actor, server, tool`,
    { ...events.params, ...limits?.params },
  )
  return byDay(uses, span, pairs)
}

/** For each day: its uses, and those of the next day by pairs that the day itself does not have. */
function byDay(
  uses: readonly FirstUse[],
  { fromDay, toDay }: Span,
  pairs: ReadonlyMap<string, number> | undefined,
): Map<number, FirstUse[]> {
  const usesOfDay = Map.groupBy(uses, (use) => use.day)
  const days = new Map<number, FirstUse[]>()
  for (let day = fromDay; day < toDay; day += 1) {
    const isFirst = (use: FirstUse) =>
      pairs === undefined || (pairs.get(pairKey(use)) ?? -1) >= startOfDay(day)
    const today = (usesOfDay.get(day) ?? []).filter(isFirst)
    const known = new Set(today.map(pairKey))
    const tomorrow = (usesOfDay.get(day + 1) ?? []).filter((use) => isFirst(use) && !known.has(pairKey(use)))
    if (today.length > 0) days.set(day, [...today, ...tomorrow])
  }
  return days
}

interface Pair {
  readonly actor: string
  readonly server: string
  readonly tool: string
  /** Milliseconds since the epoch. */
  readonly firstMs: number
}

/**
 * Pairs first seen in the days of the span or the one after, with that time in milliseconds. A use that came late is no
 * first one for the days after it, because nobody learned of it; on its own day it is looked at.
 */
async function readPairs(
  source: Source,
  { tenant, fromDay, toDay }: Span,
  wanted: Wanted | undefined,
): Promise<Map<string, number>> {
  const fromMs = fromDay * DAY_MS
  // Unsure: a correction took away a use that was no later than the first, or (in stores of before) all uses of a block.
  const rows = await source.query<Pair & { unsure: number }>(
    `SELECT actor, server, tool, toUnixTimestamp64Milli(first) AS firstMs,
       vanished <= first OR first < toDateTime64('1971-01-01 00:00:00', 6, 'UTC') AS unsure
     FROM (
       SELECT actor, mcp_server_name AS server, gen_ai_tool_name AS tool, min(first_seen) AS first, min(vanished_first) AS vanished,
         min(late_first) AS late
       FROM tools_by_actor WHERE tenant = {tenant:String}
         ${wanted === undefined ? '' : `AND (${OF_ACTOR_OR_TOOL})`}
       GROUP BY actor, server, tool HAVING sum(calls) > 0)
     WHERE (first < {to:DateTime64(6, 'UTC')} AND (first >= {from:DateTime64(6, 'UTC')} OR unsure))
       OR (late < first AND late >= {from:DateTime64(6, 'UTC')} AND late < {to:DateTime64(6, 'UTC')})`,
    {
      tenant,
      from: clickHouseTime(fromMs),
      to: clickHouseTime((toDay + 1) * DAY_MS),
      ...wanted,
    },
  )
  const sure = rows.filter(({ unsure }) => !unsure)
  const asked = await firstInEvents(
    source,
    tenant,
    rows.filter(({ unsure }) => unsure),
    startOfDay(toDay + 1),
  )
  return new Map(
    [...sure, ...asked.filter(({ firstMs }) => firstMs >= fromMs)].map((row) => [pairKey(row), row.firstMs]),
  )
}

/** The first uses of these pairs as the events have them, before a time. Few pairs need it, so they may cost their history. */
async function firstInEvents(
  { query }: Source,
  tenant: string,
  pairs: readonly Pair[],
  untilMs: number,
): Promise<Pair[]> {
  if (pairs.length === 0) return []
  const ofThem = ofPairs(pairs.map(pairKey))
  const fromMs = Math.max(0, Math.min(...pairs.map(({ firstMs }) => firstMs)))
  const events = eventsBetween(tenant, fromMs, untilMs)
  return query<Pair>(
    `SELECT actor, mcp_server_name AS server, gen_ai_tool_name AS tool, toUnixTimestamp64Milli(min(occurred_at)) AS firstMs
     FROM events WHERE ${events.sql} AND ${TEACHES} AND ${ofThem.sql}
     GROUP BY actor, server, tool`,
    { ...events.params, ...ofThem.params },
  )
}

const pairKey = ({ actor, server, tool }: { actor: string; server: string; tool: string }): string =>
  JSON.stringify([actor, server, tool])

const OF_ACTOR_OR_TOOL = 'actor IN {actors:Array(String)} OR gen_ai_tool_name IN {tools:Array(String)}'

/** The calls of these pairs. The actors are said once more, because the key of `events` finds them. */
function ofPairs(pairKeys: Iterable<string>): SqlCondition {
  const pairs = [...pairKeys].map((key) => JSON.parse(key) as [string, string, string])
  return {
    sql: `actor IN {pairActors:Array(String)} AND (actor, mcp_server_name, gen_ai_tool_name) IN (
      SELECT pair.1, pair.2, pair.3 FROM (SELECT arrayJoin(
        arrayZip({pairActors:Array(String)}, {pairServers:Array(String)}, {pairTools:Array(String)})) AS pair))`,
    params: {
      pairActors: pairs.map(([actor]) => actor),
      pairServers: pairs.map(([, server]) => server),
      pairTools: pairs.map(([, , tool]) => tool),
    },
  }
}

/** Keys of units: one for each tool (its adopters are judged together) and one for each actor (its first day). */
export const keyOfTool = (server: string, tool: string): string => `tool:${JSON.stringify([server, tool])}`
export const keyOfActor = (actor: string): string => `actor:${actor}`

function splitKeys(keys: ReadonlySet<string>): Wanted {
  const actors: string[] = []
  const tools = new Set<string>()
  for (const key of keys) {
    if (key.startsWith('actor:')) actors.push(key.slice(6))
    else tools.add((JSON.parse(key.slice(5)) as [string, string])[1])
  }
  return { actors, tools: [...tools] }
}
