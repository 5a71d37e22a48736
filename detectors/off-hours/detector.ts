import type { Severity } from '../../core/finding.ts'
import { type BaselineLimits, beyondLimit } from '../cardinality.ts'
import type { Detector, Draft, Question, Unit } from '../detector.ts'
import { inline } from '../sentence.ts'
import { STEP, type Steps } from '../steps.ts'
import { DAY_MS, HALF_HOUR_MS, isoDay } from '../utc-day.ts'
import { offHoursCodec } from './codec.ts'
import { type NightHalfHour, readHalfHours, readNights } from './half-hours.ts'
import {
  absorbHalfHours,
  emptyOffHoursProfile,
  type HalfHour,
  inNight,
  isJudged,
  localPlace,
  measureNight,
  type Night,
  nightStart,
  type OffHoursProfile,
  tailScore,
  utcHalfHour,
} from './profile.ts'
import { distanceToUsed, HALF_HOURS, localCells, type Rhythm } from './rhythm.ts'

interface OffHoursParams {
  readonly limits: BaselineLimits
  /** Finding at this score: −log10 of the share of all actors’ nights that are as unusual. */
  readonly score: number
  /** Calls needed outside the known hours, unless one of them is sensitive. */
  readonly minCalls: number
  readonly minActiveDays: number
  /** Half hours nearer than this to a known one are known: a change of clocks is no change of habits. */
  readonly toleranceMs: number
  /** Nights of all actors needed before any is judged. */
  readonly minNights: number
}

const RISKY = ['read-credential', 'admin', 'delete', 'execute', 'send-external']

/** Calls at a time of day at which this actor does not work; one finding an actor and night. */
export const offHours: Detector = {
  kind: 'off-hours',
  asks: 'did this actor make calls at a time of day at which it does not work?',
  prepare: (fields, limits) =>
    questionOf({
      limits,
      score: fields.number('score', { min: 0.5, max: 20 }, 2),
      minCalls: fields.number('min_calls', { min: 1, max: 10_000 }, 3),
      minActiveDays: fields.number('min_active_days', { min: 3, max: 90 }, 7),
      toleranceMs: fields.durationMs('tolerance', { min: '30m', max: '6h' }, '1h'),
      minNights: fields.number('min_nights', { min: 5, max: 10_000 }, 20),
    }),
}

function questionOf(params: OffHoursParams): Question<OffHoursProfile, HalfHour, NightHalfHour> {
  return {
    keyOf: ({ dimension, key }) => (dimension === 'actor' ? key : undefined),
    // The night of a day runs from local noon to local noon.
    daysOf: (bucketMs) => [Math.floor(bucketMs / DAY_MS) - 1, Math.floor(bucketMs / DAY_MS)],
    profileKey: `rhythms/${params.minActiveDays}`,
    emptyProfile: () => emptyOffHoursProfile,
    history: async (source, tenant, fromDay, toDay) =>
      Map.groupBy(await readHalfHours(source, tenant, fromDay, toDay), ({ halfHour }) =>
        Math.floor(halfHour / HALF_HOURS),
      ),
    limits: params.limits,
    overflow: (profile) => profile.overflow ?? [],
    absorb: (profile, day, rows) => absorbHalfHours(profile, day, rows, params.minActiveDays, params.limits),
    codec: offHoursCodec,
    wanted: undefined,
    candidates: async (source, { tenant, fromDay, toDay, keys }) =>
      nightsByDay(await readNights(source, tenant, fromDay, toDay + 1, RISKY, keys && [...keys])),
    judge: (profile, unit, rows) => judgeNights(params, profile, unit, rows),
  }
}

/** A night may lie in the UTC day of its date and in the next, so each half hour is a candidate of two days. */
function nightsByDay(rows: readonly NightHalfHour[]): Map<number, NightHalfHour[]> {
  const days = new Map<number, NightHalfHour[]>()
  for (const row of rows) {
    const day = Math.floor(row.halfHour / HALF_HOURS)
    for (const night of [day - 1, day]) {
      const known = days.get(night)
      if (known === undefined) days.set(night, [row])
      else known.push(row)
    }
  }
  return days
}

