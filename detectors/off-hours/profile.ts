import { quantileSorted } from 'simple-statistics'
import { addOverflow, callsOf, DEFAULT_LIMITS, leaving, type Overflow } from '../cardinality.ts'
import { STEP, type Steps } from '../steps.ts'
import { weekdayOf } from '../utc-day.ts'
import { CLASS_CELLS, classCells, densityOf } from './density.ts'
import { distanceToUsed, HALF_HOURS, isRoundTheClock, learnDay, type Rhythm } from './rhythm.ts'

/** What is known of when actors work, as of the start of a day. */
export interface OffHoursProfile {
  readonly rhythms: ReadonlyMap<string, Rhythm>
  /** Mean density of all actors in their local time, by class cell. */
  readonly peers: Float64Array
  /** Sums over the measures of all closed nights: what is usual among all actors. */
  readonly usual: MeasureSums
  /** Sums of each actor’s own llr, for its standardisation. */
  readonly ownLlr: ReadonlyMap<string, Moments>
  /** Scores of the newest closed nights, in order of time. */
  readonly scores: readonly number[]
  /** The day that was absorbed last: its nights close when the next one is absorbed. */
  readonly open?: OpenNights
  /** Actors that are not among `rhythms`, because there are too many. */
  readonly overflow?: readonly Overflow[]
}

/** A day whose nights have not closed, with what was known at its start. */
export interface OpenNights {
  readonly day: number
  readonly profile: OffHoursProfile
  /** The half hours of its actors, ascending. */
  readonly halfHours: ReadonlyMap<string, readonly number[]>
}

export interface Moments {
  readonly n: number
  readonly sum: number
  readonly squares: number
}

export interface MeasureSums {
  readonly tMax: Moments
  readonly zLlr: Moments
  readonly distance: Moments
}

/** A half hour in which an actor made calls; half hours are counted from 1970-01-01. */
export interface HalfHour {
  readonly actor: string
  readonly halfHour: number
  readonly calls: number
}

/** How unusual a night is. A “night” is the actor’s local noon to noon. */
export interface Night {
  readonly tMax: number
  readonly llr: number
  readonly zLlr: number
  readonly distance: number
  /** A: the sum of the three, each standardised against all actors’ closed nights. */
  readonly score: number
  readonly offset: number
}

const NO_MOMENTS: Moments = { n: 0, sum: 0, squares: 0 }
const KEPT_SCORES = 5_000

export const emptyOffHoursProfile: OffHoursProfile = {
  rhythms: new Map(),
  peers: densityOf(new Float64Array(CLASS_CELLS)),
  usual: { tMax: NO_MOMENTS, zLlr: NO_MOMENTS, distance: NO_MOMENTS },
  ownLlr: new Map(),
  scores: [],
}

/**
 * First half hour of the night that belongs to `day`: a local noon. Nights are 48 half hours. Beyond UTC+12 the night
 * belongs to the UTC day in which it begins, so that every night lies in its day and the next one.
 */
export const nightStart = (day: number, offset: number): number =>
  day * HALF_HOURS + ((((HALF_HOURS / 2 - offset) % HALF_HOURS) + HALF_HOURS) % HALF_HOURS)

/** Which half hours lie in the actor’s night of `day`. */
export function inNight(rhythm: Rhythm, day: number): (halfHour: number) => boolean {
  const start = nightStart(day, rhythm.offset)
  return (halfHour) => halfHour >= start && halfHour < start + HALF_HOURS
}

/** Measures a night, by its half hours with calls, against what was known at the start of its day. */
export function measureNight(
  profile: OffHoursProfile,
  actor: string,
  rhythm: Rhythm,
  night: readonly number[],
): Night {
  const { offset } = rhythm
  const density = densityOf(classCells(rhythm), profile.peers)
  let tMax = 0
  let llrSum = 0
  let furthest = 0
  for (const halfHour of night) {
    const cell = classCellOf(halfHour, offset)
    const own = Math.log(density[cell] ?? Number.MIN_VALUE)
    tMax = Math.max(tMax, -own)
    llrSum += Math.log(profile.peers[cell] ?? Number.MIN_VALUE) - own
    furthest = Math.max(furthest, distanceToUsed(rhythm.used, utcHalfHour(halfHour)))
  }
  const llr = llrSum / Math.max(1, night.length)
  // A little of the unit normal keeps the first few nights from looking extreme.
  const zLlr = standardise(profile.ownLlr.get(actor) ?? NO_MOMENTS, llr, 5, 0.5)
  const distance = Math.log1p(furthest / 2) * Math.log1p(rhythm.activeDays)
  const { usual } = profile
  const score =
    standardise(usual.tMax, tMax, 1, 1) +
    standardise(usual.zLlr, zLlr, 1, 1) +
    standardise(usual.distance, distance, 1, 1)
  return { tMax, llr, zLlr, distance, score, offset }
}

export const utcHalfHour = (halfHour: number): number => ((halfHour % HALF_HOURS) + HALF_HOURS) % HALF_HOURS

/** Weekday (0 = Monday) and half hour of the day, in local time. */
export function localPlace(halfHour: number, offset: number): { weekday: number; halfHour: number } {
  const local = halfHour + offset
  return { weekday: weekdayOf(Math.floor(local / HALF_HOURS)), halfHour: utcHalfHour(local) }
}

function classCellOf(halfHour: number, offset: number): number {
  const place = localPlace(halfHour, offset)
  return (place.weekday < 5 ? 0 : HALF_HOURS) + place.halfHour
}

/** Whether nights of the actor are judged at all. */
export const isJudged = (rhythm: Rhythm | undefined, minActiveDays: number): rhythm is Rhythm =>
  rhythm !== undefined && rhythm.activeDays >= minActiveDays && !isRoundTheClock(rhythm)

