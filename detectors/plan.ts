import { NOT_ACCESS_TENANT_SQL } from '../core/access-tenant.ts'
import type { Query, Touched, Unit } from './detector.ts'
import type { Rule } from './rule.ts'
import { HOUR_MS } from './utc-day.ts'

/** What one rule has to be asked about one tenant, days ascending. */
export interface RulePlan {
  readonly rule: Rule
  readonly tenant: string
  readonly units: readonly Unit[]
}

/** A UTC day on which a tenant has calls. */
export interface TenantDay {
  readonly day: number
  readonly calls: number
}

/** The units that arrivals of one tenant touched, by rule; none of a day after `lastDay`. */
export function planTouched(
  rules: readonly Rule[],
  tenant: string,
  touched: readonly Touched[],
  lastDay: number,
): RulePlan[] {
  return rules.map((rule) => {
    const keysOfDay = new Map<number, Set<string>>()
    for (const row of touched) {
      const key = rule.question.keyOf(row)
      if (key === undefined) continue
      for (const day of rule.question.daysOf(row.bucketMs)) {
        if (day > lastDay) continue
        const keys = keysOfDay.get(day) ?? new Set<string>()
        keysOfDay.set(day, keys.add(key))
      }
    }
    const units = [...keysOfDay].map(([day, keys]): Unit => ({ tenant, day, keys }))
    return { rule, tenant, units: units.sort((a, b) => a.day - b.day) }
  })
}

/** All of the given days and of those beside them that may hold calls of theirs, by rule. */
export function planWhole(rules: readonly Rule[], tenant: string, days: readonly number[]): RulePlan[] {
  return rules.map((rule) => ({
    rule,
    tenant,
    units: daysTouchedBy([rule], days).map((day) => ({ tenant, day })),
  }))
}

/** The days whose units may hold calls of these days (a night may begin the evening before), ascending. */
export function daysTouchedBy(rules: readonly Rule[], days: readonly number[]): number[] {
  const all = new Set<number>()
  for (const { question } of rules) {
    for (const day of days) {
      for (let hour = 0; hour < 24; hour += 1) {
        for (const touched of question.daysOf((day * 24 + hour) * HOUR_MS)) all.add(touched)
      }
    }
  }
  return [...all].sort((a, b) => a - b)
}

/** Days from `fromDay` on with calls of the tenant, ascending. Read from the rollup. */
export function readDays(query: Query, tenant: string, fromDay: number): Promise<TenantDay[]> {
  return query<TenantDay>(
    `SELECT toUInt32(toDate(bucket)) AS day, sum(c.calls) AS calls FROM calls_by_actor AS c
     WHERE tenant = {tenant:String} AND bucket >= toDateTime({from:UInt32} * 86400, 'UTC')
     GROUP BY day HAVING calls != 0 ORDER BY day`,
    { tenant, from: Math.max(0, fromDay) },
  )
}

/** Every tenant with the first day that it has calls of. Read from the rollup. */
export function readTenants(query: Query): Promise<{ tenant: string; firstDay: number }[]> {
  return query(
    `SELECT tenant, toUInt32(toDate(min(bucket))) AS firstDay FROM calls_by_actor
     WHERE ${NOT_ACCESS_TENANT_SQL} GROUP BY tenant ORDER BY tenant`,
  )
}
