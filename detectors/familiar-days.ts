import {
  addOverflow,
  type BaselineLimits,
  callsOf,
  DEFAULT_LIMITS,
  leaving,
  mostPairs,
} from './cardinality.ts'
import {
  type Familiar,
  type Grace,
  isSettled,
  type Known,
  type KnownActor,
  toolKey,
  type Use,
} from './familiar.ts'
import { STEP, type Steps } from './steps.ts'

/** What is familiar after a day. */
export function* absorbUses(
  before: Familiar,
  day: number,
  uses: readonly Use[],
  grace: Grace,
  limits = DEFAULT_LIMITS,
): Steps<Familiar> {
  if (uses.length === 0) return before
  const learned = yield* learnUses(before, day, uses, grace, limits)
  return withinLimits(learned, day, uses, limits)
}

function* learnUses(
  before: Familiar,
  day: number,
  uses: readonly Use[],
  grace: Grace,
  limits: BaselineLimits,
): Steps<Familiar> {
  const tools = new Map(before.tools)
  const destinations = new Map(before.destinations)
  const actors = new Map(before.actors)
  const copied = new Set<unknown>()
  const beyond = { tools: NOTHING_BEYOND, destinations: NOTHING_BEYOND }
  let { calls, toolPairs, destinationPairs } = before
  let worked = 0
  for (const use of inOrder(before, uses, limits)) {
    worked += 1
    if (worked % STEP === 0) yield
    calls += use.calls
    const known = actors.get(use.actor)
    const settled = isSettled(before, use.actor, day, grace)
    let [ofTools, ofDestinations] = [known?.tools ?? 0, known?.destinations ?? 0]
    let firsts = 0
    if (use.tool !== '') {
      const adopted = adopt(tools, copied, toolKey(use.server, use.tool), use, ofTools < limits.perActor)
      if (adopted === 'beyond') beyond.tools = plusOne(beyond.tools, use)
      if (adopted !== 'known') firsts = 1
      if (adopted === 'new') ofTools += 1
    }
    toolPairs += ofTools - (known?.tools ?? 0)
    if (use.destination !== '') {
      const hasRoom = ofDestinations < limits.perActor
      const adopted = adopt(destinations, copied, use.destination, use, hasRoom)
      if (adopted === 'beyond') beyond.destinations = plusOne(beyond.destinations, use)
      if (adopted === 'new') ofDestinations += 1
    }
    destinationPairs += ofDestinations - (known?.destinations ?? 0)
    actors.set(use.actor, {
      firstDay: known?.firstDay ?? day,
      calls: (known?.calls ?? 0) + use.calls,
      settledCalls: (known?.settledCalls ?? 0) + (settled ? use.calls : 0),
      settledFirsts: (known?.settledFirsts ?? 0) + (settled ? firsts : 0),
      activeDays: (known?.activeDays ?? 0) + (known?.lastDay === day ? 0 : 1),
      lastDay: day,
      tools: ofTools,
      destinations: ofDestinations,
    })
  }
  let { overflow = [] } = before
  for (const what of ['tools', 'destinations'] as const)
    overflow = addOverflow(overflow, day, { limit: 'per_actor', what, ...beyond[what] })
  return {
    ...{ firstDay: before.firstDay ?? day, calls, toolPairs, destinationPairs, tools, destinations, actors },
    ...(overflow.length === 0 ? {} : { overflow }),
  }
}

const NOTHING_BEYOND = { keys: 0, calls: 0 }
const plusOne = ({ keys, calls }: typeof NOTHING_BEYOND, use: Use) => ({
  keys: keys + 1,
  calls: calls + use.calls,
})

/** The uses; those of an actor whose limit may be reached in the order in which they happened first. */
function inOrder({ actors }: Familiar, uses: readonly Use[], { perActor }: BaselineLimits): readonly Use[] {
  const rows = new Map<string, number>()
  for (const { actor } of uses) rows.set(actor, (rows.get(actor) ?? 0) + 1)
  const isNear = (actor: string) => {
    const known = actors.get(actor)
    return Math.max(known?.tools ?? 0, known?.destinations ?? 0) + (rows.get(actor) ?? 0) > perActor
  }
  const near = uses.filter(({ actor }) => isNear(actor))
  if (near.length === 0) return uses
  return [...uses.filter(({ actor }) => !isNear(actor)), ...near.toSorted(byFirstUse)]
}

const nameOf = ({ server, tool, destination }: Use): string => JSON.stringify([server, tool, destination])
const byFirstUse = (a: Use, b: Use): number => a.firstMs - b.firstMs || (nameOf(a) < nameOf(b) ? -1 : 1)

