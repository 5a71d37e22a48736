import type { Severity } from '../../core/finding.ts'
import { type BaselineLimits, beyondLimit } from '../cardinality.ts'
import type { Detector, Draft, Question, Unit } from '../detector.ts'
import { type Recalibration, recalibration } from '../statistics/tail-calibration.ts'
import { STEP, type Steps } from '../steps.ts'
import { DAY_MS, isoDay, startOfDay } from '../utc-day.ts'
import { volumeCodec } from './codec.ts'
import { type Counted, readCounts, readHours } from './hours.ts'
import { type Counting, MEASURES, NOUNS, observedInWords, WINDOWS, windowMs, windowsADay } from './measure.ts'
import {
  absorbHours,
  type Expectation,
  emptyVolumeProfile,
  expectationOf,
  type HourCount,
  nominalScore,
  type VolumeProfile,
} from './profile.ts'

interface VolumeParams extends Counting {
  readonly limits: BaselineLimits
  /** Finding at this score (−log10 p) with at least `minCalls`, or at `scoreAlone` with any number. */
  readonly score: number
  readonly minCalls: number
  readonly scoreAlone: number
  /** Days with calls before an actor is judged; 0: it may be new, and is held against its peers. */
  readonly minActiveDays: number
  /** What is counted, in words; a rule with a `where` says it here. */
  readonly noun: string
}

/** No finding in the first day after so long a silence: that is another question (dormant actors). */
const SILENCE_DAYS = 30

/** More calls in an hour than the actor’s own history and the peers’ make believable. */
export const volume: Detector = {
  kind: 'volume',
  asks: 'did this actor make more calls in this hour or day than its past and its peers make believable?',
  prepare: (fields, limits) => {
    const measure = fields.oneOf('measure', MEASURES, 'calls')
    return questionOf({
      limits,
      score: fields.number('score', { min: 0.5, max: 50 }, 3),
      minCalls: fields.number('min_calls', { min: 1, max: 1_000_000 }, 10),
      scoreAlone: fields.number('score_alone', { min: 1, max: 50 }, 5),
      minActiveDays: fields.number('min_active_days', { min: 0, max: 60 }, 3),
      measure,
      window: fields.oneOf('window', WINDOWS, '1h'),
      noun: fields.text('noun', NOUNS[measure]),
    })
  },
}

function questionOf(params: VolumeParams): Question<VolumeProfile, HourCount, Counted, Counting> {
  return {
    keyOf: ({ dimension, key }) => (dimension === 'actor' ? key : undefined),
    daysOf: (bucketMs) => [Math.floor(bucketMs / DAY_MS)],
    profileKey: profileKeyOf(params),
    emptyProfile: () => emptyVolumeProfile,
    history: async (source, tenant, fromDay, toDay) =>
      byDay(params, await readHours(source, tenant, fromDay, toDay, { taught: true }, params)),
    limits: params.limits,
    overflow: (profile) => profile.overflow ?? [],
    absorb: (profile, day, rows) => absorbHours(profile, day, rows, params.limits, windowsADay(params)),
    codec: volumeCodec,
    wanted: { measure: params.measure, window: params.window },
    candidates: readCounts,
    judge: (profile, unit, counted) => {
      const isOwn = ({ counting }: Counted) =>
        counting.measure === params.measure && counting.window === params.window
      return judgeHours(params, profile, unit, counted.filter(isOwn))
    },
  }
}

/** Calls an hour keep the key that they had before there was anything else to count. */
const profileKeyOf = ({ measure, window }: Counting): string =>
  measure === 'calls' && window === '1h' ? 'hours' : `counts/${measure}/${window}`

const byDay = (counting: Counting, hours: readonly HourCount[]) =>
  Map.groupBy(hours, ({ hour }) => Math.floor(hour / windowsADay(counting)))

