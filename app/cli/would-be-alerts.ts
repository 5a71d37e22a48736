import { barOf } from '../../alerts/ranking/bar.ts'
import { type RankedAlert, rankAlerts } from '../../alerts/ranking/rank.ts'
import { CALIBRATION_DAYS } from '../../alerts/ranking/standards.ts'
import type { Finding } from '../../core/finding.ts'
import { readActorDays } from '../../detectors/actor-days.ts'
import { backtest } from '../../detectors/backtest.ts'
import type { Query } from '../../detectors/detector.ts'
import type { Rule } from '../../detectors/rule.ts'
import { DAY_MS } from '../../detectors/utc-day.ts'

export interface AlertsOptions {
  readonly query: Query
  readonly rules: readonly Rule[]
  /** Milliseconds since the epoch; an alert belongs to the range that holds the moment at which it was told. */
  readonly fromMs: number
  readonly toMs: number
  /** Alerts a day that the receivers bear: the bar at which an alert is told follows from the week before the range. */
  readonly pagesPerDay: number
  /** A line about how it goes. */
  readonly progress: (text: string) => void
}

const PROGRESS_EVERY = 100

/**
 * What would have been paged in a past range, by tenant and in order of `told_at`. The rules are asked about the days before
 * the range as well: what they say there is what their evidence is calibrated with.
 */
export async function wouldBeAlerts(options: AlertsOptions): Promise<RankedAlert[]> {
  const { query, rules, fromMs, toMs, pagesPerDay, progress } = options
  // An alert may have begun the day before.
  const sinceMs = Math.max(0, fromMs - (CALIBRATION_DAYS + 1) * DAY_MS)
  const findings: Finding[] = []
  for await (const finding of backtest({ query, rules, fromMs: sinceMs, toMs })) {
    findings.push(finding)
    if (findings.length % PROGRESS_EVERY === 0)
      progress(`${findings.length} findings, now ${finding.rule} at ${finding.window.start}`)
  }
  const alerts: RankedAlert[] = []
  for (const [tenant, ofTenant] of Map.groupBy(findings, (finding) => finding.tenant)) {
    const actorDays = await readActorDays(query, tenant, sinceMs, toMs)
    const bar = barOf(rankAlerts({ findings: ofTenant, actorDays }), fromMs, pagesPerDay)
    const inRange = rankAlerts({ findings: ofTenant, actorDays, bar }).filter(({ told_at }) => {
      const toldMs = Date.parse(told_at)
      return toldMs >= fromMs && toldMs < toMs
    })
    alerts.push(...inRange.sort((a, b) => (a.told_at < b.told_at ? -1 : 1)))
  }
  return alerts
}
