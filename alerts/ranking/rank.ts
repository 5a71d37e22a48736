import type { Finding, Severity } from '../../core/finding.ts'
import { stableId } from '../../core/hash.ts'
import { fromMillis } from '../../core/timestamp.ts'
import { type Calibration, calibrationOf, type PartyDay } from './calibration.ts'
import { type Counted, combine } from './combine.ts'
import {
  byStart,
  evidenceOf,
  incidentsOf,
  stretchesOf,
  type Weighed,
  weighed,
  weightOf,
} from './incidents.ts'
import { type Sighting, sightingOf } from './sighting.ts'
import { CALIBRATION_DAYS, FIRST_DAYS } from './standards.ts'

/** A finding's place in an alert. */
export interface RankedFinding {
  readonly finding_id: string
  readonly rule: string
  /** What it adds to the alert's score. */
  readonly score: number
}

/** One incident: the findings of one accountable party, close in time. Its fields are those that `backtest --alerts --json` prints. */
export interface RankedAlert {
  readonly alert_id: string
  readonly tenant: string
  /** Sum of what its rules add, each −log10 of a share of actor-days. */
  readonly score: number
  readonly severity: Severity
  /** Empty when it is nobody's. */
  readonly actor: string
  /** Names that it is known by: actor, entities and values of its findings, the weightiest first, at most 10. */
  readonly entities: readonly string[]
  /** ISO 8601 UTC, end exclusive. */
  readonly window: { readonly start: string; readonly end: string }
  readonly first_event_at: string
  /** When its score passed the bar; without one, or if it never did, when nine tenths of its score were there. */
  readonly told_at: string
  /** At most 100, those of the weightiest finding first. */
  readonly event_ids: readonly string[]
  /** In order of weight. */
  readonly findings: readonly RankedFinding[]
  /** The sentence of the weightiest finding. */
  readonly title: string
}

/** A day (since 1970-01-01, UTC) on which an actor had calls. */
export interface ActorDay {
  readonly actor: string
  readonly day: number
}

export interface RankOptions {
  /** Of one tenant: those to rank and those of the `CALIBRATION_DAYS` before, in any order. */
  readonly findings: readonly Finding[]
  /** Of the same days. */
  readonly actorDays: readonly ActorDay[]
  /** Score from which an alert is told. It changes `told_at` alone. */
  readonly bar?: number
}

const MOST_ENTITIES = 10
const MOST_EVENT_IDS = 100

/**
 * Alerts of one tenant, by first event. Pure. An alert is calibrated with the days before its first event, so later findings change
 * none that ended before them.
 */
export function rankAlerts({ findings, actorDays, bar }: RankOptions): RankedAlert[] {
  const sightings = weighed(findings.map(sightingOf).sort(byStart))
  const calibrations = calibrationsOf(sightings, actorDays)
  return incidentsOf(sightings)
    .map((incident) => alertOf(incident, calibrations(incident[0]?.day ?? 0), bar))
    .sort((a, b) =>
      a.first_event_at < b.first_event_at ||
      (a.first_event_at === b.first_event_at && a.alert_id < b.alert_id)
        ? -1
        : 1,
    )
}

/** The calibration as of the start of a day. */
function calibrationsOf(
  sightings: readonly Weighed[],
  actorDays: readonly ActorDay[],
): (day: number) => Calibration {
  const said = partyDaysOf(sightings)
  const firstDay = actorDays.reduce((least, { day }) => Math.min(least, day), Number.POSITIVE_INFINITY)
  const made = new Map<number, Calibration>()
  return (day) => {
    const known = made.get(day)
    if (known !== undefined) return known
    const from = Math.max(day - CALIBRATION_DAYS, firstDay + FIRST_DAYS)
    const isPast = (one: { readonly day: number }) => one.day >= from && one.day < day
    const active = new Map<string, number>()
    for (const { actor } of actorDays.filter(isPast))
      active.set(`actor:${actor}`, (active.get(`actor:${actor}`) ?? 0) + 1)
    const calibration = calibrationOf(said.filter(isPast), active)
    made.set(day, calibration)
    return calibration
  }
}

function partyDaysOf(sightings: readonly Weighed[]): PartyDay[] {
  const groups = Map.groupBy(sightings, ({ party, day, sort }) => JSON.stringify([party, day, sort]))
  return [...groups.values()].flatMap((some) => {
    const [one] = some
    if (one === undefined) return []
    const { party, day, sort, finding } = one
    return [{ party, day, rule: sort, kind: finding.detector, evidence: evidenceOf(some) }]
  })
}

