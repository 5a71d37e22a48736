import type { Timestamp } from '../core/audit-event.ts'
import type { Finding, FindingStatus } from '../core/finding.ts'

export type StoredFinding = Finding & { readonly status: FindingStatus; readonly found_at: string }

export interface FindingFilter {
  readonly tenant: string
  /** Bounds of the window’s start; `to` exclusive. */
  readonly from?: Timestamp
  readonly to?: Timestamp
  readonly detector?: string
  readonly rule?: string
  readonly actor?: string
  readonly severity?: string
  readonly chain?: string
  readonly status?: FindingStatus | 'all'
}

/** Where findings come from: `createFindings` of the store. */
export interface FindingSource {
  /** Newest window first; `after` is the last finding of the page before. */
  list(
    filter: FindingFilter,
    limit: number,
    after?: { readonly windowStart: Timestamp; readonly findingId: string },
  ): Promise<readonly StoredFinding[]>
  byId(findingId: string, tenant: string): Promise<StoredFinding | undefined>
  byIds(findingIds: readonly string[], tenant: string): Promise<readonly StoredFinding[]>
}
