import { severityRank } from '../core/alert.ts'
import type { WaitingDelivery } from '../core/delivery.ts'
import { SEVERITIES } from '../core/finding.ts'

/** What waits this long counts as one severity higher, up to the highest: so nothing waits for ever. Milliseconds. */
export const AGE_STEP_MS = 600_000

// Names are the senders’ to invent: the memory of turns has a bound.
const MAX_REMEMBERED = 20_000

type Place = Pick<WaitingDelivery, 'tenant' | 'source' | 'party'>

/** Who had a turn when. It is fairness, not truth: a start forgets it, and nothing is lost. */
export interface Turns {
  /** A delivery of this party goes out. */
  readonly took: (delivery: Place) => void
  /** Number of the newest turn of a group, 0 for none; and how many turns it had. */
  readonly of: (key: string) => Turn
  /** Number of the newest turn of all. */
  readonly newest: () => number
}

interface Turn {
  readonly last: number
  readonly count: number
}

const NEVER: Turn = { last: 0, count: 0 }

/** @param earlier turns that count too, unchanged */
export function createTurns(earlier?: Turns): Turns {
  const seen = new Map<string, Turn>()
  let now = earlier?.newest() ?? 0
  const of = (key: string): Turn => seen.get(key) ?? earlier?.of(key) ?? NEVER
  return {
    of,
    newest: () => now,
    took: (delivery) => {
      now += 1
      for (const key of keysOf(delivery)) {
        const { count } = of(key)
        seen.delete(key)
        seen.set(key, { last: now, count: count + 1 })
      }
      for (const key of seen.keys()) {
        if (seen.size <= MAX_REMEMBERED) break
        seen.delete(key)
      }
    },
  }
}

const tenantKey = ({ tenant }: Place): string => JSON.stringify([tenant])
const sourceKey = ({ tenant, source }: Place): string => JSON.stringify([tenant, source])
const partyKey = ({ tenant, source, party }: Place): string => JSON.stringify([tenant, source, party])
const keysOf = (place: Place): string[] => [tenantKey(place), sourceKey(place), partyKey(place)]

export interface PickOptions {
  /** At most this many. */
  readonly limit: number
  readonly nowMs: number
  /** Not changed. */
  readonly turns: Turns
}

/**
 * What goes out next, in order, of what waits for one receiver. Pure.
 * - The highest severity first; what waits gains a severity each `AGE_STEP_MS`.
 * - Within a severity tenants take turns, in a tenant its sources, in a source its parties: whoever had no turn for longest.
 *   So neither an entity nor a sender that makes up entities holds up another.
 * - Within a party the highest score first and, every other time, what waits longest.
 */
export function pickByWeight(
  waiting: readonly WaitingDelivery[],
  { limit, nowMs, turns }: PickOptions,
): WaitingDelivery[] {
  const picked: WaitingDelivery[] = []
  const ahead = createTurns(turns)
  const levels = Map.groupBy(waiting, (delivery) => levelOf(delivery, nowMs))
  for (const [, ofLevel] of [...levels].sort(([a], [b]) => b - a)) {
    // Heaviest first, so that of equals the one with the heavier delivery has the first turn.
    const tenants = groupsOf(ofLevel.toSorted(byWeight), [tenantKey, sourceKey, partyKey])
    for (let left = ofLevel.length; left > 0 && picked.length < limit; left -= 1) {
      const next = takeNext(tenants, ahead)
      if (next === undefined) break
      picked.push(next)
      ahead.took(next)
    }
  }
  return picked
}

/** By the first key, in each group by the second, and so on; the last groups hold deliveries. */
type Groups = Map<string, Groups | WaitingDelivery[]>

function groupsOf(
  deliveries: readonly WaitingDelivery[],
  [keyOf, ...more]: readonly ((place: Place) => string)[],
): Groups {
  if (keyOf === undefined) return new Map()
  return new Map(
    [...Map.groupBy(deliveries, keyOf)].map(([key, group]) => [
      key,
      more.length === 0 ? group : groupsOf(group, more),
    ]),
  )
}

/** Takes the delivery whose turn it is out of the groups; a group that is empty after that goes too. */
function takeNext(groups: Groups, turns: Turns): WaitingDelivery | undefined {
  let next: string | undefined
  let earliest = Number.POSITIVE_INFINITY
  for (const key of groups.keys()) {
    const { last } = turns.of(key)
    if (last >= earliest) continue
    earliest = last
    next = key
  }
  const group = next === undefined ? undefined : groups.get(next)
  if (next === undefined || group === undefined) return undefined
  const taken = Array.isArray(group) ? takeOf(group, turns.of(next).count % 2 === 0) : takeNext(group, turns)
  if ((Array.isArray(group) ? group.length : group.size) === 0) groups.delete(next)
  return taken
}

function takeOf(party: WaitingDelivery[], heaviest: boolean): WaitingDelivery | undefined {
  if (heaviest) return party.shift()
  const oldest = party.reduce(
    (found, delivery, index) => (byAge(delivery, party[found] ?? delivery) < 0 ? index : found),
    0,
  )
  return party.splice(oldest, 1)[0]
}

/** 0 for `info` to 4 for `critical`, with what waiting adds. */
function levelOf({ severity, created_at }: WaitingDelivery, nowMs: number): number {
  const waitedMs = Math.max(0, nowMs - Date.parse(created_at))
  return Math.min(SEVERITIES.length - 1, severityRank(severity) + Math.floor(waitedMs / AGE_STEP_MS))
}

const byWeight = (a: WaitingDelivery, b: WaitingDelivery): number =>
  severityRank(b.severity) - severityRank(a.severity) || b.score - a.score || byAge(a, b)

const byAge = (a: WaitingDelivery, b: WaitingDelivery): number =>
  compare(a.created_at, b.created_at) || a.sequence - b.sequence || compare(a.delivery_id, b.delivery_id)

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
