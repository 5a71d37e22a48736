import type { DeliveryKind, PlannedDelivery } from './delivery.ts'
import { type Finding, SEVERITIES, type Severity } from './finding.ts'
import { stableId } from './hash.ts'

/**
 * An alert is what people work on: the findings of one fingerprint (rule, entity, tenant), from opened to closed.
 * Its state is a fold over an append-only log of actions (`AlertAction`); `applyAction` is that fold.
 */
export const CLOSE_REASONS = [
  'true_positive',
  'benign_positive',
  'false_positive',
  'duplicate',
  'other',
] as const
export type CloseReason = (typeof CLOSE_REASONS)[number]

export const ALERT_STATUSES = ['open', 'acknowledged', 'closed'] as const
export type AlertStatus = (typeof ALERT_STATUSES)[number]

/** An alert names this many of its newest findings; the log names all. */
export const MAX_FINDING_IDS = 200

export interface Alert {
  readonly alert_id: string
  readonly fingerprint: string
  readonly tenant: string
  readonly status: AlertStatus
  /** The highest severity that any of its findings had. */
  readonly severity: Severity
  readonly rule: string
  readonly detector: string
  readonly entity: Finding['entity']
  readonly actor: string
  /** The newest finding's sentence. */
  readonly title: string
  /** The newest `MAX_FINDING_IDS`, superseded ones included, in order of arrival. */
  readonly finding_ids: readonly string[]
  readonly finding_count: number
  /** Those of `finding_ids` that a later judgement replaced. */
  readonly superseded_finding_ids: readonly string[]
  /** Those of them that somebody was told of. Absent: none. */
  readonly taken_back_finding_ids?: readonly string[]
  readonly opened_at: string
  /** First event of the finding that opened it; like `opened_at`, it never changes. */
  readonly started_at: string
  /** Last event of any of its findings. */
  readonly last_event_at: string
  readonly updated_at: string
  readonly acknowledged_by?: string
  readonly closed_by?: string
  readonly closed_reason?: CloseReason
  readonly note?: string
  /** Who was told, at which severity last. */
  readonly notified: Readonly<Record<string, { readonly kind: DeliveryKind; readonly severity: Severity }>>
  /** Number of actions folded; the `ETag` that guards against lost updates. */
  readonly revision: number
}

interface ActionBase {
  /** ISO 8601 UTC. */
  readonly at: string
  /** A person or `gatewatch`. */
  readonly by: string
}

interface Notifying {
  /** What this action wants sent; absent when it tells nobody. */
  readonly notify?: readonly PlannedDelivery[]
}

/** One line of the log. `finding_added` with a finding that the alert has already is that finding with new numbers. */
export type AlertAction =
  | (ActionBase & Notifying & { readonly kind: 'opened'; readonly finding: Finding })
  | (ActionBase & Notifying & { readonly kind: 'finding_added'; readonly finding: Finding })
  | (ActionBase &
      Notifying & {
        readonly kind: 'finding_superseded'
        readonly finding_id: string
        /** What no longer holds, where somebody is told. */
        readonly finding?: Finding
      })
  | (ActionBase & Notifying & { readonly kind: 'acknowledged'; readonly note?: string })
  | (ActionBase &
      Notifying & { readonly kind: 'closed'; readonly reason: CloseReason; readonly note?: string })

/** An action with its place in the log and the alert after it: what the store keeps. */
export interface AlertEntry {
  readonly action_id: string
  /** 1 for the action that opened the alert, then one more each. */
  readonly sequence: number
  readonly action: AlertAction
  readonly state: Alert
  /** Of an action about a finding: what the finding says, as `digestOf`, or `superseded`. Else empty. */
  readonly finding_digest: string
}

/** What findings must share to be one alert. */
export const fingerprintOf = (finding: Pick<Finding, 'tenant' | 'rule' | 'entity'>): string =>
  stableId('alert', finding.tenant, finding.rule, finding.entity.type, finding.entity.id)

export const severityRank = (severity: Severity): number => SEVERITIES.indexOf(severity)

/** The finding that an action is about, if any. */
export const findingIdOf = (action: AlertAction): string =>
  'finding_id' in action ? action.finding_id : 'finding' in action ? action.finding.finding_id : ''

