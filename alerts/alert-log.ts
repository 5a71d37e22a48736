import type { Alert, AlertEntry } from '../core/alert.ts'
import type { Fence } from '../core/fence.ts'

/** Where a finding stands: the newest alert that has it, as it is now, and what that alert last heard of it. */
export interface FindingStanding {
  readonly finding_id: string
  /** As `digestOf`, or `superseded`. */
  readonly digest: string
  readonly alert: Alert
}

/**
 * The log of actions on alerts, as this folder needs it. The store is the state: several processes write, so nobody
 * keeps an alert in memory longer than one step.
 */
export interface AlertLog {
  /** The newest alert of each fingerprint that is not closed. */
  active(tenant: string, fingerprints: readonly string[]): Promise<Alert[]>
  standings(tenant: string, findingIds: readonly string[]): Promise<FindingStanding[]>
  byId(tenant: string, alertId: string): Promise<Alert | undefined>
  /**
   * Stores the entries of new alerts as one block. The same openings again change nothing.
   * @throws GatewatchError `conflict` behind the fence, as `append`
   */
  open(entries: readonly AlertEntry[], fence?: Fence): Promise<void>
  /**
   * Adds consecutive entries to one alert, all or none; `conflict` when another action took the first one’s sequence
   * number in between.
   */
  append(entries: readonly AlertEntry[], fence?: Fence): Promise<'stored' | 'conflict'>
  /** Entries at or after a time (milliseconds since the epoch) whose planned deliveries are not all in the outbox. */
  unplaced(sinceMs: number): Promise<AlertEntry[]>
}
