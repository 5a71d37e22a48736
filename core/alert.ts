import type { Finding, Severity } from './finding.ts'

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

export type AlertStatus = 'open' | 'acknowledged' | 'closed'

export interface Alert {
  readonly alert_id: string
  readonly fingerprint: string
  readonly tenant: string
  readonly status: AlertStatus
  readonly severity: Severity
  readonly rule: string
  readonly detector: string
  readonly entity: Finding['entity']
  readonly actor: string
  /** The newest finding's sentence. */
  readonly title: string
  readonly finding_ids: readonly string[]
  readonly opened_at: string
  readonly updated_at: string
  readonly acknowledged_by?: string
  readonly closed_reason?: CloseReason
  readonly note?: string
  /** Number of actions folded; the `ETag` that guards against lost updates. */
  readonly revision: number
}

/** One line of the log. `at` is ISO 8601 UTC, `by` a person or `gatewatch`. */
export type AlertAction =
  | { readonly kind: 'opened'; readonly at: string; readonly by: string; readonly finding: Finding }
  | { readonly kind: 'finding_added'; readonly at: string; readonly by: string; readonly finding: Finding }
  | {
      readonly kind: 'finding_superseded'
      readonly at: string
      readonly by: string
      readonly finding_id: string
    }
  | { readonly kind: 'acknowledged'; readonly at: string; readonly by: string; readonly note?: string }
  | {
      readonly kind: 'closed'
      readonly at: string
      readonly by: string
      readonly reason: CloseReason
      readonly note?: string
    }
