import type { Severity } from '../core/finding.ts'
import { cutText, inertText } from '../core/text.ts'
import type { Notice } from './notifier.ts'
import { alertLink, sentenceOf } from './summary.ts'

/**
 * A notice as OCSF Detection Finding (category 2, class 2004). Field names and required attributes are those of OCSF
 * 1.5.0, the first version with `anomaly_analyses`. What OCSF has no place for is under `unmapped`.
 */
export const OCSF_VERSION = '1.5.0'

export const SEVERITY_IDS: Readonly<Record<Severity, number>> = {
  info: 1,
  low: 2,
  medium: 3,
  high: 4,
  critical: 5,
}

const ACTIVITIES = {
  opened: { activity_id: 1, activity_name: 'Create', status_id: 1, status: 'New' },
  severity_raised: { activity_id: 2, activity_name: 'Update', status_id: 1, status: 'New' },
  recurred: { activity_id: 2, activity_name: 'Update', status_id: 1, status: 'New' },
  taken_back: { activity_id: 2, activity_name: 'Update', status_id: 1, status: 'New' },
  acknowledged: { activity_id: 2, activity_name: 'Update', status_id: 2, status: 'In Progress' },
  closed: { activity_id: 3, activity_name: 'Close', status_id: 4, status: 'Resolved' },
} as const satisfies Record<Notice['kind'], object>

// The words that OCSF’s description of `anomaly` uses for kinds of analysis and patterns.
const ANALYSES: Readonly<Record<string, { type: string; pattern: string; parameter: string }>> = {
  volume: { type: 'Volume Analysis', pattern: 'SURGE', parameter: 'tool calls per hour' },
  'off-hours': { type: 'Time Pattern Analysis', pattern: 'OFF_HOURS', parameter: 'local time of tool calls' },
  'new-value': { type: 'Frequency Analysis', pattern: 'UNSEEN', parameter: 'tool used by the actor' },
  chain: { type: 'Sequence Analysis', pattern: 'RARE', parameter: 'order of tool capabilities' },
}

export interface OcsfOptions {
  readonly publicUrl?: string | undefined
  /** How many event ids to carry, and whether to carry the whole explanation: lowered when the body gets too big. */
  readonly eventIds: number
  readonly explanation: boolean
  /** Longest name or sentence, in UTF-16 units. */
  readonly maxText: number
}

/** The finding of a notice in OCSF’s terms. Pure; times are milliseconds since the epoch, as OCSF wants them. */
export function toDetectionFinding(notice: Notice, options: OcsfOptions): Record<string, unknown> {
  const { alert, finding } = notice
  const activity = ACTIVITIES[notice.kind]
  // For machines, so not made inert; but nobody’s name may fill the message.
  const clip = (value: string): string => cutText(value, options.maxText)
  return {
    ...activity,
    category_uid: 2,
    category_name: 'Findings',
    class_uid: 2004,
    class_name: 'Detection Finding',
    type_uid: 200400 + activity.activity_id,
    type_name: `Detection Finding: ${activity.activity_name}`,
    time: Date.parse(notice.at),
    severity_id: SEVERITY_IDS[alert.severity],
    severity: alert.severity,
    is_alert: notice.kind !== 'acknowledged' && notice.kind !== 'closed',
    message: clip(sentenceOf(notice)),
    ...(finding === undefined
      ? {}
      : { start_time: Date.parse(finding.window.start), end_time: Date.parse(finding.window.end) }),
    ...(notice.kind === 'closed' && alert.note !== undefined
      ? { comment: inertText(alert.note, options.maxText) }
      : {}),
    metadata: {
      version: OCSF_VERSION,
      product: { name: 'gatewatch', vendor_name: 'gatewatch' },
      tenant_uid: clip(alert.tenant),
      // One finding in OCSF’s sense lives as long as our alert.
      correlation_uid: alert.alert_id,
    },
    finding_info: {
      uid: alert.alert_id,
      title: clip(finding?.title ?? alert.title),
      types: [clip(alert.detector)],
      analytic: {
        uid: clip(alert.rule),
        name: clip(alert.rule),
        type_id: 1,
        type: 'Rule',
        category: clip(alert.detector),
        ...(finding === undefined ? {} : { version: String(finding.rule_version) }),
      },
      created_time: Date.parse(alert.opened_at),
      modified_time: Date.parse(alert.updated_at),
      first_seen_time: Date.parse(alert.started_at),
      last_seen_time: Date.parse(alert.last_event_at),
      ...(finding === undefined ? {} : { related_events_count: finding.event_count }),
      ...(options.publicUrl === undefined ? {} : { src_url: alertLink(options.publicUrl, alert.alert_id) }),
    },
    ...(finding === undefined ? {} : analysisOf(notice, options)),
    unmapped: {
      gatewatch: {
        alert_id: alert.alert_id,
        notice: notice.kind,
        status: alert.status,
        entity: { type: alert.entity.type, id: clip(alert.entity.id) },
        actor: clip(alert.actor),
        finding_count: alert.finding_count,
        ...(alert.closed_reason === undefined ? {} : { closed_reason: alert.closed_reason }),
        ...(alert.acknowledged_by === undefined ? {} : { acknowledged_by: clip(alert.acknowledged_by) }),
        ...(finding === undefined
          ? {}
          : {
              finding_id: finding.finding_id,
              score: finding.score,
              event_ids: finding.event_ids.slice(0, options.eventIds).map(clip),
              ...(options.explanation ? { explanation: finding.explanation } : {}),
            }),
      },
    },
  }
}

function analysisOf({ alert, finding }: Notice, options: OcsfOptions): Record<string, unknown> {
  if (finding === undefined) return {}
  const analysis = ANALYSES[alert.detector] ?? {
    type: 'Deviation Analysis',
    pattern: 'ABNORMAL',
    parameter: cutText(alert.detector, options.maxText),
  }
  const limit = options.explanation ? 2000 : 300
  const part = (value: unknown) => ({
    observation_type: analysis.type,
    observation_parameter: analysis.parameter,
    observations: [{ value: valueText(value, limit) }],
  })
  return {
    anomaly_analyses: [
      {
        analysis_targets: [
          { name: cutText(alert.actor || alert.entity.id, options.maxText), type: alert.entity.type },
        ],
        anomalies: [
          {
            ...part(finding.explanation.observed),
            observed_pattern: analysis.pattern,
            observations: [
              { value: valueText(finding.explanation.observed, limit), count: finding.event_count },
            ],
          },
        ],
        baselines: [part(finding.explanation.expected)],
      },
    ],
  }
}

const valueText = (value: unknown, limit: number): string =>
  inertText(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''), limit)