/** Starts an alert. `alertId` is the caller’s: a pure function of the fingerprint and the finding. */
export function openAlert(alertId: string, action: Extract<AlertAction, { kind: 'opened' }>): Alert {
  const { finding } = action
  return {
    alert_id: alertId,
    fingerprint: fingerprintOf(finding),
    tenant: finding.tenant,
    status: 'open',
    severity: finding.severity,
    rule: finding.rule,
    detector: finding.detector,
    entity: finding.entity,
    actor: finding.actor,
    title: finding.title,
    finding_ids: [finding.finding_id],
    finding_count: 1,
    superseded_finding_ids: [],
    opened_at: action.at,
    started_at: finding.first_event_at,
    last_event_at: finding.last_event_at,
    updated_at: action.at,
    notified: notifiedAfter({}, action.notify, finding.severity),
    revision: 1,
  }
}

/**
 * The alert after an action. Total: an action that does not fit the state (a second close) still counts as a revision
 * and changes nothing else; whether a person may act is asked before, with `refusalOf`.
 */
export function applyAction(alert: Alert, action: AlertAction): Alert {
  const next: Alert = { ...alert, revision: alert.revision + 1, updated_at: action.at }
  switch (action.kind) {
    case 'opened':
    case 'finding_added':
      return addFinding(next, action.finding, action.notify)
    case 'finding_superseded':
      return {
        ...next,
        superseded_finding_ids: [
          ...alert.superseded_finding_ids.filter((id) => id !== action.finding_id),
          action.finding_id,
        ].slice(-MAX_FINDING_IDS),
        ...(action.notify === undefined
          ? {}
          : {
              taken_back_finding_ids: [...(alert.taken_back_finding_ids ?? []), action.finding_id].slice(
                -MAX_FINDING_IDS,
              ),
            }),
      }
    case 'acknowledged':
      if (alert.status !== 'open') return next
      return { ...next, status: 'acknowledged', acknowledged_by: action.by, ...noteOf(action) }
    case 'closed':
      if (alert.status === 'closed') return next
      return {
        ...next,
        status: 'closed',
        closed_by: action.by,
        closed_reason: action.reason,
        ...noteOf(action),
      }
  }
}

/** The state of an alert from its whole log, in order of sequence; undefined for a log that does not begin with `opened`. */
export function foldAlert(alertId: string, actions: readonly AlertAction[]): Alert | undefined {
  const [first, ...rest] = actions
  if (first?.kind !== 'opened') return undefined
  return rest.reduce(applyAction, openAlert(alertId, first))
}

/** Why a person may not do this to the alert now, in words; undefined when they may. */
export function refusalOf(alert: Alert, kind: 'acknowledged' | 'closed'): string | undefined {
  if (alert.status === 'closed') return `The alert was closed by ${alert.closed_by ?? 'someone'} already.`
  if (kind === 'acknowledged' && alert.status === 'acknowledged')
    return `The alert was acknowledged by ${alert.acknowledged_by ?? 'someone'} already.`
  return undefined
}

function addFinding(alert: Alert, finding: Finding, notify: readonly PlannedDelivery[] | undefined): Alert {
  const known = alert.finding_ids.includes(finding.finding_id)
  const newest = finding.last_event_at >= alert.last_event_at
  const severity =
    severityRank(finding.severity) > severityRank(alert.severity) ? finding.severity : alert.severity
  return {
    ...alert,
    severity,
    title: newest ? finding.title : alert.title,
    last_event_at: newest ? finding.last_event_at : alert.last_event_at,
    finding_ids: known
      ? alert.finding_ids
      : [...alert.finding_ids, finding.finding_id].slice(-MAX_FINDING_IDS),
    finding_count: alert.finding_count + (known ? 0 : 1),
    superseded_finding_ids: alert.superseded_finding_ids.filter((id) => id !== finding.finding_id),
    ...(alert.taken_back_finding_ids === undefined
      ? {}
      : {
          taken_back_finding_ids: alert.taken_back_finding_ids.filter((id) => id !== finding.finding_id),
        }),
    notified: notifiedAfter(alert.notified, notify, severity),
  }
}

function notifiedAfter(
  before: Alert['notified'],
  notify: readonly PlannedDelivery[] | undefined,
  severity: Severity,
): Alert['notified'] {
  if (notify === undefined || notify.length === 0) return before
  return {
    ...before,
    ...Object.fromEntries(notify.map(({ receiver, kind }) => [receiver, { kind, severity }])),
  }
}

const noteOf = ({ note }: { readonly note?: string }): { note?: string } =>
  note === undefined ? {} : { note }
