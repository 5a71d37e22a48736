import { addOverflow, callsOf, DEFAULT_LIMITS, leaving, type Overflow } from '../cardinality.ts'
import { lnTailAtLeast } from '../statistics/negative-binomial.ts'
import {
  addDay,
  addQuietDays,
  emptyCalibration,
  type TailCalibration,
} from '../statistics/tail-calibration.ts'
import { STEP, type Steps } from '../steps.ts'

/**
 * What is known of how many calls an actor makes in an hour, as of the start of a day. Hurdle model: an hour is
 * active with probability π; an active hour has 1 + Y calls, Y negative binomial. Sums fade with a half-life of
 * 60 days and are pooled with those of all actors (peers).
 */
export interface VolumeProfile {
  readonly actors: ReadonlyMap<string, ActorHours>
  readonly peers: HourSums
  readonly calibration: TailCalibration
  /** The day that was absorbed last. */
  readonly lastDay?: number
  /** Actors that are not among `actors`, because there are too many. */
  readonly overflow?: readonly Overflow[]
}

/** Faded sums over an actor’s hours; y = calls − 1 of an active hour. */
export interface HourSums {
  readonly lived: number
  readonly active: number
  readonly sumY: number
  readonly sumYY: number
}

export interface ActorHours extends HourSums {
  readonly firstDay: number
  readonly lastDay: number
  readonly activeDays: number
  /** Day that the sums are faded to. */
  readonly fadedTo: number
}

/** What is counted of an actor (calls, tools, …) in one window: an hour or a day, counted from 1970-01-01. */
export interface HourCount {
  readonly actor: string
  readonly hour: number
  readonly calls: number
}

/** An actor’s expectation: parameters of the hurdle model. */
export interface Expectation {
  /** Probability that an hour is active. */
  readonly activity: number
  /** Mean and dispersion of calls − 1 in an active hour. */
  readonly mean: number
  readonly dispersion: number
}

/** Windows that a day has, where they are hours. */
export const HOURS_A_DAY = 24
const FADE_PER_DAY = 2 ** (-1 / 60)
/** Hours that score higher are learned as if they had scored just this. */
const CAP_SCORE = 5
const NOTHING: HourSums = { lived: 0, active: 0, sumY: 0, sumYY: 0 }

export const emptyVolumeProfile: VolumeProfile = {
  actors: new Map(),
  peers: NOTHING,
  calibration: emptyCalibration,
}

/** Weights of the peers: 20 active hours for the mean, 10 for the dispersion, two days for the activity. */
export function expectationOf(
  profile: VolumeProfile,
  actor: string,
  day: number,
  windowsADay = HOURS_A_DAY,
): Expectation {
  const { peers } = profile
  const own = fade(profile.actors.get(actor), day, windowsADay)
  const peerMean = peers.active > 0 ? peers.sumY / peers.active : 1
  // The sums are as of the day after the last one with calls; since then the peers lived in silence.
  const silentDays = profile.lastDay === undefined ? 0 : Math.max(0, day - profile.lastDay - 1)
  const peersLived = peers.lived + silentDays * windowsADay * profile.actors.size
  const peerActivity = peersLived > 0 ? peers.active / peersLived : 0.1
  const peerDispersion = Math.max(0.2, dispersionOf(peers, peerMean, 1, 1))
  const mean = Math.max(1e-6, (own.sumY + 20 * peerMean) / (own.active + 20))
  return {
    mean,
    dispersion: Math.max(
      0.1,
      dispersionOf(own, mean, 10 * peerDispersion * peerMean ** 2, 10 * peerMean ** 2),
    ),
    activity: Math.min(1, (own.active + 2 * windowsADay * peerActivity) / (own.lived + 2 * windowsADay)),
  }
}

/** −log10 P(an hour has at least so many calls), before recalibration. */
export function nominalScore({ activity, mean, dispersion }: Expectation, calls: number): number {
  if (calls < 1) return 0
  const ln = Math.log(activity) + lnTailAtLeast(calls - 1, mean, dispersion)
  return Math.max(0, -ln / Math.LN10)
}

/**
 * The profile after a day: its hours are scored against the profile before (for the calibration), then learned. The days
 * since the last one were lived without a call of anybody.
 */
