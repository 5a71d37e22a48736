import type { Finding, FindingChange } from '../core/finding.ts'

/** Where findings are kept, as this file needs it (`store/findings.ts`). */
export interface RetiredFindings {
  /**
   * Current findings of rules that are not among these, and the version that supersedes them; at most so many. Alerts
   * about gatewatch itself are no rule’s.
   */
  currentOfOtherRules(
    rules: readonly string[],
    limit: number,
  ): Promise<{ readonly findings: readonly Finding[]; readonly version: number }>
  write(changes: readonly FindingChange[], version: number): Promise<void>
}

export interface RetireOptions {
  readonly findings: RetiredFindings
  /** Ids of every rule that there is, not only of those that this process judges. */
  readonly rules: readonly string[]
  /** As the engine’s: durable when it resolves, and idempotent. */
  readonly onFindings: (changes: readonly FindingChange[]) => Promise<void>
}

const AT_ONCE = 500
const ROUNDS = 10

/**
 * Supersedes the findings of rules that are gone: nobody judges them again. A crash in between repeats the last step.
 * @returns whether all are superseded; if not, there are more than one call takes on, and the next goes on
 */
export async function supersedeRetired({ findings, rules, onFindings }: RetireOptions): Promise<boolean> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { findings: left, version } = await findings.currentOfOtherRules(rules, AT_ONCE)
    if (left.length === 0) return true
    const changes = left.map((finding): FindingChange => ({ finding, status: 'superseded' }))
    // Alerts first: as long as a finding is current it is found again.
    await onFindings(changes)
    await findings.write(changes, version)
  }
  return false
}
