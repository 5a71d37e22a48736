import type { Source } from '../detector.ts'
import { TEACHES } from '../evidence.ts'
import { clickHouseTime, startOfDay } from '../utc-day.ts'
import type { HourCount } from './profile.ts'

/**
 * Calls per actor and hour of the days `fromDay` to `toDay` (exclusive), in order of actor and hour: from the
 * rollup, or from the events when the rule has a `where`. `taught`: only those that a baseline learns from.
 */
export async function readHours(
  { query, where, crowd }: Source,
  tenant: string,
  fromDay: number,
  toDay: number,
  { actors, taught = false }: { readonly actors?: readonly string[] | undefined; readonly taught?: boolean },
): Promise<HourCount[]> {
  const [table, time, calls] =
    where === undefined
      ? ['calls_by_actor', 'bucket', taught ? 'sum(calls) - sum(late_calls)' : 'sum(calls)']
      : ['events', 'occurred_at', taught ? `sumIf(sign, ${TEACHES})` : 'sum(sign)']
  return query<HourCount>(
    `SELECT actor, intDiv(toUnixTimestamp(toDateTime(${time}, 'UTC')), 3600) AS hour, ${calls} AS calls
     FROM ${table}
     WHERE tenant = {tenant:String} AND ${time} >= {from:DateTime64(3, 'UTC')} AND ${time} < {to:DateTime64(3, 'UTC')}
       ${actors === undefined ? '' : 'AND actor IN {actors:Array(String)}'}
       ${where === undefined ? '' : `AND (${where.sql})`}
       ${crowd?.actors === undefined ? '' : `AND (${crowd.actors.sql})`}
     GROUP BY actor, hour HAVING calls > 0 ORDER BY actor, hour`,
    {
      ...where?.params,
      ...crowd?.actors?.params,
      tenant,
      from: clickHouseTime(startOfDay(fromDay)),
      to: clickHouseTime(startOfDay(toDay)),
      ...(actors === undefined ? {} : { actors }),
    },
  )
}
