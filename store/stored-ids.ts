import { toClickHouse } from '../core/timestamp.ts'
import type { Database } from './database.ts'

/** Assembled events of one tenant to look for. */
export interface StoredIdsQuestion {
  readonly tenant: string
  readonly eventIds: readonly string[]
  /** Bounds of `occurred_at`, both inclusive, as `Timestamp`. */
  readonly from: string
  readonly to: string
}

/**
 * Which of the ids the assembler has stored with an `occurred_at` inside the bounds. The bounds are what keeps this cheap: the
 * primary key narrows them to a few granules, and live traffic mostly finds nothing at the first, smaller question.
 */
export async function findStoredIds(
  database: Database,
  { tenant, eventIds, from, to }: StoredIdsQuestion,
): Promise<Set<string>> {
  const inBounds = `FROM events WHERE tenant = {tenant:String}
    AND occurred_at >= {from:DateTime64(6, 'UTC')} AND occurred_at <= {to:DateTime64(6, 'UTC')}
    AND toDate(occurred_at) >= toDate({from:DateTime64(6, 'UTC')}) AND toDate(occurred_at) <= toDate({to:DateTime64(6, 'UTC')})`
  const bounds = { tenant, from: toClickHouse(from), to: toClickHouse(to) }
  const [any] = await database.query(`SELECT 1 ${inBounds} LIMIT 1`, bounds)
  if (any === undefined) return new Set()
  const rows = await database.query<{ event_id: string }>(
    `SELECT DISTINCT event_id ${inBounds} AND version > 0 AND event_id IN {ids:Array(String)}`,
    { ...bounds, ids: eventIds },
  )
  return new Set(rows.map((row) => row.event_id))
}