/** Takes out what is too much: first the tools and destinations that fewest use, then the actors that are seen least. */
function withinLimits(
  familiar: Familiar,
  day: number,
  uses: readonly Use[],
  limits: BaselineLimits,
): Familiar {
  const tools = mostUsed(familiar.tools, limits.values)
  const destinations = mostUsed(familiar.destinations, limits.values)
  let overflow = familiar.overflow ?? []
  for (const [what, { keys, calls }] of [
    ['tools', tools],
    ['destinations', destinations],
  ] as const)
    overflow = addOverflow(overflow, day, { limit: 'values', what, keys, calls })
  const actors =
    keys(tools, destinations) === 0 ? familiar.actors : recount(familiar.actors, tools, destinations)
  const pairs = (actor: KnownActor) => actor.tools + actor.destinations
  const { names, beyond } = leaving(actors, day, limits.actors, mostPairs(limits), pairs)
  overflow = addOverflow(overflow, day, {
    ...{ limit: 'actors', what: 'actors' },
    ...{ keys: beyond.size, calls: callsOf(uses, beyond) },
  })
  if (names.size === 0 && actors === familiar.actors) return familiar
  const left = [withoutAdopters(tools.kept, names), withoutAdopters(destinations.kept, names)] as const
  return {
    ...familiar,
    tools: left[0],
    destinations: left[1],
    actors: new Map([...actors].filter(([name]) => !names.has(name))),
    toolPairs: pairsOf(left[0]),
    destinationPairs: pairsOf(left[1]),
    ...(overflow.length === 0 ? {} : { overflow }),
  }
}

interface MostUsed {
  readonly kept: ReadonlyMap<string, Known>
  readonly gone: readonly Known[]
  readonly keys: number
  readonly calls: number
}

const keys = (...all: readonly MostUsed[]): number => all.reduce((sum, { gone }) => sum + gone.length, 0)

/** Those that most actors use; among equals the ones that were known first. */
function mostUsed(known: ReadonlyMap<string, Known>, limit: number): MostUsed {
  if (known.size <= limit) return { kept: known, gone: [], keys: 0, calls: 0 }
  const ranked = [...known]
    .map(([key, of]) => ({ key, of, firstMs: Math.min(...of.adopters.values()) }))
    .sort(
      (a, b) => b.of.adopters.size - a.of.adopters.size || a.firstMs - b.firstMs || (a.key < b.key ? -1 : 1),
    )
  const stay = new Set(ranked.slice(0, limit).map(({ key }) => key))
  const gone = ranked.slice(limit).map(({ of }) => of)
  return {
    // In their order: it is part of what is stored.
    kept: new Map([...known].filter(([key]) => stay.has(key))),
    gone,
    keys: gone.length,
    calls: gone.reduce((sum, { calls }) => sum + calls, 0),
  }
}

/** The actors without the values that are gone. */
function recount(
  actors: ReadonlyMap<string, KnownActor>,
  tools: MostUsed,
  destinations: MostUsed,
): ReadonlyMap<string, KnownActor> {
  const counted = new Map(actors)
  for (const [what, { gone }] of [
    ['tools', tools],
    ['destinations', destinations],
  ] as const) {
    for (const { adopters } of gone) {
      for (const name of adopters.keys()) {
        const actor = counted.get(name)
        if (actor !== undefined) counted.set(name, { ...actor, [what]: actor[what] - 1 })
      }
    }
  }
  return counted
}

function withoutAdopters(known: ReadonlyMap<string, Known>, names: ReadonlySet<string>): Map<string, Known> {
  const left = new Map<string, Known>()
  for (const [key, of] of known) {
    const isTouched = names.size > 0 && of.adopters.keys().some((name) => names.has(name))
    const adopters = isTouched ? new Map([...of.adopters].filter(([name]) => !names.has(name))) : of.adopters
    if (adopters.size > 0) left.set(key, { ...of, adopters })
  }
  return left
}

const pairsOf = (known: ReadonlyMap<string, Known>): number =>
  known.values().reduce((sum, { adopters }) => sum + adopters.size, 0)

/** Adds a use. Maps of adopters in `copied` are this day’s own. */
function adopt(
  known: Map<string, Known>,
  copied: Set<unknown>,
  key: string,
  { actor, calls, firstMs }: Use,
  hasRoom: boolean,
): 'known' | 'new' | 'beyond' {
  const before = known.get(key)
  const first = before?.adopters.get(actor)
  if (first === undefined && !hasRoom) {
    if (before !== undefined) known.set(key, { ...before, calls: before.calls + calls })
    return 'beyond'
  }
  let adopters = before?.adopters ?? new Map<string, number>()
  if (first === undefined || firstMs < first) {
    // Copied once a day: a first day has as many adopters as actors.
    const own = copied.has(adopters) ? (adopters as Map<string, number>) : new Map(adopters)
    copied.add(own)
    adopters = own.set(actor, firstMs)
  }
  known.set(key, { adopters, calls: (before?.calls ?? 0) + calls })
  return first === undefined ? 'new' : 'known'
}