/** A sighting and what it adds to its alert. */
interface Share {
  readonly sighting: Weighed
  readonly adds: number
}

function alertOf(
  incident: readonly Weighed[],
  calibration: Calibration,
  bar = Number.POSITIVE_INFINITY,
): RankedAlert {
  const first = incident[0] as Weighed
  const shares = sharesOf(incident, calibration)
  const score = shares.reduce((sum, { adds }) => sum + adds, 0)
  const untilMs = Math.max(...incident.map(({ evidentMs }) => evidentMs))
  const { tenant, actor, finding_id, first_event_at } = first.finding
  return {
    alert_id: stableId('incident', tenant, first.party, finding_id),
    tenant,
    score: round(score),
    severity: severityOf(score),
    actor,
    entities: [...new Set(shares.flatMap(({ sighting }) => namesOf(sighting)))].slice(0, MOST_ENTITIES),
    window: { start: fromMillis(first.startMs), end: fromMillis(untilMs + 1) },
    first_event_at,
    told_at: fromMillis(toldMs(shares, score >= bar ? bar : ALL_BUT * score)),
    event_ids: [...new Set(shares.flatMap(({ sighting }) => sighting.finding.event_ids))].slice(
      0,
      MOST_EVENT_IDS,
    ),
    findings: shares.map(({ sighting, adds }) => ({
      finding_id: sighting.finding.finding_id,
      rule: sighting.finding.rule,
      score: round(adds),
    })),
    title: shares[0]?.sighting.finding.title ?? '',
  }
}

/** What each finding adds, by weight, in the stretch of the incident that scores most; the others add nothing. */
function sharesOf(incident: readonly Weighed[], calibration: Calibration): Share[] {
  let best: Share[] = []
  let most = -1
  for (const stretch of stretchesOf(incident)) {
    const shares = sharesIn(stretch, calibration)
    const score = shares.reduce((sum, { adds }) => sum + adds, 0)
    if (score > most) [best, most] = [shares, score]
  }
  const counted = new Set(best.map(({ sighting }) => sighting))
  const others = incident.filter((sighting) => !counted.has(sighting))
  return [...best, ...others.map((sighting) => ({ sighting, adds: 0 }))]
}

/** Of what each rule adds, the part of each finding in the rule’s evidence. */
function sharesIn(incident: readonly Weighed[], calibration: Calibration): Share[] {
  const ofSorts = Map.groupBy(incident, ({ sort }) => sort)
  const parts = [...ofSorts].map(([sort, some]) => ({
    sort,
    rule: some[0]?.finding.rule ?? '',
    kind: some[0]?.finding.detector ?? '',
    surprise: weightOf(some) * calibration.surprise(sort, some[0]?.party ?? '', evidenceOf(some)),
  }))
  const counted: readonly Counted[] = combine(parts, calibration.overlap)
  return counted
    .flatMap(({ sort, adds }) => {
      const some = ofSorts.get(sort) ?? []
      const all = some.reduce((sum, { finding, weight }) => sum + finding.score * weight, 0)
      return some.map((sighting): Share => {
        const own = all === 0 ? 0 : (sighting.finding.score * sighting.weight) / all
        return { sighting, adds: adds * own }
      })
    })
    .sort((a, b) => b.adds - a.adds || byStart(a.sighting, b.sighting))
}

/** An alert that passes no bar is told when there is so much of its score. */
const ALL_BUT = 0.9

function toldMs(shares: readonly Share[], bar: number): number {
  let sum = 0
  const inTime = shares.toSorted((a, b) => a.sighting.evidentMs - b.sighting.evidentMs)
  for (const { sighting, adds } of inTime) {
    sum += adds
    if (sum >= bar) return sighting.evidentMs
  }
  return inTime.at(-1)?.sighting.evidentMs ?? 0
}

function namesOf({ finding, value }: Sighting): string[] {
  const ofValue: unknown = value === '' ? '' : (JSON.parse(value) as unknown[]).at(-1)
  return [finding.actor, finding.entity.id, typeof ofValue === 'string' ? ofValue : ''].filter(Boolean)
}

/** In decades of rarity: 6 is a day of one actor in a million, if all that it adds up were independent. */
function severityOf(score: number): Severity {
  if (score >= 6) return 'critical'
  if (score >= 4.5) return 'high'
  if (score >= 3) return 'medium'
  return score >= 2 ? 'low' : 'info'
}

const round = (value: number): number => Math.round(value * 1000) / 1000
