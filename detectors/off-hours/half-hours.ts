import type { Source } from '../detector.ts'
import { TEACHES } from '../evidence.ts'
import { clickHouseTime, startOfDay } from '../utc-day.ts'
import type { HalfHour } from './profile.ts'

/** A half hour of the night to be judged, with the number of its calls that could do harm. */
export interface NightHalfHour extends HalfHour {
  readonly riskyCalls: number
}

const BOUNDS = (time: string) =>
  `tenant = {tenant:String} AND ${time} >= {from:DateTime64(3, 'UTC')} AND ${time} < {to:DateTime64(3, 'UTC')}`

const bounds = (tenant: string, fromDay: number, toDay: number) => ({
  tenant,
  from: clickHouseTime(startOfDay(fromDay)),
  to: clickHouseTime(startOfDay(toDay)),
})

const halfHourOf = (time: string) => `intDiv(toUnixTimestamp(toDateTime(${time}, 'UTC')), 1800)`

/** Half hours with calls that teach, per actor, of the days `fromDay` to `toDay` (exclusive), in order of actor and time. */
export async function readHalfHours(
  { query, where, crowd }: Source,
  tenant: string,
  fromDay: number,
  toDay: number,
): Promise<HalfHour[]> {
  const [table, time, calls] =
    where === undefined
      ? ['calls_by_actor', 'bucket', 'sum(calls) - sum(late_calls)']
      : ['events', 'occurred_at', `sumIf(sign, ${TEACHES})`]
  return query<HalfHour>(
    `SELECT actor, ${halfHourOf(time)} AS halfHour, ${calls} AS calls
     FROM ${table} WHERE ${BOUNDS(time)} ${where === undefined ? '' : `AND (${where.sql})`}
       ${crowd?.actors === undefined ? '' : `AND (${crowd.actors.sql})`}
     GROUP BY actor, halfHour HAVING calls > 0 ORDER BY actor, halfHour`,
    { ...where?.params, ...crowd?.actors?.params, ...bounds(tenant, fromDay, toDay) },
  )
}

/**
 * The half hours of all actors or some, of late calls too, with how many of their calls could do harm. Without a `where` the
 * rollup counts the calls: of the events only the few that could do harm are read.
 */
export async function readNights(
  { query, where }: Source,
  tenant: string,
  fromDay: number,
  toDay: number,
  risky: readonly string[],
  actors?: readonly string[],
): Promise<NightHalfHour[]> {
  const ofActors = actors === undefined ? '' : 'AND actor IN {actors:Array(String)}'
  const isRisky = 'capability IN {risky:Array(String)}'
  const counted =
    where === undefined
      ? `SELECT actor, ${halfHourOf('bucket')} AS halfHour, calls, toInt64(0) AS risky
         FROM calls_by_actor WHERE ${BOUNDS('bucket')} ${ofActors}
         UNION ALL
         SELECT actor, ${halfHourOf('occurred_at')} AS halfHour, toInt64(0) AS calls, toInt64(sign) AS risky
         FROM events WHERE ${BOUNDS('occurred_at')} AND ${isRisky} ${ofActors}`
      : `SELECT actor, ${halfHourOf('occurred_at')} AS halfHour, sign AS calls, if(${isRisky}, sign, 0) AS risky
         FROM events WHERE ${BOUNDS('occurred_at')} AND (${where.sql}) ${ofActors}`
  return query<NightHalfHour>(
    `SELECT actor, halfHour, sum(calls) AS calls, sum(risky) AS riskyCalls FROM (${counted})
     GROUP BY actor, halfHour HAVING calls > 0 ORDER BY actor, halfHour`,
    {
      ...where?.params,
      ...bounds(tenant, fromDay, toDay),
      risky,
      ...(actors === undefined ? {} : { actors }),
    },
  )
}
