import type { Database } from './database.ts'

/** How many events of the last day are stored more than once. Errors: those of `Database.query`. */
export async function countDoubledEvents(database: Database): Promise<number> {
  const [row] = await database.query<{ doubled: number }>(
    `SELECT toInt64(sum(sign)) - toInt64(uniqExact(tenant, event_id)) AS doubled FROM events
     WHERE occurred_at > now64(6) - INTERVAL 1 DAY HAVING count() > 0`,
  )
  return Number(row?.doubled ?? 0)
}
