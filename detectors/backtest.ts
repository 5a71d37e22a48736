import type { Finding } from '../core/finding.ts'
import { fromMillis } from '../core/timestamp.ts'
import type { Query } from './detector.ts'
import { judgePlans } from './judgement.ts'
import { everyDay, planTick } from './plan.ts'
import { createProfiles } from './profiles.ts'
import type { Rule } from './rule.ts'
import { dayOf } from './utc-day.ts'

export interface BacktestOptions {
  readonly query: Query
  readonly rules: readonly Rule[]
  /** Milliseconds since the epoch; `toMs` exclusive. A finding belongs to the range that holds its window’s start. */
  readonly fromMs: number
  readonly toMs: number
  readonly tenant?: string
}

/**
 * Asks rules about a past range, with the same code and the same baselines as live ticks. Stores nothing.
 * @returns findings as they are made: by tenant, and roughly by day
 */
export async function* backtest(options: BacktestOptions): AsyncGenerator<Finding> {
  const { query, rules, fromMs, toMs } = options
  const profiles = createProfiles()
  const tenants = (await everyDay(query)).filter(
    ({ tenant }) => options.tenant === undefined || tenant === options.tenant,
  )
  const from = fromMillis(fromMs)
  const to = fromMillis(toMs)
  for (const tenant of tenants) {
    const plans = planTick.everything(rules, [tenant]).map((plan) => ({
      ...plan,
      // A window starts at most a day before or after the start of its unit’s day.
      units: plan.units.filter(({ day }) => day >= dayOf(fromMs) - 2 && day <= dayOf(toMs) + 1),
    }))
    for await (const judgements of judgePlans(query, profiles, plans)) {
      for (const { findings } of judgements) {
        yield* findings.filter(({ window }) => window.start >= from && window.start < to)
      }
    }
  }
}
