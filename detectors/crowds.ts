import { type BaselineLimits, mostPairs } from './cardinality.ts'
import type { Crowd, Source, SqlCondition } from './detector.ts'
import type { TenantDay } from './plan.ts'
import { clickHouseTime, startOfDay } from './utc-day.ts'

/** Whose days of the last quarter decide who is read on a crowded day. */
const STANDING_DAYS = 90

/** Rows of a day that a baseline reads at most. */
const MOST_ROWS = 2_000_000

/**
 * The days that bring more than a baseline can hold, and what is read of them: twice the actors that it holds, those
 * with calls on most days before, so that whoever was there before is read and the baseline notices that it is full.
 */
export async function crowdsOf(
  limits: BaselineLimits,
  { query }: Source,
  tenant: string,
  days: readonly TenantDay[],
): Promise<ReadonlyMap<number, Crowd>> {
  const mostActors = 2 * limits.actors
  const mostRows = Math.min(MOST_ROWS, 2 * mostPairs(limits))
  const busy = days.filter(({ calls }) => calls > Math.min(mostActors, mostRows)).map(({ day }) => day)
  const [from] = busy
  if (from === undefined) return new Map()
  const counted = await query<{ day: number; actors: number }>(
    `SELECT toUInt32(toDate(bucket)) AS day, uniq(actor) AS actors FROM calls_by_actor
     WHERE tenant = {tenant:String} AND bucket >= toDateTime({from:UInt32} * 86400, 'UTC')
       AND bucket < toDateTime({to:UInt32} * 86400, 'UTC')
     GROUP BY day`,
    { tenant, from, to: (busy.at(-1) ?? from) + 1 },
  )
  const actorsOf = new Map(counted.map(({ day, actors }) => [day, actors]))
  return new Map(
    busy.map((day): [number, Crowd] => {
      const actors = actorsOf.get(day) ?? 0
      const read = Math.min(actors, mostActors)
      return [
        day,
        {
          ...(actors > mostActors ? { actors: strongestOf(tenant, day, mostActors) } : {}),
          rowsPerActor: Math.max(1, Math.min(4 * limits.perActor, Math.floor(mostRows / Math.max(1, read)))),
        },
      ]
    }),
  )
}

/** The actors of a day who had calls on most of the days before it. */
const strongestOf = (tenant: string, day: number, limit: number): SqlCondition => ({
  sql: `actor IN (
    SELECT actor FROM calls_by_actor AS standing
    WHERE tenant = {crowdTenant:String} AND bucket >= {crowdFrom:DateTime64(3, 'UTC')} AND bucket < {crowdTo:DateTime64(3, 'UTC')}
    GROUP BY actor HAVING sumIf(standing.calls, bucket >= {crowdDay:DateTime64(3, 'UTC')}) > 0
    ORDER BY uniqExact(toDate(bucket)) DESC, sipHash64(actor), actor LIMIT {crowdActors:UInt32})`,
  params: {
    crowdTenant: tenant,
    crowdFrom: clickHouseTime(startOfDay(Math.max(0, day - STANDING_DAYS))),
    crowdDay: clickHouseTime(startOfDay(day)),
    crowdTo: clickHouseTime(startOfDay(day + 1)),
    crowdActors: limit,
  },
})
