import type { Source, Span } from '../detector.ts'
import { eventsBetween } from '../evidence.ts'
import { dayOf, startOfDay } from '../utc-day.ts'
import type { ChainCall, Step } from './signature.ts'

/**
 * The calls of chains that reached the last step of a signature, by the day that the step may lie in: that day’s calls
 * and those of `withinMs` before it. Failed and denied calls did nothing, so they do not count.
 */
export async function readChainCalls(
  source: Source,
  { tenant, fromDay, toDay, keys }: Span,
  steps: readonly Step[],
  withinMs: number,
): Promise<Map<number, ChainCall[]>> {
  const events = eventsBetween(tenant, startOfDay(fromDay) - withinMs, startOfDay(toDay), source.where)
  const chains = keys === undefined ? '' : 'AND chain IN {chains:Array(String)}'
  const calls = await source.query<ChainCall>(
    `SELECT chain, event_id AS eventId, toUnixTimestamp64Micro(occurred_at) / 1000 AS atMs, actor,
       mcp_server_name AS server, gen_ai_tool_name AS tool, capability, destination
     FROM events
     WHERE ${events.sql} ${chains} AND outcome IN ('success', 'unknown')
       AND (capability IN {capabilities:Array(String)} OR startsWith(chain, 'actor:'))
       AND chain IN (
         SELECT chain FROM events
         WHERE tenant = {tenant:String} AND occurred_at >= {start:DateTime64(6, 'UTC')} AND occurred_at < {end:DateTime64(6, 'UTC')}
           ${chains} AND capability IN {last:Array(String)})
     ORDER BY chain, occurred_at, event_id`,
    {
      ...events.params,
      ...(keys === undefined ? {} : { chains: [...keys] }),
      capabilities: [...new Set(steps.flatMap((step) => step.capabilities))],
      last: steps.at(-1)?.capabilities ?? [],
    },
  )
  return byDay(calls, fromDay, toDay, withinMs)
}

function byDay(
  calls: readonly ChainCall[],
  fromDay: number,
  toDay: number,
  withinMs: number,
): Map<number, ChainCall[]> {
  const days = new Map<number, ChainCall[]>()
  for (const call of calls) {
    for (const day of new Set([dayOf(call.atMs), dayOf(call.atMs + withinMs)])) {
      if (day < fromDay || day >= toDay) continue
      const known = days.get(day)
      if (known === undefined) days.set(day, [call])
      else known.push(call)
    }
  }
  return days
}
