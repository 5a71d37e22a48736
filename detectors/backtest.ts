import type { Finding } from '../core/finding.ts'
import { fromMillis } from '../core/timestamp.ts'
import type { Query } from './detector.ts'
import { judgePlans } from './judgement.ts'
import { planWhole, readDays, readTenants } from './plan.ts'
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

/** Profiles held while a past range is judged. */
const KEPT_DAYS = 20

/**
 * Asks rules about a past range, with the same code and the same baselines as live ticks. Stores nothing.
 * @returns findings as they are made: by tenant, and roughly by day
 */
export async function* backtest(options: BacktestOptions): AsyncGenerator<Finding> {
  const { query, rules, fromMs, toMs } = options
  const from = fromMillis(fromMs)
  const to = fromMillis(toMs)
  for (const { tenant, firstDay } of await readTenants(query)) {
    if (options.tenant !== undefined && tenant !== options.tenant) continue
    const days = (await readDays(query, tenant, firstDay)).map(({ day }) => day)
    const plans = planWhole(rules, tenant, days).map((plan) => ({
      ...plan,
      // A window starts at most a day before or after the start of its unit’s day.
      units: plan.units.filter(({ day }) => day >= dayOf(fromMs) - 2 && day <= dayOf(toMs) + 1),
    }))
    for await (const judgements of judgePlans(query, createProfiles({ keptDays: KEPT_DAYS }), plans)) {
      for (const { findings } of judgements) {
        yield* findings.filter(({ window }) => window.start >= from && window.start < to)
      }
    }
  }
}
