import { randomUUID } from 'node:crypto'
import { GatewatchError } from '../core/errors.ts'
import type { Database } from './database.ts'
import { EVENTS_PARTITION, isEventsPartition } from './partition-key.ts'
import { alone } from './store-lock.ts'
import { createWatermarks } from './watermarks.ts'

const NEXT = 'events_next'
const ROUNDS = 3

/** A day of `events`: what its rows sum up to, whether or not pairs that cancel each other were merged away. */
interface DaySum {
  readonly day: string
  readonly events: number
  readonly digest: string
}

/** Whether `events` has the partition key that it shall have, and nothing is left of a change of it. */
export async function isCarried(database: Database): Promise<boolean> {
  const tables = await keysOf(database)
  const events = tables.get('events')
  return events !== undefined && (events.distributed || (isEventsPartition(events.key) && !tables.has(NEXT)))
}

/** Whether `events` holds nothing. */
export async function isEmpty(database: Database): Promise<boolean> {
  const rows = await database.query('SELECT 1 FROM events LIMIT 1')
  return rows.length === 0
}

/**
 * Carries `events` over to the partition key of today: a second table with the same columns is filled day by day, compared
 * with the first, and takes its place in one step. The views go on with the new table, because they find it by its name.
 * Whatever interrupts it, the next call goes on: a day that is there whole is not copied again.
 *
 * The new table knows no token of the old one. So nothing may be under way whose outcome is unknown: the caller has
 * emptied the segment log, and other processes are stopped. What others write meanwhile is noticed, and keeps the old
 * table from being removed.
 * @param note says to people how far it is
 * @returns whether anything was to do
 * @throws GatewatchError as `Database`; the store is then as it was, and the next call goes on
 */
export const carryEvents = (database: Database, note: (text: string) => void): Promise<boolean> =>
  alone(
    database,
    { name: 'carry-events', holder: randomUUID(), isDone: () => isCarried(database) },
    async () => {
      const before = await keysOf(database)
      if (!isEventsPartition(before.get('events')?.key ?? '')) {
        await fill(database, note)
        await rememberNewest(database)
        await database.command(`EXCHANGE TABLES events AND ${NEXT}`)
      }
      await removeOld(database, note)
    },
  )

async function fill(database: Database, note: (text: string) => void): Promise<void> {
  await database.command(`CREATE TABLE IF NOT EXISTS ${NEXT} AS events ENGINE = ${await engineOf(database)}`)
  for (let round = 1; ; round++) {
    const missing = await differences(database)
    if (missing.length === 0) return
    // Each round copies what was written while the last one ran: without other writers there is none.
    if (round > ROUNDS) {
      throw new GatewatchError(
        'store_unavailable',
        'Another process writes to the store while its events are carried over.',
        {
          remedy: 'Stop all gatewatch processes but this one, then start again.',
        },
      )
    }
    const total = missing.reduce((sum, { events }) => sum + events, 0)
    let done = 0
    for (const { day, events, present } of missing) {
      if (present)
        await database.command(
          `ALTER TABLE ${NEXT} DELETE WHERE toDate(occurred_at) = '${day}' SETTINGS mutations_sync = 2`,
        )
      await database.command(
        `INSERT INTO ${NEXT} SELECT * FROM events WHERE toDate(occurred_at) = '${day}'
         SETTINGS optimize_on_insert = 0, insert_deduplicate = 0, max_partitions_per_insert_block = 0, async_insert = 0, max_execution_time = 0`,
      )
      done += events
      note(`store: carrying events over to weekly partitions: ${day}, ${done} of ${total} events`)
    }
  }
}

// Days of the old table that are not the same in the new one.
async function differences(database: Database): Promise<(DaySum & { readonly present: boolean })[]> {
  const there = new Map((await daySums(database, NEXT)).map((row) => [row.day, row]))
  return (await daySums(database, 'events'))
    .filter(({ day, events, digest }) => {
      const { events: copied = 0, digest: copy = '0' } = there.get(day) ?? {}
      return copied !== events || copy !== digest
    })
    .map((row) => ({ ...row, present: there.has(row.day) }))
}

const daySums = (database: Database, table: string): Promise<DaySum[]> =>
  database.query<DaySum>(
    `SELECT toString(toDate(occurred_at)) AS day, sum(toInt64(sign)) AS events,
            toString(sum(toInt64(sign) * toInt64(cityHash64(tenant, actor, occurred_at, event_id, version) % 4294967296))) AS digest
     FROM ${table} GROUP BY day ORDER BY day`,
  )

/** The old table is under the other name now. It goes, unless somebody has written to it to the end. */
async function removeOld(database: Database, note: (text: string) => void): Promise<void> {
  const left = (await keysOf(database)).get(NEXT)
  if (left === undefined) return
  if (!isEventsPartition(left.key) && (await lateRows(database)) > 0) {
    const kept = `events_before_${Date.now()}`
    await database.command(`RENAME TABLE ${NEXT} TO ${kept}`)
    note(`store: another process wrote events while they were carried over; the table ${kept} still has them`)
    return
  }
  await database.command(`DROP TABLE ${NEXT} SYNC`)
}

const MARK = 'carry-events/newest'

// What is in the old table and newer than this came after it was compared.
async function rememberNewest(database: Database): Promise<void> {
  const watermarks = createWatermarks(database)
  const [row] = await database.query<{ us: number }>(
    "SELECT toUnixTimestamp64Micro(greatest(max(recorded_at), toDateTime64('2020-01-01 00:00:00', 6, 'UTC'))) AS us FROM events",
  )
  const version = ((await watermarks.read(MARK))?.version ?? 0) + 1
  await watermarks.write(MARK, { recordedThroughUs: row?.us ?? 0, version, body: '' })
}

async function lateRows(database: Database): Promise<number> {
  const mark = await createWatermarks(database).read(MARK)
  const [row] = await database.query<{ rows: number }>(
    `SELECT count() AS rows FROM ${NEXT} WHERE recorded_at > fromUnixTimestamp64Micro({us:Int64})`,
    { us: mark?.recordedThroughUs ?? 0 },
  )
  return row?.rows ?? 0
}

// The engine with all that belongs to it, and the new key in the old one’s place.
async function engineOf(database: Database): Promise<string> {
  const [row] = await database.query<{ engine: string; key: string }>(
    "SELECT engine_full AS engine, partition_key AS key FROM system.tables WHERE database = currentDatabase() AND name = 'events'",
  )
  const old = `PARTITION BY ${row?.key ?? ''}`
  if (row === undefined || !row.engine.includes(old)) {
    throw new GatewatchError('store_rejected', 'The table events is not as the migrations made it.', {
      remedy: 'Compare it with store/migrations; somebody has changed it.',
    })
  }
  return row.engine.replace(old, `PARTITION BY ${EVENTS_PARTITION}`)
}

async function keysOf(
  database: Database,
): Promise<ReadonlyMap<string, { readonly key: string; readonly distributed: boolean }>> {
  const rows = await database.query<{ name: string; key: string; engine: string }>(
    'SELECT name, partition_key AS key, engine FROM system.tables WHERE database = currentDatabase() AND name IN {names:Array(String)}',
    { names: ['events', NEXT] },
  )
  return new Map(rows.map(({ name, key, engine }) => [name, { key, distributed: engine === 'Distributed' }]))
}
