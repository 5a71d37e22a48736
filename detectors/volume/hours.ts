import type { Source, Span, SqlCondition } from '../detector.ts'
import { eventsBetween, TEACHES } from '../evidence.ts'
import { clickHouseTime, startOfDay } from '../utc-day.ts'
import { type Counting, isOfRollup, MEASURE_SQL, windowsADay } from './measure.ts'
import type { HourCount } from './profile.ts'

export const CALLS_AN_HOUR: Counting = { measure: 'calls', window: '1h' }

interface Wanted {
  readonly actors?: readonly string[] | undefined
  /** Only what a baseline learns from. */
  readonly taught?: boolean
}

/**
 * What is counted per actor and window of the days `fromDay` to `toDay` (exclusive), in order of actor and window. Calls come
 * from the rollup, unless the rule has a `where`; everything else from the events.
 */
export async function readHours(
  source: Source,
  tenant: string,
  fromDay: number,
  toDay: number,
  { actors, taught = false }: Wanted,
  counting = CALLS_AN_HOUR,
): Promise<HourCount[]> {
  const { where, crowd } = source
  const { sql, params } = selected(source, tenant, fromDay, toDay, taught, counting)
  return source.query<HourCount>(
    `${sql}
       ${actors === undefined ? '' : 'AND actor IN {actors:Array(String)}'}
       ${crowd?.actors === undefined ? '' : `AND (${crowd.actors.sql})`}
     GROUP BY actor, hour HAVING calls > 0 ORDER BY actor, hour`,
    {
      ...where?.params,
      ...crowd?.actors?.params,
      ...params,
      ...(actors === undefined ? {} : { actors }),
    },
  )
}

/** What a day holds of one counting. */
export interface Counted extends HourCount {
  readonly counting: Counting
}

/** What is counted of each day, for every counting that is asked for. */
export async function readCounts(
  source: Source,
  { tenant, fromDay, toDay, keys }: Span,
  countings: readonly Counting[],
): Promise<Map<number, Counted[]>> {
  const days = new Map<number, Counted[]>()
  const different = Map.groupBy(countings, ({ measure, window }) => `${measure}/${window}`)
  for (const [counting] of different.values()) {
    if (counting === undefined) continue
    const { measure, window } = counting
    const actors = keys && [...keys]
    for (const row of await readHours(source, tenant, fromDay, toDay, { actors }, counting)) {
      const day = Math.floor(row.hour / windowsADay(counting))
      const known = days.get(day) ?? []
      days.set(day, known)
      known.push({ ...row, counting: { measure, window } })
    }
  }
  return days
}

/** The question up to its `WHERE`, to which conditions can be added. */
function selected(
  { where }: Source,
  tenant: string,
  fromDay: number,
  toDay: number,
  taught: boolean,
  counting: Counting,
): SqlCondition {
  const seconds = counting.window === '1h' ? 3600 : 86_400
  const slot = (time: string) => `intDiv(toUnixTimestamp(toDateTime(${time}, 'UTC')), ${seconds}) AS hour`
  if (counting.measure !== 'calls') {
    const events = eventsBetween(tenant, startOfDay(fromDay), startOfDay(toDay), where)
    return {
      sql: `SELECT actor, ${slot('occurred_at')}, ${MEASURE_SQL[counting.measure]} AS calls
        FROM events WHERE ${events.sql} ${taught ? `AND ${TEACHES}` : ''}`,
      params: events.params,
    }
  }
  const [table, time, calls] =
    where === undefined && isOfRollup(counting)
      ? ['calls_by_actor', 'bucket', taught ? 'sum(calls) - sum(late_calls)' : 'sum(calls)']
      : ['events', 'occurred_at', taught ? `sumIf(sign, ${TEACHES})` : 'sum(sign)']
  return {
    sql: `SELECT actor, ${slot(time)}, ${calls} AS calls FROM ${table}
      WHERE tenant = {tenant:String} AND ${time} >= {from:DateTime64(3, 'UTC')} AND ${time} < {to:DateTime64(3, 'UTC')}
        ${where === undefined ? '' : `AND (${where.sql})`}`,
    params: { tenant, from: clickHouseTime(startOfDay(fromDay)), to: clickHouseTime(startOfDay(toDay)) },
  }
}
