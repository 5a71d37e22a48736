import type { Database } from './database.ts'

/** How long something is kept, in days; 0 or absent: for good. */
export interface KeptDays {
  readonly events?: number
  /** Counts per actor and tool, and baselines: without contents. */
  readonly rollups?: number
}

export interface RetentionPolicy extends KeptDays {
  /** What is otherwise for single tenants. */
  readonly tenants: ReadonlyMap<string, KeptDays>
}

/** What is past its time, of one tenant in one table. */
export interface Expired {
  readonly table: string
  readonly tenant: string
  readonly rows: number
  /** The days that the rows are of, both inclusive: `2026-05-04`. */
  readonly from: string
  readonly to: string
  /** The partition that goes as a whole; absent where rows are deleted out of a partition that others share. */
  readonly partition?: string
}

interface KeptTable {
  readonly table: string
  readonly kind: keyof KeptDays
  /** Column with the time of the row. */
  readonly time: string
  /** Whether a partition is one tenant’s week and goes as a whole. */
  readonly byPartition: boolean
  /** Columns of a thing that may lie in several rows until they merge: it goes when its last row is past. */
  readonly parts?: readonly string[]
}

const TABLES: readonly KeptTable[] = [
  { table: 'events', kind: 'events', time: 'occurred_at', byPartition: true },
  { table: 'events_by_time', kind: 'events', time: 'occurred_at', byPartition: true },
  // Ids of events that are gone tell nothing any more; a month of them goes at once.
  { table: 'event_ids', kind: 'events', time: 'day', byPartition: false },
  { table: 'calls_by_actor', kind: 'rollups', time: 'bucket', byPartition: false },
  { table: 'calls_by_tool', kind: 'rollups', time: 'bucket', byPartition: false },
  {
    ...{ table: 'tools_by_actor', kind: 'rollups', time: 'last_seen', byPartition: false },
    parts: ['actor', 'mcp_server_name', 'gen_ai_tool_name'],
  },
  { table: 'profiles', kind: 'rollups', time: 'day', byPartition: false },
]

/**
 * What is past its time on a day, oldest first; changes nothing. A week of events goes when its last day is past, so
 * events stay up to six days longer than the policy says; rollups go by months.
 * @param today UTC: `2026-05-04`
 */
export async function expiredOn(
  database: Database,
  policy: RetentionPolicy,
  today: string,
): Promise<Expired[]> {
  const found: Expired[] = []
  for (const table of TABLES) {
    const days = daysOf(policy, table.kind)
    if (days === undefined) continue
    found.push(...(await expiredIn(database, table, days, today)))
  }
  return found
}

/** Removes what `expiredOn` found. Once more does no harm. */
export async function removeExpired(database: Database, expired: Expired): Promise<void> {
  const { table, partition, tenant, to } = expired
  if (partition !== undefined) {
    await database.command(`ALTER TABLE ${table} DROP PARTITION ID '${partition.replaceAll(/[^\w-]/g, '')}'`)
    return
  }
  const known = TABLES.find((each) => each.table === table)
  if (known === undefined) return
  const { time, parts } = known
  const past =
    parts === undefined
      ? `toDate(${time}) <= {to:Date}`
      : `(${parts.join(', ')}) IN (
          SELECT ${parts.join(', ')} FROM ${table} WHERE tenant = {tenant:String}
          GROUP BY ${parts.join(', ')} HAVING toDate(max(${table}.${time})) <= {to:Date})`
  await database.command(
    `ALTER TABLE ${table} DELETE WHERE tenant = {tenant:String} AND ${past} SETTINGS mutations_sync = 2`,
    { tenant, to },
  )
}

interface Days {
  readonly tenants: readonly string[]
  readonly days: readonly number[]
  readonly otherwise: number
}

// 0 stands for good. Nothing at all where nobody has an end.
function daysOf({ tenants, ...all }: RetentionPolicy, kind: keyof KeptDays): Days | undefined {
  const otherwise = all[kind] ?? 0
  const own = [...tenants].map(([tenant, kept]) => [tenant, kept[kind] ?? otherwise] as const)
  if (otherwise === 0 && own.every(([, days]) => days === 0)) return undefined
  return { tenants: own.map(([tenant]) => tenant), days: own.map(([, days]) => days), otherwise }
}

async function expiredIn(
  database: Database,
  { table, time, byPartition, parts }: KeptTable,
  { tenants, days, otherwise }: Days,
  today: string,
): Promise<Expired[]> {
  // The last day of what goes together: a tenant’s week of events, a tenant’s month of a rollup.
  const last = byPartition ? `toMonday(${time}) + 6` : `toLastDayOfMonth(${time})`
  // The shortest of all bounds what is looked at; what is past it is little, because the rest went before.
  const shortest = Math.min(...[...days, otherwise].filter((each) => each > 0))
  const keep = 'transform(tenant, {tenants:Array(String)}, {days:Array(Int32)}, {otherwise:Int32})'
  const rows =
    parts === undefined
      ? table
      : `(SELECT tenant, max(one.${time}) AS ${time} FROM ${table} AS one GROUP BY tenant, ${parts.join(', ')})`
  return database.query<Expired>(
    `SELECT '${table}' AS table, tenant, toUInt64(count()) AS rows, toString(min(toDate(${time}))) AS from,
            toString(max(toDate(${time}))) AS to${byPartition ? ', any(_partition_id) AS partition' : ''}
     FROM ${rows}
     WHERE toDate(${time}) < toDate({today:String}) - {shortest:Int32}
       AND ${keep} > 0 AND ${last} < toDate({today:String}) - ${keep}
     GROUP BY tenant, ${last}
     ORDER BY from, tenant`,
    { tenants, days, otherwise, shortest, today },
  )
}
