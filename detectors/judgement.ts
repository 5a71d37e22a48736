import { type Finding, findingId } from '../core/finding.ts'
import { fromMillis } from '../core/timestamp.ts'
import type { Draft, Query, Source, Span, Unit } from './detector.ts'
import { type EvidenceFields, evidenceOf } from './evidence.ts'
import type { RulePlan } from './plan.ts'
import type { Profiles } from './profiles.ts'
import type { Rule } from './rule.ts'
import { inTurns, type Pace } from './steps.ts'
import { isoDay } from './utc-day.ts'

/** The subject of a key within a day: what a later judgement of the same day and key replaces. */
export const subjectOf = (day: number, key: string): string => `${isoDay(day)}/${key}`

/** The findings of one rule about one unit, as the store is now. */
export interface Judgement {
  readonly rule: Rule
  readonly unit: Unit
  readonly findings: readonly Finding[]
  /** Ids of those whose calls were all imported as history. */
  readonly imported: ReadonlySet<string>
}

/** Days of candidates read at a time, and keys of a unit that one question names. */
const SPAN_DAYS = 16
const KEYS_AT_ONCE = 5_000

/** A rule whose question failed: its units were not judged. */
export interface Failure {
  readonly rule: Rule
  readonly units: readonly Unit[]
  readonly error: unknown
}

export interface JudgeOptions extends Pace {
  /** Called for what fails, and the other rules go on. Without it the first failure is thrown. */
  readonly onFailure?: (failure: Failure) => Promise<void>
}

/** Units of several rules whose candidates are the same question to the store. */
interface Reading {
  span: Span
  readonly unitsOf: Map<Rule, Unit[]>
}

interface Judged {
  readonly rule: Rule
  readonly unit: Unit
  readonly drafts: readonly Draft[]
}

/**
 * Asks rules about the units of their plans: each store question once for all rules that share it, in order of day, so
 * that profiles fold forward once. The one path that live ticks, backfills, backtests and rule tests share.
 * @param plans of one tenant
 * @returns what was judged from one reading, as it is made
 */
export async function* judgePlans(
  query: Query,
  profiles: Pick<Profiles, 'asOf'>,
  plans: readonly RulePlan[],
  options: JudgeOptions = {},
): AsyncGenerator<readonly Judgement[]> {
  const { onFailure, signal } = options
  const readings = readingsOf(plans)
  let next = readings[0] && ask(query, readings[0])
  try {
    for (const [index, reading] of readings.entries()) {
      const asked = next
      if (asked === undefined) continue
      signal?.throwIfAborted()
      const following = readings[index + 1]
      try {
        const candidates = await asked.candidates
        // The store works on the next question while this process judges the answer to this one.
        next = following && ask(query, following)
        const judged = await judgeReading(asked.source, profiles, reading, candidates, options)
        yield await withEvidence(asked.source, reading.span.tenant, judged)
      } catch (error) {
        if (next === asked) next = following && ask(query, following)
        if (onFailure === undefined) throw error
        for (const [rule, units] of reading.unitsOf) await onFailure({ rule, units, error })
      }
    }
  } finally {
    // No question outlives who asked it.
    await next?.candidates.catch(() => {})
  }
}

type Candidates = ReadonlyMap<number, readonly unknown[]>

/** A question that the store works on. */
interface Asked {
  readonly source: Source
  readonly candidates: Promise<Candidates>
}

function ask(query: Query, { span, unitsOf }: Reading): Asked {
  const rules = [...unitsOf.keys()]
  const [one] = rules
  const source: Source = one?.where === undefined ? { query } : { query, where: one.where }
  const wanted = rules.map((rule) => rule.question.wanted)
  const candidates = Promise.resolve(one?.question.candidates(source, span, wanted) ?? new Map())
  // A failure is told to who takes the answer, which may be later.
  candidates.catch(() => {})
  return { source, candidates }
}

async function judgeReading(
  source: Source,
  profiles: Pick<Profiles, 'asOf'>,
  { unitsOf }: Reading,
  candidates: Candidates,
  { onFailure, ...pace }: JudgeOptions,
): Promise<Judged[]> {
  const judged: Judged[] = []
  for (const [rule, units] of unitsOf) {
    try {
      judged.push(...(await judgeUnits(source, profiles, rule, units, candidates, pace)))
    } catch (error) {
      if (onFailure === undefined) throw error
      await onFailure({ rule, units, error })
    }
  }
  return judged
}