function* judgeNights(
  params: OffHoursParams,
  profile: OffHoursProfile,
  { day }: Unit,
  rows: readonly NightHalfHour[],
): Steps<Draft[]> {
  if (profile.scores.length < params.minNights) return []
  const sorted = profile.scores.toSorted((a, b) => a - b)
  const drafts: Draft[] = []
  let worked = 0
  for (const [actor, ofActor] of Map.groupBy(rows, (row) => row.actor)) {
    worked += 1
    if (worked % STEP === 0) yield
    const rhythm = profile.rhythms.get(actor)
    if (!isJudged(rhythm, params.minActiveDays)) continue
    const isOfNight = inNight(rhythm, day)
    const night = ofActor.filter(({ halfHour }) => isOfNight(halfHour))
    const reach = params.toleranceMs / HALF_HOUR_MS
    const outside = night.filter(({ halfHour }) => distanceToUsed(rhythm.used, utcHalfHour(halfHour)) > reach)
    const calls = outside.reduce((sum, row) => sum + row.calls, 0)
    if (calls === 0) continue
    const risky = outside.some((row) => row.riskyCalls > 0)
    if (calls < params.minCalls && !risky) continue
    const measured = measureNight(
      profile,
      actor,
      rhythm,
      night.map(({ halfHour }) => halfHour),
    )
    const score = tailScore(sorted, measured.score)
    if (score < params.score) continue
    drafts.push(draftOf(params, profile, day, actor, rhythm, measured, outside, { calls, score, risky }))
  }
  return drafts
}

function draftOf(
  params: OffHoursParams,
  profile: OffHoursProfile,
  day: number,
  actor: string,
  rhythm: Rhythm,
  night: Night,
  outside: readonly HalfHour[],
  { calls, score, risky }: { calls: number; score: number; risky: boolean },
): Draft {
  const startMs = nightStart(day, night.offset) * HALF_HOUR_MS
  const first = Math.min(...outside.map(({ halfHour }) => halfHour))
  const last = Math.max(...outside.map(({ halfHour }) => halfHour))
  const usual = usualHours(rhythm)
  const zone = zoneName(night.offset)
  const from = localPlace(first, night.offset)
  return {
    key: actor,
    signature: 'night',
    severity: severityOf(score, risky),
    score,
    entity: { type: 'actor', id: actor },
    actor,
    window: { startMs, endMs: startMs + DAY_MS },
    title: `${inline(actor)} made ${calls} calls between ${halfHourName(from.halfHour)} and ${halfHourName(localPlace(last + 1, night.offset).halfHour)} local time (${zone}) on ${isoDay(Math.floor((first + night.offset) / HALF_HOURS))}; in ${rhythm.activeDays} active days it worked ${usual}.`,
    explanation: {
      observed: {
        calls,
        local_times: outside.map(({ halfHour }) => halfHourName(localPlace(halfHour, night.offset).halfHour)),
        risky_capability: risky,
      },
      expected: { usual_hours: usual, timezone_offset_minutes: night.offset * 30 },
      history: { active_days: rhythm.activeDays, since: isoDay(rhythm.firstDay) },
      peers: {
        actors: profile.rhythms.size,
        ...beyondLimit(profile.overflow),
        nights: profile.scores.length,
      },
      terms: {
        rarest_half_hour: round(night.tMax),
        unlike_self: round(night.zLlr),
        distance: round(night.distance),
        sum: round(night.score),
      },
      cells: [...localCells(rhythm)].map(round),
      flagged: outside.map(({ halfHour }) => {
        const place = localPlace(halfHour, night.offset)
        return { weekday: place.weekday, half_hour: place.halfHour }
      }),
      silenced_by: `calls within ${params.toleranceMs / 60_000} minutes of a half hour used before, or fewer than ${params.minCalls} calls without a risky capability`,
    },
    evidence: {
      startMs: first * HALF_HOUR_MS,
      endMs: (last + 1) * HALF_HOUR_MS,
      actors: [actor],
    },
  }
}

function severityOf(score: number, risky: boolean): Severity {
  if (risky) return score >= 3 ? 'high' : 'medium'
  return score >= 3 ? 'medium' : 'low'
}

/** From the first to the last half hour with at least a tenth of the busiest one’s days, around the longest gap. */
function usualHours(rhythm: Rhythm): string {
  const days = new Float64Array(HALF_HOURS)
  for (const [cell, count] of localCells(rhythm).entries()) {
    days[cell % HALF_HOURS] = (days[cell % HALF_HOURS] ?? 0) + count
  }
  const bar = 0.1 * Math.max(...days)
  let bestStart = 0
  let bestLength = 0
  let stretch = 0
  for (let index = 0; index < 2 * HALF_HOURS; index += 1) {
    stretch = (days[index % HALF_HOURS] ?? 0) < bar ? stretch + 1 : 0
    if (stretch > bestLength) {
      bestLength = stretch
      bestStart = index - stretch + 1
    }
  }
  return `${halfHourName((bestStart + bestLength) % HALF_HOURS)}–${halfHourName(bestStart % HALF_HOURS)}`
}

const halfHourName = (halfHour: number): string =>
  `${String(Math.floor(halfHour / 2)).padStart(2, '0')}:${halfHour % 2 === 0 ? '00' : '30'}`

const zoneName = (offset: number): string => {
  const hours = Math.abs(offset) / 2
  return `UTC${offset < 0 ? '−' : '+'}${Math.floor(hours)}${hours % 1 === 0 ? '' : ':30'}`
}

const round = (value: number): number => Math.round(value * 1000) / 1000
