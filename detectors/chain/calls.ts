import type { Source, Span, SqlParams } from '../detector.ts'
import { BETWEEN, eventsBetween } from '../evidence.ts'
import { dayOf, startOfDay } from '../utc-day.ts'
import type { ChainCall, Signature } from './signature.ts'

/**
 * An attempt counts: what left has left, whatever the server that got it answers. Only what a policy, a person or the gateway
 * itself refused before it was sent did nothing: a denial that no layer behind the gateway can have spoken.
 */
const ATTEMPTED = `NOT (outcome = 'denied' AND (
  gen_ai_security_decision_type = 'deny' OR approval_answer IN ('denied', 'aborted', 'timeout')
  OR (ifNull(mcp_tool_is_error, 0) = 0 AND rpc_response_status_code = '' AND http_response_status_code IS NULL)))`

/** Somebody says that it failed, and nobody but the server is known to have said so. */
const FAILED = `outcome NOT IN ('success', 'unknown')`

/**
 * The calls of chains that may hold one of the signatures, by the day that its last step may lie in: that day’s calls
 * and those before it within the longest of the signatures. The store leaves out what a chain’s signatures do not name, where
 * a chain lacks calls for a step or has them in the wrong order only; `matchEndingAt` decides.
 */
export async function readChainCalls(
  source: Source,
  { tenant, fromDay, toDay, keys }: Span,
  signatures: readonly Signature[],
): Promise<Map<number, ChainCall[]>> {
  const withinMs = Math.max(...signatures.map((signature) => signature.withinMs))
  const events = eventsBetween(tenant, startOfDay(fromDay) - withinMs, startOfDay(toDay), source.where)
  const may = mayHold(signatures)
  const params: SqlParams = { ...events.params, ...may.params }
  const wanted = `SELECT chain, arrayJoin(able) AS able FROM (
    SELECT chain, ${may.sql} AS able FROM events WHERE ${BETWEEN} AND sign = 1 AND ${ATTEMPTED}
    ${keys === undefined ? '' : 'AND chain IN {keys:Array(String)}'} GROUP BY chain)`
  // Of the few chains that a tick touches hardly any qualifies: mostly that is the only question.
  const few =
    keys &&
    (await source.query<{ chain: string }>(`SELECT DISTINCT chain FROM (${wanted})`, {
      ...params,
      keys: [...keys],
    }))
  if (few?.length === 0) return new Map()
  const calls = await source.query<ChainCall>(
    `SELECT chain, event_id AS eventId, toUnixTimestamp64Micro(occurred_at) / 1000 AS atMs, actor,
       mcp_server_name AS server, gen_ai_tool_name AS tool, capability, destination,
       ifNull(imported, false) AS imported,
       toUInt8(${FAILED}) AS failed
     FROM events
     WHERE ${events.sql} AND ${ATTEMPTED} ${few === undefined ? '' : 'AND chain IN {keys:Array(String)}'}
       AND (chain, if(startsWith(chain, 'actor:'), '', capability)) IN (${wanted})`,
    { ...params, ...(few === undefined ? {} : { keys: few.map(({ chain }) => chain) }) },
  )
  return byDay(calls, fromDay, toDay, withinMs)
}

/**
 * Over the calls of a chain: the capabilities of each signature that has calls enough for each step, and its first step before
 * its last. Where all calls of the chain are needed (see `splitAtGaps`), an empty text instead.
 */
function mayHold(signatures: readonly Signature[]): { sql: string; params: SqlParams } {
  const params: Record<string, readonly string[] | number> = {}
  const ofSignature = signatures.map(({ steps }, index) => {
    const able = (step: number) => `capability IN {able_${index}_${step}:Array(String)}`
    const enough = steps.map(({ capabilities, minCount }, step) => {
      params[`able_${index}_${step}`] = capabilities
      params[`enough_${index}_${step}`] = minCount
      return `countIf(${able(step)}) >= {enough_${index}_${step}:UInt32}`
    })
    const inOrder = `minIf(occurred_at, ${able(0)}) <= maxIf(occurred_at, ${able(steps.length - 1)})`
    params[`of_${index}`] = [...new Set(steps.flatMap(({ capabilities }) => capabilities))]
    return `if(${[...enough, inOrder].join(' AND ')}, {of_${index}:Array(String)}, CAST([], 'Array(String)'))`
  })
  const able = `arrayDistinct(arrayConcat(${ofSignature.join(', ')}))`
  return { sql: `if(startsWith(chain, 'actor:') AND notEmpty(${able}), [''], ${able})`, params }
}

function byDay(
  calls: readonly ChainCall[],
  fromDay: number,
  toDay: number,
  withinMs: number,
): Map<number, ChainCall[]> {
  const days = new Map<number, ChainCall[]>()
  // Sorted here, chain by chain: a sort of all calls costs the store more than finding them.
  const ofChains = [...Map.groupBy(calls, ({ chain }) => chain).values()]
  for (const call of ofChains.flatMap((ofChain) => ofChain.sort(byTime))) {
    for (const day of new Set([dayOf(call.atMs), dayOf(call.atMs + withinMs)])) {
      if (day < fromDay || day >= toDay) continue
      const known = days.get(day)
      if (known === undefined) days.set(day, [call])
      else known.push(call)
    }
  }
  return days
}

const byTime = (a: ChainCall, b: ChainCall): number => a.atMs - b.atMs || (a.eventId < b.eventId ? -1 : 1)