/** The profile after a day: the nights that closed are measured, then the day is learned. */
export function* absorbHalfHours(
  before: OffHoursProfile,
  day: number,
  rows: readonly HalfHour[],
  minActiveDays: number,
  limits = DEFAULT_LIMITS,
): Steps<OffHoursProfile> {
  if (rows.length === 0) return before
  const closed = yield* measureClosed(before, rows, minActiveDays)
  const rhythms = new Map(before.rhythms)
  const halfHours = new Map<string, readonly number[]>()
  let worked = 0
  for (const [actor, ofActor] of Map.groupBy(rows, (row) => row.actor)) {
    worked += 1
    if (worked % STEP === 0) yield
    halfHours.set(
      actor,
      ofActor.map(({ halfHour }) => halfHour),
    )
    const ofDay = ofActor.map(({ halfHour }) => utcHalfHour(halfHour))
    rhythms.set(actor, learnDay(before.rhythms.get(actor), day, weekdayOf(day), ofDay))
  }
  const { names, beyond } = leaving(rhythms, day, limits.actors)
  for (const name of names) {
    rhythms.delete(name)
    closed.ownLlr.delete(name)
  }
  const overflow = addOverflow(before.overflow ?? [], day, {
    ...{ limit: 'actors', what: 'actors' },
    ...{ keys: beyond.size, calls: callsOf(rows, beyond) },
  })
  const { open: _, ...known } = before
  // Who left is not measured any more, whether the profile was stored since or not.
  const profile = names.size === 0 ? known : { ...known, rhythms: without(known.rhythms, names) }
  return {
    rhythms,
    peers: yield* peersOf(rhythms),
    ...closed,
    open: { day, profile, halfHours: names.size === 0 ? halfHours : without(halfHours, names) },
    ...(overflow.length === 0 ? {} : { overflow }),
  }
}

const without = <T>(known: ReadonlyMap<string, T>, names: ReadonlySet<string>): Map<string, T> =>
  new Map([...known].filter(([name]) => !names.has(name)))

function* measureClosed(
  before: OffHoursProfile,
  rows: readonly HalfHour[],
  minActiveDays: number,
): Steps<Pick<OffHoursProfile, 'usual' | 'scores'> & { readonly ownLlr: Map<string, Moments> }> {
  const { open } = before
  let { usual } = before
  const ownLlr = new Map(before.ownLlr)
  const scores = [...before.scores]
  if (open !== undefined) {
    const { profile, day } = open
    const byActor = new Map<string, number[]>()
    for (const [actor, ofOpen] of open.halfHours) byActor.set(actor, [...ofOpen])
    for (const { actor, halfHour } of rows) {
      const known = byActor.get(actor)
      if (known === undefined) byActor.set(actor, [halfHour])
      else known.push(halfHour)
    }
    let worked = 0
    for (const [actor, ofActor] of byActor) {
      worked += 1
      if (worked % STEP === 0) yield
      const rhythm = profile.rhythms.get(actor)
      if (!isJudged(rhythm, minActiveDays)) continue
      const night = ofActor.filter(inNight(rhythm, day))
      if (night.length === 0) continue
      const measured = measureNight(profile, actor, rhythm, night)
      usual = {
        tMax: plus(usual.tMax, measured.tMax),
        zLlr: plus(usual.zLlr, measured.zLlr),
        distance: plus(usual.distance, measured.distance),
      }
      ownLlr.set(actor, plus(ownLlr.get(actor) ?? NO_MOMENTS, measured.llr))
      scores.push(measured.score)
    }
  }
  return { usual, ownLlr, scores: scores.slice(-KEPT_SCORES) }
}

function* peersOf(rhythms: ReadonlyMap<string, Rhythm>): Steps<Float64Array> {
  const total = new Float64Array(CLASS_CELLS)
  let worked = 0
  for (const rhythm of rhythms.values()) {
    worked += 1
    if (worked % STEP === 0) yield
    const classes = classCells(rhythm)
    let sum = 0
    for (const count of classes) sum += count
    // Each actor counts the same, up to ten half hours’ worth, however busy it is.
    for (let cell = 0; cell < CLASS_CELLS; cell += 1) {
      total[cell] = (total[cell] ?? 0) + (10 * (classes[cell] ?? 0)) / Math.max(10, sum)
    }
  }
  return densityOf(total)
}

/** The share of nights that reach the score, continued exponentially beyond what was seen; −log10 of it. */
export function tailScore(sorted: readonly number[], score: number): number {
  const n = sorted.length
  const anchor = quantileSorted(sorted as number[], 0.95)
  if (score <= anchor) {
    const reached = sorted.filter((other) => other >= score).length
    return Math.log10((n + 1) / (reached + 1))
  }
  const beyond = sorted.filter((other) => other > anchor)
  const excess = beyond.reduce((sum, other) => sum + other - anchor, 0) / Math.max(1, beyond.length)
  return Math.log10((n + 1) / (beyond.length + 1)) + (score - anchor) / (Math.max(excess, 0.5) * Math.LN10)
}

const plus = ({ n, sum, squares }: Moments, value: number): Moments => ({
  n: n + 1,
  sum: sum + value,
  squares: squares + value * value,
})

/** z, with `weight` observations of mean 0 and variance `floor` mixed in. */
function standardise({ n, sum, squares }: Moments, value: number, weight: number, floor: number): number {
  const mean = sum / (n + weight)
  const variance = Math.max((squares - n * (n > 0 ? sum / n : 0) ** 2 + weight * floor) / (n + weight), 0.01)
  return (value - mean) / Math.sqrt(variance)
}
