import type { BaselineLimits } from '../cardinality.ts'
import type { Detector, Draft, Question, Unit } from '../detector.ts'
import { inline } from '../sentence.ts'
import { STEP, type Steps } from '../steps.ts'
import { DAY_MS, dayOf, isoDay, startOfDay } from '../utc-day.ts'
import { volumeCodec } from '../volume/codec.ts'
import { readHours } from '../volume/hours.ts'
import {
  absorbHours,
  emptyVolumeProfile,
  HOURS_A_DAY,
  type HourCount,
  type VolumeProfile,
} from '../volume/profile.ts'

interface DormantParams {
  readonly limits: BaselineLimits
  /** Days without a call after which an actor is dormant. */
  readonly silenceDays: number
}

/** An actor that calls again after a long silence. Its baseline is that of `volume`, so it costs no other one. */
export const dormant: Detector = {
  kind: 'dormant',
  asks: 'does this actor call again after a long silence?',
  prepare: (fields, limits) =>
    questionOf({
      limits,
      silenceDays: fields.durationMs('silence', { min: '7d', max: '365d' }, '28d') / DAY_MS,
    }),
}

function questionOf(params: DormantParams): Question<VolumeProfile, HourCount, HourCount> {
  const byDay = (hours: readonly HourCount[]) =>
    Map.groupBy(hours, ({ hour }) => Math.floor(hour / HOURS_A_DAY))
  return {
    keyOf: ({ dimension, key }) => (dimension === 'actor' ? key : undefined),
    daysOf: (bucketMs) => [dayOf(bucketMs)],
    // The same baseline, folded by the same code, as `volume` has for calls an hour.
    profileKey: 'hours',
    emptyProfile: () => emptyVolumeProfile,
    history: async (source, tenant, fromDay, toDay) =>
      byDay(await readHours(source, tenant, fromDay, toDay, { taught: true })),
    limits: params.limits,
    overflow: (profile) => profile.overflow ?? [],
    absorb: (profile, day, rows) => absorbHours(profile, day, rows, params.limits),
    codec: volumeCodec,
    wanted: undefined,
    candidates: async (source, { tenant, fromDay, toDay, keys }) =>
      byDay(await readHours(source, tenant, fromDay, toDay, { actors: keys && [...keys] })),
    judge: (profile, unit, hours) => judgeReturns(params, profile, unit, hours),
  }
}

function* judgeReturns(
  params: DormantParams,
  profile: VolumeProfile,
  { day }: Unit,
  hours: readonly HourCount[],
): Steps<Draft[]> {
  const drafts: Draft[] = []
  let worked = 0
  for (const [actor, ofActor] of Map.groupBy(hours, (row) => row.actor)) {
    worked += 1
    if (worked % STEP === 0) yield
    const known = profile.actors.get(actor)
    if (known === undefined) continue
    const silentDays = day - known.lastDay - 1
    if (silentDays < params.silenceDays) continue
    const calls = ofActor.reduce((sum, row) => sum + row.calls, 0)
    drafts.push({
      key: actor,
      signature: 'return',
      severity: 'medium',
      score: Math.log2(silentDays),
      entity: { type: 'actor', id: actor },
      actor,
      window: { startMs: startOfDay(day), endMs: startOfDay(day + 1) },
      title: `${inline(actor)} made ${calls} calls on ${isoDay(day)}, after ${silentDays} days without one.`,
      explanation: {
        observed: { silent_days: silentDays, calls, last_seen: isoDay(known.lastDay) },
        expected: { silent_days_fewer_than: params.silenceDays },
        history: { active_days: known.activeDays, since: isoDay(known.firstDay) },
        peers: { actors: profile.actors.size },
        silenced_by: `a call on one of the ${params.silenceDays} days before`,
      },
      evidence: { startMs: startOfDay(day), endMs: startOfDay(day + 1), actors: [actor] },
    })
  }
  return drafts
}