async function judgeUnits(
  source: Source,
  profiles: Pick<Profiles, 'asOf'>,
  rule: Rule,
  units: readonly Unit[],
  candidates: Candidates,
  pace: Pace,
): Promise<Judged[]> {
  const judged: Judged[] = []
  // The last day’s profile first: it is a fold over the others, which are then at hand.
  const last = units.findLast(({ day }) => candidates.has(day))
  if (last !== undefined) await profiles.asOf(rule, source, last.tenant, last.day)
  for (const unit of units) {
    pace.signal?.throwIfAborted()
    const ofDay = candidates.get(unit.day) ?? []
    const drafts = ofDay.length === 0 ? [] : await judgeDay(source, profiles, rule, unit, ofDay, pace)
    judged.push({ rule, unit, drafts })
  }
  return judged
}

async function judgeDay(
  source: Source,
  profiles: Pick<Profiles, 'asOf'>,
  rule: Rule,
  unit: Unit,
  candidates: readonly unknown[],
  pace: Pace,
): Promise<readonly Draft[]> {
  const profile = await profiles.asOf(rule, source, unit.tenant, unit.day)
  const drafts = await inTurns(rule.question.judge(profile, unit, candidates), pace)
  return unit.keys === undefined ? drafts : drafts.filter(({ key }) => unit.keys?.has(key))
}

async function withEvidence(source: Source, tenant: string, judged: readonly Judged[]): Promise<Judgement[]> {
  const evidence = await evidenceOf(
    source,
    tenant,
    judged.flatMap(({ drafts }) => drafts.map((draft) => draft.evidence)),
  )
  return judged.map(({ rule, unit, drafts }) => {
    const found = drafts
      .map((draft) => {
        const { fields, imported } = evidence.get(draft.evidence)
        return { finding: findingOf(rule, unit, draft, fields), imported }
      })
      .sort((a, b) => (a.finding.finding_id < b.finding.finding_id ? -1 : 1))
    return {
      ...{ rule, unit },
      findings: found.map(({ finding }) => finding),
      imported: new Set(found.filter(({ imported }) => imported).map(({ finding }) => finding.finding_id)),
    }
  })
}

/** Rules of a kind over the same events share a reading; units with keys share it with those of the same keys only. */
function readingsOf(plans: readonly RulePlan[]): Reading[] {
  const readings: Reading[] = []
  const growing = new Map<string, Reading>()
  const asked = plans.flatMap(({ rule, units }) =>
    units.flatMap((unit) => cutKeys(unit).map((piece) => ({ rule, unit: piece }))),
  )
  for (const { rule, unit } of asked.sort((a, b) => a.unit.day - b.unit.day)) {
    const name = JSON.stringify([rule.kind, rule.where, unit.tenant, unit.keys && [...unit.keys].sort()])
    const known = growing.get(name)
    const { day, ...rest } = unit
    if (known !== undefined && day < known.span.fromDay + SPAN_DAYS) {
      known.span = { ...known.span, toDay: day + 1 }
      const units = known.unitsOf.get(rule)
      if (units === undefined) known.unitsOf.set(rule, [unit])
      else units.push(unit)
    } else {
      const reading: Reading = {
        span: { ...rest, fromDay: day, toDay: day + 1 },
        unitsOf: new Map([[rule, [unit]]]),
      }
      growing.set(name, reading)
      readings.push(reading)
    }
  }
  return readings
}

function cutKeys(unit: Unit): Unit[] {
  if (unit.keys === undefined || unit.keys.size <= KEYS_AT_ONCE) return [unit]
  const keys = [...unit.keys].sort()
  return Array.from({ length: Math.ceil(keys.length / KEYS_AT_ONCE) }, (_, piece) => ({
    ...unit,
    keys: new Set(keys.slice(piece * KEYS_AT_ONCE, (piece + 1) * KEYS_AT_ONCE)),
  }))
}

function findingOf(rule: Rule, unit: Unit, draft: Draft, evidence: EvidenceFields): Finding {
  const identity = {
    rule: rule.id,
    rule_version: rule.version,
    tenant: unit.tenant,
    subject: subjectOf(unit.day, draft.key),
    window: { start: fromMillis(draft.window.startMs), end: fromMillis(draft.window.endMs) },
  }
  return {
    finding_id: findingId(identity, draft.signature),
    rule: identity.rule,
    rule_version: identity.rule_version,
    detector: rule.kind,
    severity: rule.severity ?? draft.severity,
    score: Math.round(draft.score * 1e4) / 1e4,
    tenant: identity.tenant,
    subject: identity.subject,
    entity: draft.entity,
    actor: draft.actor,
    window: identity.window,
    ...evidence,
    title: draft.title,
    explanation: draft.explanation,
  }
}
