import type { Sighting } from './sighting.ts'
import { GAP_MS, LONGEST_MS, SPREAD_MS, STRETCH_MS } from './standards.ts'

/** A sighting with what is left of its evidence. */
export interface Weighed extends Sighting {
  /** 1, or less where others got the same value shortly before. */
  readonly weight: number
}

export const byStart = (a: Sighting, b: Sighting): number =>
  a.startMs - b.startMs || (a.finding.finding_id < b.finding.finding_id ? -1 : 1)

/**
 * What many get within days is a change of the organisation (a roll-out, a new version, an outage): each further party that gets it
 * weighs less. Only those before it count, so what comes later takes nothing back.
 * @param sightings of one tenant, by start
 */
export function weighed(sightings: readonly Sighting[]): Weighed[] {
  const seen = new Map<string, Map<string, number>>()
  return sightings.map((sighting) => {
    if (sighting.value === '') return { ...sighting, weight: 1 }
    const parties = seen.get(sighting.value) ?? new Map<string, number>()
    seen.set(sighting.value, parties)
    let others = 0
    for (const [party, ms] of parties) {
      if (party !== sighting.party && sighting.startMs - ms <= SPREAD_MS) others += 1
    }
    parties.set(sighting.party, sighting.startMs)
    return { ...sighting, weight: 1 / (1 + others) }
  })
}

/** Stretches that begin within this are taken for one: an incident of a day has at most 288. */
const STRETCH_STEP_MS = 300_000

/**
 * The parts of an incident that lie within `STRETCH_MS`: odd things in one stretch corroborate one another, those spread over a day of
 * much work only coincide. What takes longer than two stretches (a count of a day) belongs to each that it touches.
 * @param some by start
 */
export function* stretchesOf(some: readonly Weighed[]): Generator<readonly Weighed[]> {
  let last = Number.NEGATIVE_INFINITY
  for (const { startMs: fromMs } of some) {
    if (fromMs - last < STRETCH_STEP_MS) continue
    last = fromMs
    yield some.filter(
      ({ startMs, evidentMs }) =>
        startMs <= fromMs + STRETCH_MS &&
        (startMs >= fromMs || (evidentMs >= fromMs && evidentMs - startMs > 2 * STRETCH_MS)),
    )
  }
}

/**
 * Evidence of one rule: what its findings scored, in the stretch with most. Different values add up (three new tools are more than one);
 * of findings about the same value, or about none (hours of one stretch of work), the highest counts.
 */
export function evidenceOf(some: readonly Weighed[]): number {
  const sorted = some.toSorted(byStart)
  return stretchesOf(sorted).reduce((most, stretch) => Math.max(most, sumOf(stretch)), 0)
}

function sumOf(some: readonly Weighed[]): number {
  const highest = new Map<string, number>()
  for (const { finding, value, weight } of some)
    highest.set(value, Math.max(highest.get(value) ?? 0, finding.score * weight))
  return highest.values().reduce((sum, score) => sum + score, 0)
}

/** What is left of it, 0 to 1. */
export function weightOf(some: readonly Weighed[]): number {
  const all = evidenceOf(some.map((one) => ({ ...one, weight: 1 })))
  return all === 0 ? 1 : evidenceOf(some) / all
}

/**
 * What belongs together: sightings of one party, each beginning at most `GAP_MS` after those before it ended, a day at most.
 * @param sightings of one tenant, by start
 */
export function incidentsOf(sightings: readonly Weighed[]): Weighed[][] {
  const incidents: Weighed[][] = []
  for (const ofParty of Map.groupBy(sightings, ({ party }) => party).values()) {
    let [fromMs, untilMs] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
    let current: Weighed[] = []
    for (const sighting of ofParty) {
      if (sighting.startMs - untilMs > GAP_MS || sighting.startMs - fromMs > LONGEST_MS) {
        current = []
        incidents.push(current)
        fromMs = sighting.startMs
        untilMs = sighting.startMs
      }
      current.push(sighting)
      untilMs = Math.max(untilMs, sighting.evidentMs)
    }
  }
  return incidents
}
