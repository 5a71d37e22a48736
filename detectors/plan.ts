import type { Query, Touched, Unit } from './detector.ts'
import type { Rule } from './rule.ts'
import { dayOf } from './utc-day.ts'

/** What one rule has to be asked again about one tenant, days ascending. */
export interface RulePlan {
  readonly rule: Rule
  readonly tenant: string
  readonly units: readonly Unit[]
}

export interface TenantDays {
  readonly tenant: string
  readonly days: readonly number[]
  readonly lastDay: number
}

/** All days on which any tenant has calls. Read from the rollup; only when a rule is new, and once at a start. */
export async function everyDay(query: Query): Promise<TenantDays[]> {
  const rows = await query<{ tenant: string; days: number[] }>(
    `SELECT tenant, arraySort(groupArray(day)) AS days
     FROM (SELECT tenant, toUInt32(toDate(bucket)) AS day FROM calls_by_actor GROUP BY tenant, day HAVING sum(calls) != 0)
     GROUP BY tenant ORDER BY tenant`,
  )
  return rows.map(({ tenant, days }) => ({ tenant, days, lastDay: days.at(-1) ?? 0 }))
}

/** The tenant's days that arrivals touched, each once. */
function touchedDays(touched: readonly Touched[]): { tenant: string; day: number }[] {
  const seen = new Map<string, { tenant: string; day: number }>()
  for (const { tenant, bucketMs } of touched) {
    const day = dayOf(bucketMs)
    seen.set(`${day}/${tenant}`, { tenant, day })
  }
  return [...seen.values()]
}

/**
 * The units that arrivals touched. A late event changes the profiles of all later days of its tenant, for its own
 * actor and for its peers: those days are asked again whole.
 */
function touchedPlans(
  rules: readonly Rule[],
  touched: readonly Touched[],
  latestDays: ReadonlyMap<string, number>,
): RulePlan[] {
  const byTenant = Map.groupBy(touched, (row) => row.tenant)
  const plans: RulePlan[] = []
  for (const [tenant, rows] of byTenant) {
    const firstDay = rows.reduce(
      (least, row) => Math.min(least, dayOf(row.bucketMs)),
      Number.POSITIVE_INFINITY,
    )
    const lastDay = latestDays.get(tenant) ?? firstDay
    for (const rule of rules) {
      const keysOfDay = new Map<number, Set<string>>()
      for (const row of rows) {
        const keys = rule.question.keysOf(row)
        for (const day of rule.question.daysOf(row.bucketMs)) {
          // Later days are asked whole below; days after the last one hold nothing.
          if (day > firstDay) continue
          const known = keysOfDay.get(day) ?? new Set<string>()
          for (const key of keys) known.add(key)
          keysOfDay.set(day, known)
        }
      }
      const units: Unit[] = [...keysOfDay].map(([day, keys]) => ({ tenant, day, keys }))
      for (let day = firstDay + 1; day <= lastDay; day += 1) units.push({ tenant, day })
      plans.push({ rule, tenant, units: units.sort((a, b) => a.day - b.day) })
    }
  }
  return plans
}

function everythingPlans(rules: readonly Rule[], tenants: readonly TenantDays[]): RulePlan[] {
  return rules.flatMap((rule) =>
    tenants.map(({ tenant, days }) => ({
      rule,
      tenant,
      units: withNeighbours(rule, days).map((day) => ({ tenant, day })),
    })),
  )
}

// The unit of a day may hold calls of the days beside it only (a night that began the evening before).
function withNeighbours(rule: Rule, days: readonly number[]): number[] {
  const all = new Set<number>()
  for (const day of days) {
    for (let hour = 0; hour < 24; hour += 1) {
      for (const touchedDay of rule.question.daysOf((day * 24 + hour) * 3_600_000)) all.add(touchedDay)
    }
  }
  return [...all].sort((a, b) => a - b)
}

export const planTick = { touchedDays, touched: touchedPlans, everything: everythingPlans }
