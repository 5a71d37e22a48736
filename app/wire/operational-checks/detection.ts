import { OPERATOR_TENANT, type OperationalIssue } from '../../../alerts/operational.ts'
import type { Clock } from '../../../core/clock.ts'
import { inertText } from '../../../core/text.ts'
import { fromMillis } from '../../../core/timestamp.ts'
import type { OperationalCheck } from '../operational.ts'

/** How detection is, as its engine says. */
export interface DetectionHealth {
  readonly state: 'ok' | 'degraded'
  /** What is not done, or late; empty when all is well. */
  readonly reasons: readonly DetectionTrouble[]
}

export interface DetectionTrouble {
  /** A stable word, such as `rule_quarantined` or `behind`. */
  readonly code: string
  /** Which rule, tenant or work it is about. */
  readonly what: string
  /** Since when, milliseconds since the epoch; stays the same as long as the trouble lasts. */
  readonly sinceMs: number
  /** For people: why, and how much. Holds no secrets. */
  readonly detail: string
}

/** A trouble that passes within this time is told to nobody: `/readyz` and the metrics show it. */
const PATIENCE_MS = 60_000

/** Detection that is degraded for longer than a minute: one alert for each code and what it is about. */
export function detectionCheck(
  health: () => DetectionHealth,
  clock: Clock,
  patienceMs = PATIENCE_MS,
): OperationalCheck {
  // A detail that counts on (`behind by 90 s`) would be another finding at each look: the first one stands.
  let details = new Map<string, string>()
  return async () => {
    const lasting = health().reasons.filter(({ sinceMs }) => clock.now() - sinceMs >= patienceMs)
    const before = details
    details = new Map(
      lasting.map((reason) => [keyOf(reason), before.get(keyOf(reason)) ?? inertText(reason.detail, 500)]),
    )
    return lasting.map((reason) => issueOf(reason, details.get(keyOf(reason)) ?? ''))
  }
}

const keyOf = ({ code, what, sinceMs }: DetectionTrouble): string => JSON.stringify([code, what, sinceMs])

function issueOf({ code, what, sinceMs }: DetectionTrouble, detail: string): OperationalIssue {
  const since = fromMillis(Math.floor(sinceMs))
  const whatText = inertText(what, 200)
  return {
    code: 'detection-degraded',
    tenant: OPERATOR_TENANT,
    title: `Detection is degraded (${inertText(code, 60)}), ${whatText}: ${detail}`,
    entity: { type: 'component', id: whatText === '' ? 'detection' : whatText },
    severity: 'high',
    window: { start: since, end: since },
    dedupKey: `${code}/${what}`,
    count: 1,
    explanation: {
      observed: detail,
      expected: 'Every rule judges what arrives within the time of a few ticks.',
      history: `since ${since}`,
      silenced_by: 'detection that is well again within a minute',
      next: 'The check detection of /v1/health says how it is now; docs/operations.md says what each reason means.',
    },
  }
}