function* judgeHours(
  params: VolumeParams,
  profile: VolumeProfile,
  { day }: Unit,
  hours: readonly HourCount[],
): Steps<Draft[]> {
  // Of whom nobody is known, nobody is judged.
  if (profile.lastDay === undefined) return []
  const recalibrate = recalibration(profile.calibration)
  const drafts: Draft[] = []
  let worked = 0
  for (const [actor, ofActor] of Map.groupBy(hours, (row) => row.actor)) {
    worked += 1
    if (worked % STEP === 0) yield
    const known = profile.actors.get(actor)
    if ((known?.activeDays ?? 0) < params.minActiveDays) continue
    if (params.minActiveDays > 0 && day - (known?.lastDay ?? day) > SILENCE_DAYS) continue
    const expectation = expectationOf(profile, actor, day, windowsADay(params))
    for (const row of ofActor) {
      const score = recalibrate(nominalScore(expectation, row.calls))
      const high = (score >= params.score && row.calls >= params.minCalls) || score >= params.scoreAlone
      if (high) drafts.push(draftOf(params, profile, day, row, expectation, score, recalibrate))
    }
  }
  return drafts
}

function draftOf(
  params: VolumeParams,
  profile: VolumeProfile,
  day: number,
  { actor, hour, calls }: HourCount,
  expectation: Expectation,
  score: number,
  recalibrate: Recalibration,
): Draft {
  const startMs = hour * windowMs(params)
  const endMs = startMs + windowMs(params)
  const perWindow = params.window === '1h' ? 'an hour' : 'a day'
  const known = profile.actors.get(actor)
  const most = mostExpected(expectation, recalibrate, params.score)
  const days = day - (known?.firstDay ?? day)
  return {
    key: actor,
    signature: 'spike',
    severity: severityOf(score, calls, most),
    score,
    entity: { type: 'actor', id: actor },
    actor,
    window: { startMs, endMs },
    title: `${observedInWords(params, actor, calls, startMs)}; ${known === undefined ? 'its peers’ history' : `the ${days}-day history`} expects at most ${most} in ${perWindow}.`,
    explanation: {
      observed:
        params.measure === 'calls' && params.window === '1h'
          ? { calls, hour: new Date(startMs).toISOString() }
          : { [params.measure]: calls, from: new Date(startMs).toISOString(), window: params.window },
      expected: {
        at_most: most,
        mean_when_active: round(1 + expectation.mean),
        share_of_hours_active: round(expectation.activity),
        dispersion: round(expectation.dispersion),
      },
      history: {
        days,
        active_days: known?.activeDays ?? 0,
        since: isoDay(startOfDay(known?.firstDay ?? day) / DAY_MS),
      },
      peers: {
        actors: profile.actors.size,
        ...beyondLimit(profile.overflow),
        mean_when_active: round(1 + profile.peers.sumY / Math.max(1, profile.peers.active)),
      },
      probability: inWords(score, profile.calibration.tested, params.window === '1h' ? 'hour' : 'day'),
      windows_behind_probability: Math.round(profile.calibration.tested),
      silenced_by: `fewer than ${Math.max(params.minCalls, most + 1)} ${params.noun} in this ${params.window === '1h' ? 'hour' : 'day'}`,
    },
    evidence: { startMs, endMs, actors: [actor] },
  }
}

// A rarity that the windows seen so far cannot show is not claimed.
function inWords(score: number, windows: number, unit: 'hour' | 'day'): string {
  const oneIn = 10 ** score
  const seen = Math.round(windows)
  return oneIn > seen
    ? `rarer than anything in ${seen.toLocaleString('en-US')} ${unit}s`
    : `one ${unit} in ${Math.round(oneIn).toLocaleString('en-US')}`
}

/** The largest number of calls that does not reach the score. */
function mostExpected(expectation: Expectation, recalibrate: Recalibration, bar: number): number {
  let low = 0
  let high = 1
  while (recalibrate(nominalScore(expectation, high)) < bar && high < 1e9) high *= 2
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (recalibrate(nominalScore(expectation, middle)) < bar) low = middle
    else high = middle
  }
  return low
}

function severityOf(score: number, calls: number, most: number): Severity {
  const times = calls / Math.max(1, most)
  if (score >= 8 && times >= 5) return 'high'
  if (score >= 5 && times >= 2) return 'medium'
  return 'low'
}

const round = (value: number): number => Math.round(value * 1000) / 1000
