import type { Query, Touched } from './detector.ts'

/** Rows that become visible this long after their `recorded_at` are still noticed. */
const OVERLAP_US = 10 * 60_000_000

interface Arrived {
  readonly touched: readonly Touched[]
  /** Everything recorded up to here is in `touched` or was before: microseconds of the store’s own clock. */
  readonly throughUs: number
  /** Number of arrived rows in the last ten minutes up to `throughUs`; remembered until the next tick. */
  readonly overlapRows: number
}

/**
 * What arrived since a tick that came to `since.throughUs`, up to now less `settleMs`, when inserts are expected to be
 * visible. An insert can become visible after a tick has passed its time; so the rows of the last minutes are counted,
 * and read again when they have grown. Without `since`, only where the store’s clock is.
 */
export async function readArrivals(
  query: Query,
  settleMs: number,
  since: Pick<Arrived, 'throughUs' | 'overlapRows'> | undefined,
): Promise<Arrived> {
  const fromUs = since?.throughUs ?? 0
  // Counted before it is read: what appears in between is read now and found grown at the next tick.
  const [counted] = await query<{ throughUs: number; before: number; overlapRows: number; arrived: number }>(
    `WITH greatest(toUnixTimestamp64Micro(now64(6)) - {settle:Int64}, {from:Int64}) AS through,
       toUnixTimestamp64Micro(recorded_at) AS recorded
     SELECT through AS throughUs,
       sumIf(rows, recorded <= {from:Int64}) AS before,
       sumIf(rows, recorded > through - ${OVERLAP_US} AND recorded <= through) AS overlapRows,
       countIf(recorded > {from:Int64} AND recorded <= through) AS arrived
     FROM arrivals WHERE recorded_at > fromUnixTimestamp64Micro({since:Int64}, 'UTC')`,
    { settle: settleMs * 1000, from: fromUs, since: Math.max(0, fromUs - OVERLAP_US) },
  )
  const { throughUs = fromUs, before = 0, overlapRows = 0, arrived = 0 } = counted ?? {}
  const grown = before > (since?.overlapRows ?? 0)
  if (since === undefined || (arrived === 0 && !grown)) return { touched: [], throughUs, overlapRows }
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
    { since: grown ? fromUs - OVERLAP_US : fromUs, through: throughUs },
  )
  const touched = rows.map(({ bucket, ...row }) => ({ ...row, bucketMs: bucket * 1000 }))
  return { touched, throughUs, overlapRows }
}
