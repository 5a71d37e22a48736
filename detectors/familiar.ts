import { type BaselineLimits, inWords, type Overflow } from './cardinality.ts'
import type { Crowd, Source } from './detector.ts'
import { eventsBetween, TEACHES } from './evidence.ts'
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
  /** What is not among them, because there is too much. */
  readonly overflow?: readonly Overflow[]
}

export interface Known {
  /** Actor → time of its first use, milliseconds. */
  readonly adopters: ReadonlyMap<string, number>
  readonly calls: number
}

export interface KnownActor {
  readonly firstDay: number
  readonly calls: number
  /** Calls and first uses of tools since the actor is settled. */
  readonly settledCalls: number
  readonly settledFirsts: number
  readonly activeDays: number
  readonly lastDay: number
  /** Of the actor’s tools and destinations, those that are known here. */
  readonly tools: number
  readonly destinations: number
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

/**
 * Whether a baseline that is full has room for no more of this actor’s tools or destinations, or of anybody’s: what is
 * new then may only be unknown to it. In words, for a finding.
 */
export function fullness(
  { overflow = [], actors }: Familiar,
  limits: BaselineLimits,
  actor: string,
  what: Overflow['what'],
): { readonly baseline_full?: string } {
  const known = actors.get(actor)
  const own = what === 'tools' ? known?.tools : known?.destinations
  const full = overflow.filter(
    (one) =>
      (one.what === 'actors' && known === undefined) ||
      (one.what === what && (one.limit !== 'per_actor' || (own ?? 0) >= limits.perActor)),
  )
  if (full.length === 0) return {}
  const words = full.map((one) => inWords(one, limits)).join('; ')
  return { baseline_full: `${words}: what is beyond that counts as new` }
}

/**
 * Uses of the days `fromDay` to `toDay` (exclusive) that teach, by day, in no order; of a crowded day, those of each actor that
 * came first.
 */
export async function readUses(
  source: Source,
  tenant: string,
  fromDay: number,
  toDay: number,
): Promise<Map<number, Use[]>> {
  const { crowd } = source
  const events = eventsBetween(tenant, startOfDay(fromDay), startOfDay(toDay), source.where)
  const grouped = `SELECT toUInt32(toDate(occurred_at)) AS day, actor, mcp_server_name AS server, gen_ai_tool_name AS tool, destination,
       count() AS calls, toUnixTimestamp64Milli(min(occurred_at)) AS firstMs
     FROM events WHERE ${events.sql} AND ${TEACHES} ${crowd?.actors === undefined ? '' : `AND (${crowd.actors.sql})`}
     GROUP BY day, actor, server, tool, destination`
  const params = { ...events.params, ...crowd?.actors?.params }
  // Sorting costs more than all the rest, and hardly any crowd has too much to read.
  const limit = crowd === undefined ? '' : `LIMIT ${MOST_UNSORTED + 1}`
  const uses = await source.query<Use>(`${grouped} ${limit}`, params)
  if (crowd === undefined || !isTooMuch(uses, crowd)) return Map.groupBy(uses, (use) => use.day)
  const first = await source.query<Use>(
    `${grouped} ORDER BY day, actor, firstMs, server, tool, destination LIMIT {rows:UInt32} BY day, actor`,
    { ...params, rows: crowd.rowsPerActor },
  )
  return Map.groupBy(first, (use) => use.day)
}

/** Uses of a crowded day that are read before it is asked again for those that came first. */
const MOST_UNSORTED = 500_000

/** Whether there is more than may be read at once, or more of one actor on one day than a crowd’s actor may have. */
function isTooMuch(uses: readonly Use[], { rowsPerActor }: Crowd): boolean {
  if (uses.length > MOST_UNSORTED) return true
  const counts = new Map<string, number>()
  for (const { day, actor } of uses) {
    const key = `${day} ${actor}`
    const count = (counts.get(key) ?? 0) + 1
    if (count > rowsPerActor) return true
    counts.set(key, count)
  }
  return false
}
