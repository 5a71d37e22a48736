import { fromClickHouse } from '../core/timestamp.ts'
import type { Database } from './database.ts'

/** Events of one source that came within an hour under ids which other events had. */
export interface ConflictRate {
  readonly tenant: string
  readonly topic: string
  readonly count: number
  /** The hour, ISO 8601 UTC, end exclusive. */
  readonly from: string
  readonly to: string
  /** One of the events, and the id that it came with. */
  readonly eventId: string
  readonly claimedId: string
}

const MOST = 1000

/** Of this hour and the one before, by source and hour. Errors: see `Database`. */
export async function conflictRates(database: Database): Promise<ConflictRate[]> {
  const rows = await database.query<ConflictRate>(
    `SELECT tenant, topic, toUInt32(count()) AS count, toString(toStartOfHour(recorded_at)) AS from,
       toString(toStartOfHour(recorded_at) + INTERVAL 1 HOUR) AS to,
       argMin(event_id, id_conflicts.recorded_at) AS eventId, argMin(conflicting_event_id, id_conflicts.recorded_at) AS claimedId
     FROM id_conflicts WHERE recorded_at >= toStartOfHour(now64(6)) - INTERVAL 1 HOUR
     GROUP BY tenant, topic, toStartOfHour(recorded_at) ORDER BY count DESC, tenant, topic, from LIMIT ${MOST}`,
  )
  return rows.map((row) => ({ ...row, from: fromClickHouse(row.from), to: fromClickHouse(row.to) }))
}
