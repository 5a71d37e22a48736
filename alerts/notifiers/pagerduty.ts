import { NOTICE_KINDS } from '../../core/delivery.ts'
import { GatewatchError } from '../../core/errors.ts'
import type { Severity } from '../../core/finding.ts'
import { cutText, inertText } from '../../core/text.ts'
import { judgeAnswer } from '../answer.ts'
import { DEFAULT_BUDGETS, type DeliveryBudget } from '../budget.ts'
import type { Digest } from '../digest.ts'
import { summarizeDigest } from '../digest-summary.ts'
import { createEgress, type EgressOptions, type EgressResult } from '../egress.ts'
import type { Message, Notice, Notifier, SendResult } from '../notifier.ts'
import { summarize } from '../summary.ts'

export const PAGERDUTY_URL = 'https://events.pagerduty.com/v2/enqueue'

// PagerDuty asks to wait this long when it throttles, and names no time itself.
const THROTTLED_WAIT_MS = 30_000

export interface PagerDutyOptions extends Omit<EgressOptions, 'url'> {
  readonly receiver: string
  /** The integration key: 32 characters. */
  readonly routingKey: string
  /** Default `PAGERDUTY_URL`. */
  readonly url?: string
  readonly publicUrl?: string | undefined
  /** Default `DEFAULT_BUDGETS`. */
  readonly budget?: Partial<DeliveryBudget>
}

/**
 * PagerDuty Events API v2. One alert is one incident: `dedup_key` is the alert’s id, so a repetition adds nothing, and
 * acknowledging and closing here acknowledges and resolves there.
 * @throws GatewatchError `config_invalid` for a key or an address that cannot be used
 */
export function createPagerDutyNotifier(options: PagerDutyOptions): Notifier {
  if (!/^[A-Za-z0-9]{32}$/.test(options.routingKey)) {
    throw new GatewatchError(
      'config_invalid',
      `The routing key of the receiver ${options.receiver} does not have 32 letters and digits.`,
      {
        field: options.field === undefined ? 'routing_key' : `${options.field}.routing_key_file`,
        remedy: 'Copy the integration key of the Events API v2 integration.',
      },
    )
  }
  const egress = createEgress({ ...options, url: options.url ?? PAGERDUTY_URL })
  return {
    receiver: options.receiver,
    kind: 'pagerduty',
    target: egress.target,
    notices: NOTICE_KINDS,
    rate: { perSecond: 2, burst: 5 },
    budget: { ...DEFAULT_BUDGETS.pagerduty, ...options.budget },
    async send(message, { nowMs, signal }) {
      const body = JSON.stringify(pagerDutyEvent(message, options))
      return judgePagerDutyAnswer(
        await egress.post({ headers: { 'content-type': 'application/json' }, body, signal }),
        nowMs,
      )
    },
  }
}

/** 400 and its like are never accepted later; throttling and faults pass. */
export function judgePagerDutyAnswer(result: EgressResult, nowMs: number): SendResult {
  const judged = judgeAnswer(result, nowMs)
  if (judged.outcome !== 'retry') return judged
  if (judged.status === 429) return { retryAfterMs: THROTTLED_WAIT_MS, ...judged }
  if (judged.status >= 400 && judged.status < 500 && judged.status !== 408)
    return { outcome: 'refused', status: judged.status, error: judged.error }
  return judged
}

const SEVERITIES: Readonly<Record<Severity, 'critical' | 'error' | 'warning' | 'info'>> = {
  critical: 'critical',
  high: 'error',
  medium: 'warning',
  low: 'info',
  info: 'info',
}

type EventOptions = Pick<PagerDutyOptions, 'routingKey' | 'publicUrl'>

/** The event. PagerDuty shows all of it as text. */
export const pagerDutyEvent = (message: Message, options: EventOptions): Record<string, unknown> =>
  message.kind === 'digest' ? eventOfDigest(message, options) : eventOfNotice(message, options)

/**
 * Digests of one source, severity and day (UTC) are one incident: the next ones add to it, and page again only when people
 * have resolved it. A new severity or a new day pages, so that an incident that nobody resolves does not swallow what follows.
 */
function eventOfDigest(digest: Digest, { routingKey, publicUrl }: EventOptions): Record<string, unknown> {
  const summary = summarizeDigest(digest, publicUrl)
  return {
    routing_key: routingKey,
    dedup_key: `gatewatch:digest:${digest.row}:${digest.severity}:${digest.at.slice(0, 10)}`,
    event_action: 'trigger',
    client: 'gatewatch',
    ...linksOf(summary.link, `Show all ${digest.count} alerts in gatewatch`),
    payload: {
      summary: cutText(`${summary.what}: ${summary.sentence}`, 1024),
      source: cutText(summary.source, 255),
      severity: SEVERITIES[digest.severity],
      timestamp: digest.last_at,
      group: cutText(inertText(digest.tenant), 255),
      class: 'digest',
      custom_details: {
        digest_id: digest.digest_id,
        alerts: digest.count,
        severities: summary.severities,
        messages: summary.notices,
        rules: summary.rules,
        about: summary.parties,
        most_severe: summary.top,
        list: summary.api,
      },
    },
  }
}

const linksOf = (href: string | undefined, text: string): Record<string, unknown> =>
  href === undefined ? {} : { client_url: href, links: [{ href, text }] }

function eventOfNotice(notice: Notice, { routingKey, publicUrl }: EventOptions): Record<string, unknown> {
  const { alert, finding } = notice
  const same = { routing_key: routingKey, dedup_key: `gatewatch:${alert.alert_id}` }
  if (notice.kind === 'acknowledged') return { ...same, event_action: 'acknowledge' }
  if (notice.kind === 'closed') return { ...same, event_action: 'resolve' }
  const summary = summarize(notice, publicUrl)
  return {
    ...same,
    event_action: 'trigger',
    client: 'gatewatch',
    ...linksOf(summary.link, 'Investigate in gatewatch'),
    payload: {
      summary: cutText(`${summary.what}: ${summary.sentence}`, 1024),
      source: cutText(summary.about, 255),
      severity: SEVERITIES[alert.severity],
      timestamp: finding?.last_event_at ?? notice.at,
      group: cutText(alert.tenant, 255),
      class: alert.detector,
      custom_details: {
        alert_id: alert.alert_id,
        rule: summary.rule,
        severity: alert.severity,
        actor: summary.about,
        ...(summary.observed === undefined ? {} : { observed: summary.observed }),
        ...(summary.expected === undefined ? {} : { expected: summary.expected }),
        window_start: summary.windowStart,
        window_end: summary.windowEnd,
        event_count: summary.eventCount,
        first_event_ids: summary.eventIds,
        finding_count: summary.findingCount,
      },
    },
  }
}
