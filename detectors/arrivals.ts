import { NOT_ACCESS_TENANT_SQL } from '../core/access-tenant.ts'
import type { Query, Touched } from './detector.ts'
import { dayOf } from './utc-day.ts'

/** Rows that become visible this long after their `recorded_at` are still noticed. */
const OVERLAP_US = 10 * 60_000_000

/** The store forgets what arrived after this long (TTL of `touched`, which drops whole days). */
const REMEMBERED_US = 7 * 86_400_000_000

/** What may be forgotten a moment later counts as forgotten. */
const FORGETS_SOON_US = 6 * 3_600_000_000

/** Arrivals that the store remembers no more: their calls are found by when they were recorded. */
export interface ForgottenArrivals {
  /** Recorded after this time and up to that one, microseconds of the store’s clock. */
  readonly afterUs: number
  readonly throughUs: number
}

/**
 * What has been forgotten behind a watermark, because nobody read it for too long.
 * @param known what was already seen to
 */
export function forgottenBehind(
  fromUs: number,
  nowUs: number,
  known: ForgottenArrivals | undefined,
): ForgottenArrivals | undefined {
  const forgottenUs = nowUs - REMEMBERED_US + FORGETS_SOON_US / 6
  if (fromUs >= forgottenUs) return undefined
  if (known !== undefined && fromUs > known.afterUs && forgottenUs <= known.throughUs) return undefined
  return { afterUs: Math.max(0, fromUs - OVERLAP_US), throughUs: nowUs - REMEMBERED_US + FORGETS_SOON_US }
}

/** Each tenant with calls among forgotten arrivals, with the first day that they are of. Reads all events’ times, once. */
export function readForgotten(
  query: Query,
  { afterUs, throughUs }: ForgottenArrivals,
): Promise<{ tenant: string; day: number; rows: number }[]> {
  return query(
    `SELECT tenant, toUInt32(min(toDate(occurred_at))) AS day, toUInt64(count()) AS rows FROM events
     WHERE recorded_at > fromUnixTimestamp64Micro({after:Int64}, 'UTC')
       AND recorded_at <= fromUnixTimestamp64Micro({through:Int64}, 'UTC') AND ${NOT_ACCESS_TENANT_SQL}
     GROUP BY tenant ORDER BY tenant`,
    { after: afterUs, through: throughUs },
  )
}

/** A tenant’s UTC day that an arrival touched after the allowed lateness had passed. */
export interface LateDay {
  readonly tenant: string
  readonly day: number
  readonly rows: number
}

/** Rows of a tenant’s UTC day that wait to be read. */
export interface WaitingDay {
  readonly tenant: string
  readonly day: number
  readonly rows: number
}

/** What arrived between two points of the store’s clock. */
export interface Slice {
  /** Distinct, without those of `late`. */
  readonly touched: readonly Touched[]
  /** Days that are older than the allowed lateness: work for the backfill. */
  readonly late: readonly LateDay[]
  /** Calls in the slice, late ones too. */
  readonly rows: number
  /** Late calls that no slice had before: what is read again is not counted again. */
  readonly lateRows: number
  /** Everything recorded up to here is in this slice or was before: microseconds of the store’s own clock. */
  readonly throughUs: number
  /** Calls that arrived in the last ten minutes up to `throughUs`; remembered until the next slice. */
  readonly overlapRows: number
  /** Of these, the late ones. */
  readonly overlapLateRows: number
  /** Calls that wait behind `throughUs`. */
  readonly waiting: number
  /** The store’s clock when the slice was read, microseconds. */
  readonly nowUs: number
}

/** How far arrivals were read. */
export interface ReadThrough {
  readonly throughUs: number
  readonly overlapRows: number
  /** Absent: as many as there are now. */
  readonly overlapLateRows?: number
}

export interface SliceOptions {
  /** Inserts are expected to be visible after this long; later ones are noticed too. */
  readonly settleMs: number
  /** Calls in a slice; a single insert is never cut, so a slice may be larger by one insert. */
  readonly rows: number
  /** Days that a call may be late and is still judged by the live tick. */
  readonly latenessDays: number
  /** Read no further than this, microseconds. */
  readonly untilUs?: number
}

/**
 * The next slice of arrivals after `since`. Without `since`, an empty slice that ends now: where the store’s clock is.
 *
 * An insert can become visible after a slice has passed its time. So the calls of the last ten minutes are counted, and
 * these minutes are read again when the count has grown.
 */