export function* absorbHours(
  before: VolumeProfile,
  day: number,
  rows: readonly HourCount[],
  limits = DEFAULT_LIMITS,
  windowsADay = HOURS_A_DAY,
): Steps<VolumeProfile> {
  if (rows.length === 0) return before
  const actors = new Map(before.actors)
  const scores: number[] = []
  let testedActors = 0
  for (const { activeDays } of before.actors.values()) if (activeDays >= 3) testedActors += 1
  const silentHours = testedActors * windowsADay
  const quietDays = before.lastDay === undefined ? 0 : day - before.lastDay - 1
  const calibration = addQuietDays(before.calibration, quietDays, silentHours)
  let worked = 0
  for (const [actor, hours] of Map.groupBy(rows, (row) => row.actor)) {
    worked += 1
    if (worked % STEP === 0) yield
    const known = before.actors.get(actor)
    let learned = hours
    if (known !== undefined && known.activeDays >= 3) {
      const expectation = expectationOf(before, actor, day, windowsADay)
      learned = hours.map((row) => {
        const score = nominalScore(expectation, row.calls)
        scores.push(score)
        return score < CAP_SCORE ? row : { ...row, calls: capOf(expectation) }
      })
    }
    actors.set(actor, learn(known, day, learned, windowsADay))
  }
  const { names, beyond } = leaving(actors, day, limits.actors)
  for (const name of names) actors.delete(name)
  const overflow = addOverflow(before.overflow ?? [], day, {
    ...{ limit: 'actors', what: 'actors' },
    ...{ keys: beyond.size, calls: callsOf(rows, beyond) },
  })
  yield
  let peers = NOTHING
  for (const own of actors.values()) peers = plus(peers, fade(own, day + 1, windowsADay))
  return {
    actors,
    peers,
    calibration: addDay(calibration, scores, silentHours - scores.length),
    lastDay: day,
    ...(overflow.length === 0 ? {} : { overflow }),
  }
}

/** The most calls in an hour that score below the cap: a spike must not teach that spikes are usual. */
function capOf(expectation: Expectation): number {
  let low = 1
  let high = 2
  while (nominalScore(expectation, high) < CAP_SCORE) high *= 2
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (nominalScore(expectation, middle) < CAP_SCORE) low = middle
    else high = middle
  }
  return low
}

function learn(
  known: ActorHours | undefined,
  day: number,
  hours: readonly HourCount[],
  windowsADay: number,
): ActorHours {
  const own = fade(known, day, windowsADay)
  let { active, sumY, sumYY } = own
  for (const { calls } of hours) {
    active += 1
    sumY += calls - 1
    sumYY += (calls - 1) ** 2
  }
  return {
    lived: own.lived,
    active,
    sumY,
    sumYY,
    firstDay: known?.firstDay ?? day,
    lastDay: day,
    activeDays: (known?.activeDays ?? 0) + 1,
    fadedTo: day,
  }
}

/** The sums as of the start of `day`. Days in between were lived without a call. */
function fade(own: ActorHours | undefined, day: number, windowsADay: number): HourSums {
  if (own === undefined) return NOTHING
  const days = day - own.fadedTo
  const factor = FADE_PER_DAY ** days
  // Each day lived adds its windows, which fade from its own end on.
  const lived = own.lived * factor + (windowsADay * FADE_PER_DAY * (1 - factor)) / (1 - FADE_PER_DAY)
  return { lived, active: own.active * factor, sumY: own.sumY * factor, sumYY: own.sumYY * factor }
}

/** Moment estimate of the dispersion, with the prior’s numerator and denominator: Σ((y − m)² − m) / Σ m². */
function dispersionOf(sums: HourSums, mean: number, priorTop: number, priorBottom: number): number {
  const excess = sums.sumYY - 2 * mean * sums.sumY + sums.active * mean * (mean - 1)
  const bottom = sums.active * mean ** 2 + priorBottom
  // Nobody ever had more than one call in a window: the least dispersion holds.
  return bottom > 0 ? (excess + priorTop) / bottom : 0
}

const plus = (a: HourSums, b: HourSums): HourSums => ({
  lived: a.lived + b.lived,
  active: a.active + b.active,
  sumY: a.sumY + b.sumY,
  sumYY: a.sumYY + b.sumYY,
})
