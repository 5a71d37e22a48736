import { type Alert, severityRank } from '../core/alert.ts'
import type { NoticeKind, PlannedDelivery } from '../core/delivery.ts'
import type { Finding, FindingChange } from '../core/finding.ts'
import { stableId } from '../core/hash.ts'
import type { ReceiverRoute } from './notifier.ts'

/** When an alert tells whom. */
export interface NotifyPolicy {
  readonly receivers: readonly ReceiverRoute[]
  /**
   * Findings whose records arrived longer ago than this make alerts and tell nobody; so do those whose records arrived
   * longer than this after the window had ended, unless the change says that it is no history. Milliseconds.
   */
  readonly maxNotifyAgeMs: number
  /**
   * An alert that is still open tells again when its entity was quiet for this long, so that a forgotten alert does
   * not swallow a new incident. Milliseconds.
   */
  readonly recurAfterMs: number
}

/**
 * Whom a finding that joins (or opens) an alert is told to: a receiver hears once that the alert is there, then only
 * when it became worse or came back after a pause.
 * @param before the alert without the finding; undefined when the finding opens it
 */
export function planForFinding(
  alertId: string,
  before: Alert | undefined,
  change: FindingChange,
  nowMs: number,
  policy: NotifyPolicy,
): PlannedDelivery[] {
  if (isHistory(change, nowMs, policy)) return []
  const { finding } = change
  return policy.receivers
    .filter(({ minSeverity }) => severityRank(finding.severity) >= severityRank(minSeverity))
    .flatMap((receiver) => {
      const due = dueNotice(receiver.name, before, finding, policy.recurAfterMs)
      return due === undefined ? [] : planned(alertId, receiver, due.kind, due.step)
    })
}

/**
 * Whom it is told to that a finding no longer holds: those who were told of the alert, or a record that takes a finding back
 * would do it behind their backs. A rule that its operator changed or retired takes its findings back in silence: such a change says
 * neither when records arrived nor that it is history.
 */
export function planForTakenBack(
  alert: Alert,
  { finding, history, arrivedAt }: FindingChange,
  receivers: readonly ReceiverRoute[],
): PlannedDelivery[] {
  if (history === undefined && arrivedAt === undefined) return []
  return receivers
    .filter(({ name }) => Object.hasOwn(alert.notified, name))
    .flatMap((receiver) =>
      planned(alert.alert_id, receiver, 'taken_back', `${finding.finding_id}/${alert.revision}`),
    )
}

/**
 * Whether a finding speaks of the past. What counts is when its records arrived, not when its window ended: after an
 * outage everything is late, and must be heard all the same.
 */
function isHistory(
  { finding, history, arrivedAt }: FindingChange,
  nowMs: number,
  { maxNotifyAgeMs }: NotifyPolicy,
): boolean {
  if (history === true) return true
  const arrivedMs = arrivedAt === undefined ? nowMs : Date.parse(arrivedAt)
  if (nowMs - arrivedMs > maxNotifyAgeMs) return true
  return history === undefined && arrivedMs - Date.parse(finding.window.end) > maxNotifyAgeMs
}

/** Whom a person’s action is told to: those who were told of the alert. */
export function planForPerson(
  alert: Alert,
  kind: 'acknowledged' | 'closed',
  receivers: readonly ReceiverRoute[],
): PlannedDelivery[] {
  return receivers
    .filter(({ name }) => Object.hasOwn(alert.notified, name))
    .flatMap((receiver) => planned(alert.alert_id, receiver, kind, ''))
}

function dueNotice(
  receiver: string,
  before: Alert | undefined,
  finding: Finding,
  recurAfterMs: number,
): { kind: NoticeKind; step: string } | undefined {
  const told =
    before !== undefined && Object.hasOwn(before.notified, receiver) ? before.notified[receiver] : undefined
  if (before === undefined || told === undefined) return { kind: 'opened', step: '' }
  if (severityRank(finding.severity) > severityRank(told.severity))
    return { kind: 'severity_raised', step: finding.severity }
  // Who heard that it was taken back must hear that it holds again.
  if (before.taken_back_finding_ids?.includes(finding.finding_id))
    return { kind: 'recurred', step: `${finding.finding_id}/${before.revision}` }
  const quietMs = Date.parse(finding.first_event_at) - Date.parse(before.last_event_at)
  if (quietMs > recurAfterMs) return { kind: 'recurred', step: finding.finding_id }
  return undefined
}

// The id says what is told to whom, not when: the same decision taken twice is one delivery.
const planned = (
  alertId: string,
  receiver: ReceiverRoute,
  notice: NoticeKind,
  step: string,
): PlannedDelivery[] =>
  receiver.notices.includes(notice)
    ? [
        {
          delivery_id: stableId('delivery', alertId, receiver.name, notice, step),
          receiver: receiver.name,
          kind: receiver.kind,
          notice,
        },
      ]
    : []
