import {
  type Alert,
  type AlertAction,
  type AlertEntry,
  applyAction,
  findingIdOf,
  openAlert,
  severityRank,
} from '../core/alert.ts'
import type { PlannedDelivery } from '../core/delivery.ts'
import type { Finding, FindingChange } from '../core/finding.ts'
import { stableId } from '../core/hash.ts'
import type { FindingStanding } from './alert-log.ts'

/** What the findings of one fingerprint do to their alerts. */
export interface AlertChange {
  readonly alertId: string
  readonly isNew: boolean
  readonly entries: readonly AlertEntry[]
}

export interface DeduplicateInput {
  readonly fingerprint: string
  readonly changes: readonly FindingChange[]
  /** The newest alert of the fingerprint that is not closed. */
  readonly active: Alert | undefined
  /** Where the findings of `changes` stand. */
  readonly standings: readonly FindingStanding[]
  /** ISO 8601 UTC. */
  readonly at: string
  /** Whom a finding that joins the alert is told to. */
  readonly plan: (
    alertId: string,
    before: Alert | undefined,
    change: FindingChange,
  ) => readonly PlannedDelivery[]
  /** Whom it is told to that a finding of the alert no longer holds. */
  readonly planTakenBack: (alert: Alert, change: FindingChange) => readonly PlannedDelivery[]
}

/**
 * Findings → actions, for one fingerprint. Pure, and the same findings again give nothing.
 * - A finding that no alert has joins the open alert, or opens one.
 * - A finding that an alert has stays with it, closed or not; but when it became more severe than the alert that was
 *   closed over it, it opens a new one: what was closed was something smaller.
 * - A finding that takes the place of one of an earlier version of its rule, about the same subject and time, is that one: what
 *   a person closed stays closed.
 * - A superseded finding is noted on the alert that has it. Who was told of the alert is told, unless one no less severe
 *   about the same subject takes its place at once, or the alert is closed.
 */
export function deduplicate(input: DeduplicateInput): AlertChange[] {
  const { at, plan } = input
  const work = new Map<string, { alert: Alert; isNew: boolean; entries: AlertEntry[] }>()
  const standings = new Map(input.standings.map((standing) => [standing.finding_id, standing]))
  let activeId = input.active?.alert_id
  if (input.active !== undefined) put(input.active, false)

  for (const change of inOrder(input.changes)) {
    const { finding, status } = change
    const standing = standings.get(finding.finding_id)
    if (standing !== undefined && !work.has(standing.alert.alert_id)) put(standing.alert, false)
    const digest = status === 'superseded' ? 'superseded' : digestOf(finding)
    if (standing?.digest === digest) continue
    if (status === 'superseded') {
      if (standing !== undefined) takeBack(work.get(standing.alert.alert_id)?.alert, change, digest)
      continue
    }
    const place = standing ?? placeOfPredecessor(finding)
    const home = place === undefined ? undefined : work.get(place.alert.alert_id)?.alert
    if (home !== undefined && (home.status !== 'closed' || !outgrew(finding, home))) {
      addFinding(home, change, digest)
    } else if (activeId !== undefined) {
      const active = work.get(activeId)
      if (active !== undefined) addFinding(active.alert, change, digest)
    } else {
      activeId = open(change, digest, home)
    }
  }
  return [...work]
    .filter(([, { entries }]) => entries.length > 0)
    .map(([alertId, { isNew, entries }]) => ({ alertId, isNew, entries }))

  /** Where the finding of another version of the rule stands that this one takes the place of. */
  function placeOfPredecessor(finding: Finding): FindingStanding | undefined {
    for (const { finding: old, status } of input.changes) {
      if (status !== 'superseded' || old.rule !== finding.rule || old.subject !== finding.subject) continue
      if (old.rule_version === finding.rule_version) continue
      if (old.window.start >= finding.window.end || finding.window.start >= old.window.end) continue
      const standing = standings.get(old.finding_id)
      if (standing !== undefined && work.has(standing.alert.alert_id)) return standing
    }
    return undefined
  }

  function put(alert: Alert, isNew: boolean): void {
    work.set(alert.alert_id, { alert, isNew, entries: [] })
  }

  function add(alertId: string, digest: string, action: AlertAction): void {
    const item = work.get(alertId)
    if (item === undefined) return
    item.alert = applyAction(item.alert, action)
    item.entries.push(entryOf(item.alert, digest, action))
    const findingId = findingIdOf(action)
    standings.set(findingId, { finding_id: findingId, digest, alert: item.alert })
  }

  function addFinding(before: Alert, change: FindingChange, digest: string): void {
    const { finding } = change
    const notify = before.status === 'closed' ? [] : plan(before.alert_id, before, change)
    add(before.alert_id, digest, {
      kind: 'finding_added',
      at,
      by: 'gatewatch',
      finding,
      ...notifying(notify),
    })
  }

  function takeBack(alert: Alert | undefined, change: FindingChange, digest: string): void {
    if (alert === undefined) return
    const { finding } = change
    const isReplaced = input.changes.some(
      ({ status, finding: other }) =>
        status === 'current' &&
        other.subject === finding.subject &&
        severityRank(other.severity) >= severityRank(finding.severity),
    )
    const notify = isReplaced || alert.status === 'closed' ? [] : input.planTakenBack(alert, change)
    add(alert.alert_id, digest, {
      kind: 'finding_superseded',
      at,
      by: 'gatewatch',
      finding_id: finding.finding_id,
      ...(notify.length === 0 ? {} : { finding, notify }),
    })
  }

  function open(change: FindingChange, digest: string, outgrown: Alert | undefined): string {
    const { finding } = change
    const alertId = stableId(
      'alert',
      input.fingerprint,
      finding.finding_id,
      ...(outgrown === undefined ? [] : [finding.severity]),
    )
    const notify = plan(alertId, undefined, change)
    const action: AlertAction = { kind: 'opened', at, by: 'gatewatch', finding, ...notifying(notify) }
    const alert = openAlert(alertId, action)
    work.set(alertId, { alert, isNew: true, entries: [entryOf(alert, digest, action)] })
    standings.set(finding.finding_id, { finding_id: finding.finding_id, digest, alert })
    return alertId
  }
}

/** What a finding says, as one word: the same content has the same digest, in whatever order its keys are. */
export const digestOf = (finding: Finding): string => stableId(canonicalJson(finding))

/** The log entry of an action that led to `state`. Its id does not depend on when the decision was taken. */
export const entryOf = (state: Alert, digest: string, action: AlertAction): AlertEntry => ({
  action_id: stableId(
    'action',
    state.alert_id,
    state.revision,
    action.kind,
    digest === '' ? `${action.by} ${action.at}` : digest,
  ),
  sequence: state.revision,
  action,
  state,
  finding_digest: digest,
})

const outgrew = (finding: Finding, closed: Alert): boolean =>
  severityRank(finding.severity) > severityRank(closed.severity)

const notifying = (notify: readonly PlannedDelivery[]): { notify?: readonly PlannedDelivery[] } =>
  notify.length === 0 ? {} : { notify }

// What is superseded first: it may be replaced by a finding of the same batch. Then in the order of events.
const inOrder = (changes: readonly FindingChange[]): FindingChange[] =>
  changes.toSorted(
    (a, b) =>
      Number(a.status === 'current') - Number(b.status === 'current') ||
      compare(a.finding.window.end, b.finding.window.end) ||
      compare(a.finding.finding_id, b.finding.finding_id),
  )

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => compare(a, b)))
      : part,
  )
}
