import type { Alert } from '../core/alert.ts'
import type { Clock } from '../core/clock.ts'
import { GatewatchError } from '../core/errors.ts'
import { type Finding, type FindingChange, findingId, type Severity } from '../core/finding.ts'
import type { AlertLifecycle } from './lifecycle.ts'
import type { AlertPipeline } from './pipeline.ts'

/** Whose the alerts about the whole of gatewatch are: those who run it work in this tenant. */
export const OPERATOR_TENANT = 'default'

/**
 * Something about gatewatch’s own work that a person must hear of: records that are lost, or that nobody
 * can read, a rule that does not run, detection that falls behind.
 */
export interface OperationalIssue {
  /** A stable word, such as `dead-letters`; the rule of the finding is `operational.<code>`. */
  readonly code: string
  readonly tenant: string
  /** One sentence: what happened, and how much of it. */
  readonly title: string
  /** What it is about; the issues of one code and entity are one alert until it is closed. */
  readonly entity: Finding['entity']
  readonly severity: Severity
  /** When it happened: ISO 8601 UTC, end exclusive. */
  readonly window: { readonly start: string; readonly end: string }
  /** The same key in the same window is the same finding: raised again it is updated, and unchanged it is nothing. */
  readonly dedupKey: string
  /** Records concerned. */
  readonly count: number
  readonly explanation: Finding['explanation'] & Readonly<Record<string, unknown>>
}

/** Operational issues as alerts: the same way, receivers and life as the alerts about agents. */
export interface OperationalAlerts {
  /**
   * @returns when the alert and its deliveries are durable; may be called again with the same issue
   * @throws GatewatchError of the store
   */
  raise(...issues: readonly OperationalIssue[]): Promise<void>
  /**
   * Closes the open alerts of a code that are about none of `lasting` (ids of entities): what they told of is over. Who was
   * told of them hears it.
   * @throws GatewatchError of the store
   */
  closeOthers(code: string, lasting: ReadonlySet<string>): Promise<void>
}

export interface OperationalAlertsOptions {
  readonly pipeline: Pick<AlertPipeline, 'handle'>
  /** Where findings are kept, so that an alert leads to its finding; see `store/findings.ts`. */
  readonly findings: { write(changes: readonly FindingChange[], version: number): Promise<void> }
  /** Open alerts by rule; see `store/alerts.ts`. */
  readonly alerts: { openOfRule(tenant: string, rule: string): Promise<readonly Alert[]> }
  readonly lifecycle: Pick<AlertLifecycle, 'close'>
  readonly clock: Clock
}

/** One process at a time raises: two could open two alerts for one issue. */
export function createOperationalAlerts({
  pipeline,
  findings,
  alerts,
  lifecycle,
  clock,
}: OperationalAlertsOptions): OperationalAlerts {
  return {
    raise: async (...issues) => {
      if (issues.length === 0) return
      const changes = issues.map(
        (issue): FindingChange => ({ finding: findingOf(issue), status: 'current', history: false }),
      )
      await findings.write(changes, clock.now() * 1000)
      await pipeline.handle(changes)
    },
    closeOthers: async (code, lasting) => {
      for (const { alert_id: alertId, entity } of await alerts.openOfRule(OPERATOR_TENANT, ruleOf(code))) {
        if (lasting.has(entity.id)) continue
        try {
          await lifecycle.close({
            ...{ tenant: OPERATOR_TENANT, alertId, by: 'gatewatch', reason: 'other' },
            note: 'It is over: gatewatch found it well again.',
          })
        } catch (error) {
          // Somebody closed it at this moment.
          if (!(error instanceof GatewatchError && error.code === 'conflict')) throw error
        }
      }
    },
  }
}

const ruleOf = (code: string): string => `operational.${code}`

function findingOf(issue: OperationalIssue): Finding {
  const rule = ruleOf(issue.code)
  const { tenant, window, severity, entity, title, explanation } = issue
  const identity = {
    ...{ rule, rule_version: 1, tenant, window: { ...window } },
    subject: `${window.start.slice(0, 10)}/${rule}/${issue.dedupKey}`,
  }
  return {
    finding_id: findingId(identity),
    ...identity,
    detector: 'operational',
    severity,
    score: Math.log10(Math.max(1, issue.count)),
    entity,
    actor: '',
    first_event_at: window.start,
    last_event_at: window.end,
    event_count: issue.count,
    event_ids: [],
    title,
    explanation,
  }
}
