import type { Query, Touched } from './detector.ts'

/** Rows that become visible this long after their `recorded_at` are still noticed. */
export const OVERLAP_MS = 10 * 60_000

interface Read {
  readonly touched: readonly Touched[]
  /** Number of arrived rows in the last `OVERLAP_MS` up to `through`; remembered until the next tick. */
  readonly overlapRows: number
}

/** Microseconds of the store’s own clock, less `settleMs`: inserts up to there are expected to be visible. */
export async function settledMoment(query: Query, settleMs: number): Promise<number> {
  const rows = await query<{ now: number }>('SELECT toUnixTimestamp64Micro(now64(6)) AS now')
  return (rows[0]?.now ?? 0) - settleMs * 1000
}

/**
 * What arrived after `fromUs` up to `throughUs` (microseconds of `recorded_at`). An insert can become visible after a
 * tick has passed its time; so the rows of the last minutes are counted, and read again when they have grown.
 */
export async function readArrivals(
  query: Query,
  { fromUs, throughUs, overlapRows }: { fromUs: number; throughUs: number; overlapRows: number },
): Promise<Read> {
  const before = await countRows(query, fromUs - OVERLAP_MS * 1000, fromUs)
  // Counted before it is read: what appears in between is read now and found grown at the next tick.
  const remembered = await countRows(query, throughUs - OVERLAP_MS * 1000, throughUs)
  const sinceUs = before > overlapRows ? fromUs - OVERLAP_MS * 1000 : fromUs
  const rows = await query<{
    tenant: string
    bucket: number
    actor: string
    server: string
    tool: string
    chain: string
  }>(
    `SELECT DISTINCT tenant, toUnixTimestamp(bucket) AS bucket, actor, mcp_server_name AS server, gen_ai_tool_name AS tool, chain
     FROM arrivals
     WHERE recorded_at > fromUnixTimestamp64Micro({since:Int64}, 'UTC') AND recorded_at <= fromUnixTimestamp64Micro({through:Int64}, 'UTC')
     ORDER BY tenant, bucket, actor, server, tool, chain`,
    { since: sinceUs, through: throughUs },
  )
  return {
    touched: rows.map((row) => ({
      tenant: row.tenant,
      bucketMs: row.bucket * 1000,
      actor: row.actor,
      server: row.server,
      tool: row.tool,
      chain: row.chain,
    })),
    overlapRows: remembered,
  }
}

async function countRows(query: Query, fromUs: number, throughUs: number): Promise<number> {
  const rows = await query<{ rows: number }>(
    `SELECT sum(rows) AS rows FROM arrivals
     WHERE recorded_at > fromUnixTimestamp64Micro({since:Int64}, 'UTC') AND recorded_at <= fromUnixTimestamp64Micro({through:Int64}, 'UTC')`,
    { since: fromUs, through: throughUs },
  )
  return rows[0]?.rows ?? 0
}
