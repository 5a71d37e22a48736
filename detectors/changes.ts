import type { Finding, FindingChange } from '../core/finding.ts'
import { type Judgement, subjectOf } from './judgement.ts'
import type { RulePlan } from './plan.ts'
import { isoDay } from './utc-day.ts'

/** Reads the findings that stand (`store/findings.ts`). */
export interface CurrentFindings {
  /** Current findings of the days `fromDay` to `throughDay` (`YYYY-MM-DD`, first part of their subjects). */
  currentOfDays(of: {
    readonly tenant: string
    readonly rules: readonly string[]
    readonly fromDay: string
    readonly throughDay: string
  }): Promise<Finding[]>
}

/** The findings that stood before some units are judged. */
export interface Before {
  of(rule: string, day: number): readonly Finding[]
}

/** The findings that the store has of the days of these plans, which are of one tenant. */
export async function findingsBefore(
  findings: CurrentFindings,
  tenant: string,
  plans: readonly RulePlan[],
): Promise<Before> {
  const days = plans.flatMap(({ units }) => units.map(({ day }) => day))
  if (days.length === 0) return { of: () => [] }
  const stored = await findings.currentOfDays({
    tenant,
    rules: plans.map(({ rule }) => rule.id),
    fromDay: isoDay(days.reduce((least, day) => Math.min(least, day))),
    throughDay: isoDay(days.reduce((most, day) => Math.max(most, day))),
  })
  const byPlace = Map.groupBy(stored, ({ rule, subject }) =>
    placeOf(rule, subject.slice(0, subject.indexOf('/'))),
  )
  return { of: (rule, day) => byPlace.get(placeOf(rule, isoDay(day))) ?? [] }
}

/**
 * What is new in a judgement against the findings that stood: new and changed ones, and those that no longer hold.
 * @param leaveOut keys of the unit about which something newer was said; their findings stand as they are
 */
export function changesOf(
  { rule, unit, findings: made }: Judgement,
  before: Before,
  leaveOut: (key: string) => boolean,
): FindingChange[] {
  const prefix = subjectOf(unit.day, '')
  const keyOf = ({ subject }: Finding) => subject.slice(prefix.length)
  const stored = new Map(before.of(rule.id, unit.day).map((finding) => [finding.finding_id, finding]))
  const changes: FindingChange[] = []
  for (const finding of made) {
    if (leaveOut(keyOf(finding))) continue
    const known = stored.get(finding.finding_id)
    if (known === undefined || !sameContent(known, finding)) changes.push({ finding, status: 'current' })
    stored.delete(finding.finding_id)
  }
  for (const finding of stored.values()) {
    const key = keyOf(finding)
    if ((unit.keys === undefined || unit.keys.has(key)) && !leaveOut(key))
      changes.push({ finding, status: 'superseded' })
  }
  return changes
}

const placeOf = (rule: string, day: string): string => `${rule}/${day}`

const sameContent = (a: Finding, b: Finding): boolean => canonical(a) === canonical(b)

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