export async function readSlice(
  query: Query,
  since: ReadThrough | undefined,
  options: SliceOptions,
): Promise<Slice> {
  const settleUs = options.settleMs * 1000
  const fromUs = since?.throughUs ?? (await storeClock(query)) - settleUs
  // Counted before it is read: what appears in between is read now and found grown at the next slice.
  const blocks = await query<Block & { nowUs: number }>(
    `SELECT toUnixTimestamp64Micro(recorded_at) AS recordedUs, sum(touched.rows) AS rows,
       sumIf(touched.rows, ${IS_LATE} AND ${NOT_ACCESS_TENANT_SQL}) AS late,
       toUnixTimestamp64Micro(now64(6)) AS nowUs
     FROM touched
     WHERE recorded_at > fromUnixTimestamp64Micro({since:Int64}, 'UTC') AND dimension = 'actor'
     GROUP BY recorded_at ORDER BY recorded_at LIMIT ${MAX_BLOCKS}`,
    { since: Math.max(0, fromUs - OVERLAP_US), lateness: options.latenessDays },
  )
  const nowUs = blocks[0]?.nowUs ?? (await storeClock(query))
  const limitUs = Math.min(Math.max(nowUs - settleUs, fromUs), options.untilUs ?? Number.POSITIVE_INFINITY)
  if (since === undefined) {
    const overlapRows = sumOf(blocks, fromUs - OVERLAP_US, fromUs)
    const overlapLateRows = lateOf(blocks, fromUs - OVERLAP_US, fromUs)
    return { ...NOTHING, throughUs: fromUs, overlapRows, overlapLateRows, nowUs }
  }
  const { throughUs, rows, waiting } = endOf(blocks, fromUs, limitUs, options.rows)
  const grown = sumOf(blocks, fromUs - OVERLAP_US, fromUs) > since.overlapRows
  const overlapRows = sumOf(blocks, throughUs - OVERLAP_US, throughUs)
  const overlapLateRows = lateOf(blocks, throughUs - OVERLAP_US, throughUs)
  const known = since.overlapLateRows ?? Number.POSITIVE_INFINITY
  const lateRows =
    lateOf(blocks, fromUs, throughUs) + Math.max(0, lateOf(blocks, fromUs - OVERLAP_US, fromUs) - known)
  if (rows === 0 && !grown) return { ...NOTHING, throughUs, overlapRows, overlapLateRows, waiting, nowUs }
  const bounds = { since: grown ? fromUs - OVERLAP_US : fromUs, through: throughUs }
  return {
    ...(await readTouched(query, bounds, options.latenessDays)),
    ...{ rows, lateRows, throughUs, overlapRows, overlapLateRows, waiting, nowUs },
  }
}

const NOTHING = { touched: [], late: [], rows: 0, lateRows: 0, overlapRows: 0, waiting: 0 } as const

/** Whether arrivals came later than is allowed. */
const IS_LATE = 'toUInt32(toDate(recorded_at)) > toUInt32(toDate(bucket)) + {lateness:UInt32}'

/** Inserts that one question counts; what lies behind them is the next slice’s. */
const MAX_BLOCKS = 100_000

interface Block {
  readonly recordedUs: number
  readonly rows: number
  /** Of these, the late ones. */
  readonly late: number
}

/** Where a slice of so many calls ends: after the insert that fills it, or at the limit when all fits. */
function endOf(blocks: readonly Block[], fromUs: number, limitUs: number, sliceRows: number) {
  let rows = 0
  let waiting = 0
  let throughUs: number | undefined
  for (const block of blocks) {
    if (block.recordedUs <= fromUs || block.recordedUs > limitUs) continue
    if (throughUs === undefined) rows += block.rows
    else waiting += block.rows
    if (rows >= sliceRows) throughUs ??= block.recordedUs
  }
  const last = blocks.at(-1)
  // Cut by MAX_BLOCKS: nothing is known of what lies behind the last one.
  if (throughUs === undefined && blocks.length === MAX_BLOCKS && last !== undefined)
    throughUs = Math.max(fromUs, last.recordedUs)
  return { rows, waiting, throughUs: throughUs ?? limitUs }
}

const sumOf = (blocks: readonly Block[], afterUs: number, throughUs: number): number =>
  blocks.reduce(
    (sum, { recordedUs, rows }) => (recordedUs > afterUs && recordedUs <= throughUs ? sum + rows : sum),
    0,
  )

const lateOf = (blocks: readonly Block[], afterUs: number, throughUs: number): number =>
  blocks.reduce(
    (sum, { recordedUs, late }) => (recordedUs > afterUs && recordedUs <= throughUs ? sum + late : sum),
    0,
  )

/** What waits after a point of the store’s clock (microseconds), by tenant and UTC day; days ascending. */
export function readWaiting(query: Query, afterUs: number): Promise<WaitingDay[]> {
  return query<WaitingDay>(
    `SELECT tenant, toUInt32(toDate(bucket)) AS day, sum(rows) AS rows FROM touched
     WHERE recorded_at > fromUnixTimestamp64Micro({after:Int64}, 'UTC') AND dimension = 'actor'
       AND ${NOT_ACCESS_TENANT_SQL}
     GROUP BY tenant, day ORDER BY tenant, day`,
    { after: afterUs },
  )
}

async function readTouched(
  query: Query,
  bounds: { readonly since: number; readonly through: number },
  latenessDays: number,
): Promise<Pick<Slice, 'touched' | 'late'>> {
  const between = `recorded_at > fromUnixTimestamp64Micro({since:Int64}, 'UTC')
       AND recorded_at <= fromUnixTimestamp64Micro({through:Int64}, 'UTC') AND ${NOT_ACCESS_TENANT_SQL}`
  const params = { ...bounds, lateness: latenessDays }
  const touched = await query<Omit<Touched, 'bucketMs'> & { bucket: number }>(
    `SELECT DISTINCT tenant, dimension, toUnixTimestamp(bucket) AS bucket, server, key
     FROM touched WHERE ${between} AND NOT (${IS_LATE}) ORDER BY tenant, dimension, bucket, server, key`,
    params,
  )
  const late = await query<{ tenant: string; day: number; rows: number }>(
    `SELECT tenant, toUInt32(toDate(bucket)) AS day, sum(rows) AS rows
     FROM touched WHERE ${between} AND dimension = 'actor' AND ${IS_LATE}
     GROUP BY tenant, day ORDER BY tenant, day`,
    params,
  )
  return { touched: touched.map(({ bucket, ...row }) => ({ ...row, bucketMs: bucket * 1000 })), late }
}

async function storeClock(query: Query): Promise<number> {
  const [clock] = await query<{ nowUs: number }>('SELECT toUnixTimestamp64Micro(now64(6)) AS nowUs')
  return clock?.nowUs ?? 0
}

/** The UTC day of a time in microseconds. */
export const dayOfUs = (us: number): number => dayOf(us / 1000)
