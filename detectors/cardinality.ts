import { stableId } from '../core/hash.ts'

/**
 * Baselines are bounded: whoever invents names (of actors, tools, destinations) may not make them grow without end, nor
 * push out those that were there before. What is beyond a limit has one entry together, which says so.
 *
 * What stays follows from the events of the days that a baseline knows, in order of day, and never from when they
 * arrived: so findings stay a function of the stored events.
 */
export interface BaselineLimits {
  /** Actors that a baseline of a tenant knows one by one. */
  readonly actors: number
  /** Tools, and destinations, that it knows. */
  readonly values: number
  /** Tools, and destinations, that it knows of one actor. */
  readonly perActor: number
}

export const DEFAULT_LIMITS: BaselineLimits = { actors: 50_000, values: 20_000, perActor: 1_000 }

/** Pairs of actors and tools, and of actors and destinations: so many for each actor on average. */
const VALUES_AN_ACTOR = 20
export const mostPairs = ({ actors }: BaselineLimits): number => actors * VALUES_AN_ACTOR

/** Part of the name of a baseline: one with other limits is another one. */
export const limitsKey = ({ actors, values, perActor }: BaselineLimits): string =>
  `${actors}/${values}/${perActor}`

/** The setting that a limit comes from. */
export type LimitName = 'actors' | 'values' | 'per_actor'

/** What all that is beyond a limit has in place of entries of its own. */
export interface Overflow {
  readonly limit: LimitName
  readonly what: 'actors' | 'tools' | 'destinations' | 'arguments'
  /** At least so many on the day that had most. */
  readonly keys: number
  /** Calls of theirs, since `firstDay`. */
  readonly calls: number
  /** UTC days since 1970-01-01: the first and the last one with anything beyond the limit. */
  readonly firstDay: number
  readonly lastDay: number
}

/** An overflow that has not grown for so long is over: the next one begins anew. */
export const OVERFLOW_DAYS = 7

/** The overflow entries after a day on which so much was beyond a limit. */
export function addOverflow(
  before: readonly Overflow[],
  day: number,
  beyond: Pick<Overflow, 'limit' | 'what' | 'keys' | 'calls'>,
): readonly Overflow[] {
  if (beyond.keys === 0) return before
  const isSame = ({ limit, what }: Overflow) => limit === beyond.limit && what === beyond.what
  const known = before.find((one) => isSame(one) && day - one.lastDay <= OVERFLOW_DAYS)
  const grown: Overflow = {
    ...beyond,
    keys: Math.max(known?.keys ?? 0, beyond.keys),
    calls: (known?.calls ?? 0) + beyond.calls,
    firstDay: known?.firstDay ?? day,
    lastDay: day,
  }
  return [...before.filter((one) => !isSame(one)), grown]
}

/** What decides whether an actor stays in a baseline that is full. */
export interface Standing {
  readonly activeDays: number
  readonly lastDay: number
}

/** Silent for longer: makes room for others, and nobody need know. */
const DORMANT_DAYS = 90

export interface Leaving {
  /** Those that leave the baseline. */
  readonly names: ReadonlySet<string>
  /** Of them, those that are not dormant: beyond the limit. */
  readonly beyond: ReadonlySet<string>
}

const NOBODY: Leaving = { names: new Set(), beyond: new Set() }

/**
 * Who leaves a baseline with more than `limit` actors, or with more values than fit: those who were active on the fewest
 * days, then those who have been silent for longest. A name that was invented yesterday never outlasts a colleague.
 * @param valuesOf how many pairs of the actor count against `mostValues`
 */
export function leaving<T extends Standing>(
  actors: ReadonlyMap<string, T>,
  day: number,
  limit: number,
  mostValues = Number.POSITIVE_INFINITY,
  valuesOf: (actor: T) => number = () => 0,
): Leaving {
  let all = 0
  if (Number.isFinite(mostValues)) for (const actor of actors.values()) all += valuesOf(actor)
  if (actors.size <= limit && all <= mostValues) return NOBODY
  const ranked = [...actors]
    .map(([name, actor]) => ({ name, actor, dormant: day - actor.lastDay > DORMANT_DAYS }))
    .sort(
      (a, b) =>
        Number(a.dormant) - Number(b.dormant) ||
        b.actor.activeDays - a.actor.activeDays ||
        b.actor.lastDay - a.actor.lastDay ||
        // Not by name: whoever invents names would choose the first ones.
        (stableId(a.name) < stableId(b.name) ? -1 : 1),
    )
  const names = new Set<string>()
  const beyond = new Set<string>()
  let values = 0
  for (const [index, { name, actor, dormant }] of ranked.entries()) {
    values += valuesOf(actor)
    if (index < limit && values <= mostValues) continue
    names.add(name)
    if (!dormant) beyond.add(name)
  }
  return { names, beyond }
}

/** Sum of the calls of some actors’ rows. */
export const callsOf = (
  rows: readonly { readonly actor: string; readonly calls: number }[],
  actors: ReadonlySet<string>,
): number =>
  actors.size === 0 ? 0 : rows.reduce((sum, { actor, calls }) => (actors.has(actor) ? sum + calls : sum), 0)

/** `more than 50,000 actors since 2026-08-21`: for findings and for people. */
export function inWords({ limit, what, firstDay }: Overflow, limits: BaselineLimits): string {
  const most = limit === 'actors' ? limits.actors : limit === 'values' ? limits.values : limits.perActor
  const since = new Date(firstDay * 86_400_000).toISOString().slice(0, 10)
  return `more than ${most.toLocaleString('en-US')} ${what}${limit === 'per_actor' ? ' of one actor' : ''} since ${since}`
}

/** For a finding’s word about peers: how many actors are not among them, because the baseline is full. */
export const beyondLimit = (
  overflow: readonly Overflow[] | undefined,
): { readonly beyond_limit?: number } => {
  const keys = overflow?.find(({ what }) => what === 'actors')?.keys
  return keys === undefined ? {} : { beyond_limit: keys }
}
