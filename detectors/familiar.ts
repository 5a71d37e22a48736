import type { Source } from './detector.ts'
import { eventsBetween } from './evidence.ts'
import { startOfDay } from './utc-day.ts'

/**
 * What is familiar as of the start of a day: which tools and destinations each actor has used, and how common they
 * are among its peers. Nothing fades: what was used once is not new again.
 */
export interface Familiar {
  /** First day with calls, of anybody; undefined before. */
  readonly firstDay?: number
  readonly calls: number
  /** Number of distinct actor × tool pairs, and actor × destination pairs. */
  readonly toolPairs: number
  readonly destinationPairs: number
  readonly tools: ReadonlyMap<string, Known>
  readonly destinations: ReadonlyMap<string, Known>
  readonly actors: ReadonlyMap<string, KnownActor>
}

interface Known {
  /** Actor → time of its first use, milliseconds. */
  readonly adopters: ReadonlyMap<string, number>
  readonly calls: number
}

interface KnownActor {
  readonly firstDay: number
  readonly calls: number
  /** Calls and first uses of tools since the actor is settled. */
  readonly settledCalls: number
  readonly settledFirsts: number
}

/** An actor’s use of a tool, and of a destination through it, on one day. */
export interface Use {
  readonly day: number
  readonly actor: string
  readonly server: string
  readonly tool: string
  /** Empty when the calls had none. */
  readonly destination: string
  readonly calls: number
  readonly firstMs: number
}

export const emptyFamiliar: Familiar = {
  calls: 0,
  toolPairs: 0,
  destinationPairs: 0,
  tools: new Map(),
  destinations: new Map(),
  actors: new Map(),
}

/** A tool’s identity within a tenant. */
export const toolKey = (server: string, tool: string): string => JSON.stringify([server, tool])

/** What an actor must have behind it before something new to it says anything. */
export interface Grace {
  readonly days: number
  readonly calls: number
}

/** Rules with the same grace share what is familiar. */
export const familiarKey = (grace: Grace): string => `familiar/${grace.days}/${grace.calls}`

/** Past its grace: long enough known, with enough calls. */
export function isSettled(familiar: Familiar, actor: string, day: number, grace: Grace): boolean {
  const known = familiar.actors.get(actor)
  return known !== undefined && day - known.firstDay >= grace.days && known.calls >= grace.calls
}

/** An explorer keeps using new tools: more than 5% of its calls since it settled. For it, new is usual. */
export function isExplorer(familiar: Familiar, actor: string): boolean {
  const known = familiar.actors.get(actor)
  return known !== undefined && known.settledCalls >= 100 && known.settledFirsts / known.settledCalls > 0.05
}

/** −log2 of the share of actors’ tools that are this one, backing off to its share of the tenant’s calls. */
export function toolBits(familiar: Familiar, key: string): number {
  const known = familiar.tools.get(key)
  const ofTenant = ((known?.calls ?? 0) + 0.5) / (familiar.calls + 0.5 * (familiar.tools.size + 1))
  return -Math.log2(((known?.adopters.size ?? 0) + 5 * ofTenant) / (familiar.toolPairs + 5))
}

/** −log2 of the share of actors’ destinations that are this one. */
export function destinationBits(familiar: Familiar, destination: string): number {
  const adopters = familiar.destinations.get(destination)?.adopters.size ?? 0
  return -Math.log2((adopters + 0.5) / (familiar.destinationPairs + 1))
}

/** Uses of the days `fromDay` to `toDay` (exclusive), by day, in a fixed order. */
export async function readUses(
  source: Source,
  tenant: string,
  fromDay: number,
  toDay: number,
): Promise<Map<number, Use[]>> {
  const events = eventsBetween(tenant, startOfDay(fromDay), startOfDay(toDay), source.where)
  const uses = await source.query<Use>(
    `SELECT toUInt32(toDate(occurred_at)) AS day, actor, mcp_server_name AS server, gen_ai_tool_name AS tool, destination,
       count() AS calls, toUnixTimestamp64Milli(min(occurred_at)) AS firstMs
     FROM events WHERE ${events.sql}
     GROUP BY day, actor, server, tool, destination ORDER BY day, actor, server, tool, destination`,
    events.params,
  )
  return Map.groupBy(uses, (use) => use.day)
}

/** What is familiar after a day. */
export function absorbUses(before: Familiar, day: number, uses: readonly Use[], grace: Grace): Familiar {
  if (uses.length === 0) return before
  const tools = new Map(before.tools)
  const destinations = new Map(before.destinations)
  const actors = new Map(before.actors)
  const copied = new Set<unknown>()
  let { calls, toolPairs, destinationPairs } = before
  for (const use of uses) {
    calls += use.calls
    let firsts = 0
    if (use.tool !== '') firsts = adopt(tools, copied, toolKey(use.server, use.tool), use)
    toolPairs += firsts
    if (use.destination !== '') destinationPairs += adopt(destinations, copied, use.destination, use)
    const known = actors.get(use.actor)
    const settled = isSettled(before, use.actor, day, grace)
    actors.set(use.actor, {
      firstDay: known?.firstDay ?? day,
      calls: (known?.calls ?? 0) + use.calls,
      settledCalls: (known?.settledCalls ?? 0) + (settled ? use.calls : 0),
      settledFirsts: (known?.settledFirsts ?? 0) + (settled ? firsts : 0),
    })
  }
  return { firstDay: before.firstDay ?? day, calls, toolPairs, destinationPairs, tools, destinations, actors }
}

/** Adds a use; returns 1 when it is the actor’s first. Maps of adopters in `copied` are this day’s own. */
function adopt(
  known: Map<string, Known>,
  copied: Set<unknown>,
  key: string,
  { actor, calls, firstMs }: Use,
): 0 | 1 {
  const before = known.get(key)
  const first = before?.adopters.get(actor)
  let adopters = before?.adopters ?? new Map<string, number>()
  if (first === undefined || firstMs < first) {
    // Copied once a day: a first day has as many adopters as actors.
    const own = copied.has(adopters) ? (adopters as Map<string, number>) : new Map(adopters)
    copied.add(own)
    adopters = own.set(actor, firstMs)
  }
  known.set(key, { adopters, calls: (before?.calls ?? 0) + calls })
  return first === undefined ? 1 : 0
}
