import { type Finding, findingId } from '../core/finding.ts'
import { fromMillis } from '../core/timestamp.ts'
import type { Draft, Query, Source, Span, Unit } from './detector.ts'
import { evidenceOf } from './evidence.ts'
import type { Profiles } from './profiles.ts'
import type { Rule } from './rule.ts'
import { isoDay } from './utc-day.ts'

/** The subject of a key within a day: what a later judgement of the same day and key replaces. */
export const subjectOf = (day: number, key: string): string => `${isoDay(day)}/${key}`

/** The findings of one unit, as the store is now. */
export interface Judgement {
  readonly unit: Unit
  readonly findings: readonly Finding[]
}

/**
 * Asks one rule about units of one tenant, in order of day. The one path that live ticks, backtests and rule tests
 * share.
 */
export async function* judgeUnits(
  query: Query,
  profiles: Profiles,
  rule: Rule,
  units: readonly Unit[],
): AsyncGenerator<Judgement> {
  const source: Source = rule.where === undefined ? { query } : { query, where: rule.where }
  for (const run of runsOf(units)) {
    const candidates = await rule.question.candidates(source, run.span)
    // The last day’s profile first: it is a fold over the others, which are then at hand.
    const lastDay = run.units.findLast(({ day }) => (candidates.get(day) ?? []).length > 0)?.day
    if (lastDay !== undefined) await profiles.asOf(rule.question, source, run.span.tenant, lastDay)
    for (const unit of run.units) {
      const ofDay = candidates.get(unit.day) ?? []
      const drafts = ofDay.length === 0 ? [] : await judgeDay(source, profiles, rule, unit, ofDay)
      const findings: Finding[] = []
      for (const draft of drafts) {
        if (unit.keys !== undefined && !unit.keys.has(draft.key)) continue
        findings.push(findingOf(rule, unit, draft, await evidenceOf(source, unit.tenant, draft.evidence)))
      }
      yield { unit, findings: findings.sort((a, b) => (a.finding_id < b.finding_id ? -1 : 1)) }
    }
  }
}

async function judgeDay(
  source: Source,
  profiles: Profiles,
  rule: Rule,
  unit: Unit,
  candidates: readonly unknown[],
): Promise<readonly Draft[]> {
  const profile = await profiles.asOf(rule.question, source, unit.tenant, unit.day)
  return rule.question.judge(profile, unit, candidates)
}

/** Days of candidates read at a time. */
const SPAN_DAYS = 16

/** Whole days that follow each other are read together; a unit with keys is read by itself. */
function runsOf(units: readonly Unit[]): { span: Span; units: Unit[] }[] {
  const runs: { span: Span; units: Unit[] }[] = []
  for (const unit of units) {
    const last = runs.at(-1)
    const joins =
      last !== undefined &&
      unit.keys === undefined &&
      last.span.keys === undefined &&
      unit.tenant === last.span.tenant &&
      unit.day >= last.span.toDay &&
      unit.day < last.span.fromDay + SPAN_DAYS
    if (joins) {
      last.units.push(unit)
      last.span = { ...last.span, toDay: unit.day + 1 }
    } else {
      const { day, ...rest } = unit
      runs.push({ span: { ...rest, fromDay: day, toDay: day + 1 }, units: [unit] })
    }
  }
  return runs
}

function findingOf(
  rule: Rule,
  unit: Unit,
  draft: Draft,
  evidence: Awaited<ReturnType<typeof evidenceOf>>,
): Finding {
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
