import type { Query } from './detector.ts'
import { clickHouseTime } from './utc-day.ts'

/** Days (since 1970-01-01) on which an actor of the tenant had calls, in [fromMs, toMs). Read from the rollup. */
export function readActorDays(
  query: Query,
  tenant: string,
  fromMs: number,
  toMs: number,
): Promise<{ actor: string; day: number }[]> {
  return query(
    `SELECT actor, toUInt32(toDate(bucket)) AS day FROM calls_by_actor AS c
     WHERE tenant = {tenant:String} AND bucket >= {from:DateTime64(3, 'UTC')} AND bucket < {to:DateTime64(3, 'UTC')}
     GROUP BY actor, day HAVING sum(c.calls) > 0 ORDER BY day, actor`,
    { tenant, from: clickHouseTime(fromMs), to: clickHouseTime(toMs) },
  )
}
