import { fork } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { carryOver } from '../../../app/wire/carry-over.ts'
import { carryEvents, isCarried } from '../../../store/carry-events.ts'
import { openEmbedded } from '../../../store/clickhouse.ts'
import type { Database } from '../../../store/database.ts'
import { EVENT_COLUMNS, eventRow } from '../../../store/event-rows.ts'
import { migrate } from '../../../store/migrate.ts'
import { EVENTS_PARTITION } from '../../../store/partition-key.ts'
import { smallEvent } from '../../helpers/events.ts'

const PROCESS = fileURLToPath(new URL('./carry-events-process.ts', import.meta.url))
const DAYS = ['2001-02-03', '2026-04-30', '2026-05-01', '2026-05-04', '2026-06-30']
const TENANTS = ['acme', "o'brien \\ söhne", 'globex']

// Every row with all its columns, and what the rollups say. The same for pairs that are merged away and for those that wait.
const CONTENTS = `SELECT (SELECT sum(toInt64(sign)) FROM events) AS events,
  (SELECT toString(sum(toInt64(sign) * toInt64(cityHash64(*) % 1000000007))) FROM (SELECT * EXCEPT (sign), sign FROM events)) AS rows,
  (SELECT sum(calls) FROM calls_by_actor) AS by_actor, (SELECT sum(calls) FROM calls_by_tool) AS by_tool,
  (SELECT sum(calls) FROM tools_by_actor) AS tools`

let template: string
let folder: string
let path: string
let database: Database
const insert = (rows: readonly string[], token: string, columns: readonly string[] = EVENT_COLUMNS) =>
  database.insert({ table: 'events', columns, rows: Buffer.from(`${rows.join('\n')}\n`), token })
const contents = async () =>
  (
    await database.query<{ events: number; rows: string; by_actor: number; by_tool: number; tools: number }>(
      CONTENTS,
    )
  )[0]

/** A store as the migrations alone leave it, with events of five days, and one of them corrected. */
async function makeOldStore(at: string): Promise<void> {
  database = await openEmbedded({ path: at })
  await migrate(database)
  // As it was before: by months, with the views behind it.
  await database.command(
    'CREATE TABLE by_month AS events ENGINE = VersionedCollapsingMergeTree(sign, version) PARTITION BY toYYYYMM(occurred_at) ORDER BY (tenant, toDate(occurred_at), actor, occurred_at, event_id) SETTINGS non_replicated_deduplication_window = 10000',
  )
  await database.command('EXCHANGE TABLES events AND by_month')
  await database.command('DROP TABLE by_month SYNC')
  expect(await isCarried(database)).toBe(false)
  const events = DAYS.flatMap((day, at) =>
    TENANTS.flatMap((tenant, of) =>
      Array.from({ length: 20 }, (_, index) =>
        smallEvent({
          tenant,
          event_id: `${tenant}/${day}/${index}`,
          offset: at * 100 + of * 20 + index,
          occurred_at: `${day}T12:00:${String(index).padStart(2, '0')}.000000Z`,
        }),
      ),
    ),
  )
  await insert(events.map(eventRow), 'old')
  const [corrected] = events
  if (corrected === undefined) throw new Error('There is no event.')
  const version = (event: typeof corrected, sign: number, number: number) =>
    JSON.stringify([...JSON.parse(eventRow(event)), sign, number])
  await insert(
    [version(corrected, -1, 0), version({ ...corrected, outcome: 'failure' }, 1, 1)],
    'corrected',
    [...EVENT_COLUMNS, 'sign', 'version'],
  )
}

beforeAll(async () => {
  template = await mkdtemp(join(tmpdir(), 'gatewatch-carry-'))
  await makeOldStore(join(template, 'store'))
  await database.close()
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-carry-'))
  path = join(folder, 'store')
  // The engine keeps a table's metadata behind links, which stay links within the copy.
  await cp(join(template, 'store'), path, { recursive: true, verbatimSymlinks: true })
  database = await openEmbedded({ path })
})
afterEach(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})
afterAll(() => rm(template, { recursive: true, force: true }))

const partitionKey = async () =>
  (
    await database.query<{ key: string }>(
      "SELECT partition_key AS key FROM system.tables WHERE database = currentDatabase() AND name = 'events'",
    )
  )[0]?.key
const otherTables = async () =>
  (
    await database.query<{ name: string }>(
      "SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE 'events%'",
    )
  )
    .map(({ name }) => name)
    .filter((name) => /^events_(next|before)/.test(name))

/** As `database`, but the process “ends” after so many statements that change something. */
function endingAfter(statements: number): Database {
  let left = statements
  return {
    ...database,
    command: async (sql, params) => {
      if (left === 0) throw new Error('ended')
      left -= 1
      await database.command(sql, params)
    },
  }
}

describe('carrying events over to the partitions of today', () => {
  it('keeps every row, every rollup and the views', async () => {
    const before = await contents()
    const notes: string[] = []
    expect(await carryEvents(database, (text) => notes.push(text))).toBe(true)
    expect(await contents()).toEqual(before)
    expect(await partitionKey()).toBe(EVENTS_PARTITION)
    expect(notes.at(-1)).toContain('2026-06-30, 300 of 300 events')
    expect(await otherTables()).toEqual([])
    const row = eventRow(smallEvent({ tenant: 'acme', event_id: 'new', offset: 9999 }))
    await insert([row], 'new')
    await insert([row], 'new')
    const numbers = await contents()
    for (const name of ['events', 'by_actor', 'by_tool', 'tools'] as const)
      expect(numbers?.[name], name).toBe((before?.[name] ?? 0) + 1)
    expect(await carryEvents(database, () => {})).toBe(false)
  })

  it('goes on after every statement that it was ended at', async () => {
    const before = await contents()
    let ends = 0
    // Each time one statement beyond the first, which makes the table where it is not there.
    for (; !(await isCarried(database)); ends++) {
      await carryEvents(endingAfter(ends === 0 ? 1 : 2), () => {}).catch((error: unknown) => {
        expect(String(error)).toContain('ended')
      })
      expect(ends).toBeLessThan(30)
    }
    // Made, five days, exchanged, dropped.
    expect(ends).toBeGreaterThan(7)
    expect(await contents()).toEqual(before)
    expect(await otherTables()).toEqual([])
  })

  it('copies a day again that was copied in part', async () => {
    const before = await contents()
    await carryEvents(endingAfter(1), () => {}).catch(() => {})
    await database.command(
      "INSERT INTO events_next SELECT * FROM events WHERE toDate(occurred_at) = '2026-05-04' LIMIT 7",
    )
    await carryEvents(database, () => {})
    expect(await contents()).toEqual(before)
  })

  it('goes on after kill -9 in the middle of a copy', async () => {
    const before = await contents()
    await database.close()
    const child = fork(PROCESS, [path], { execArgv: [] })
    const [, signal] = await once(child, 'exit')
    expect(signal).toBe('SIGKILL')
    database = await openEmbedded({ path })
    expect(await isCarried(database)).toBe(false)
    await carryEvents(database, () => {})
    expect(await contents()).toEqual(before)
  })

  it('copies what another process wrote meanwhile, and keeps what came at the very end', async () => {
    const late = (id: string) => eventRow(smallEvent({ tenant: 'acme', event_id: id, offset: 7000 }))
    let copied = 0
    await carryEvents(
      {
        ...database,
        command: async (sql, params) => {
          if (sql.startsWith('INSERT INTO events_next') && copied++ === 0)
            await insert([late('during')], 'during')
          if (sql.startsWith('EXCHANGE')) await insert([late('at the end')], 'end')
          await database.command(sql, params)
        },
      },
      () => {},
    )
    const ids = await database.query<{ event_id: string }>('SELECT event_id FROM events WHERE offset = 7000')
    expect(ids).toEqual([{ event_id: 'during' }])
    const [kept = ''] = await otherTables()
    expect(kept).toMatch(/^events_before_/)
    expect(await database.query(`SELECT event_id FROM ${kept} WHERE event_id = 'at the end'`)).toHaveLength(1)
  })

  it('waits until what was accepted before is stored', async () => {
    const notes: string[] = []
    const status = (waitingSegments: number) =>
      ({ status: () => ({ waitingBytes: 0, waitingSegments }) }) as never
    await carryOver(database, status(1), (text) => notes.push(text), 100)
    expect(await isCarried(database)).toBe(false)
    expect(notes.join()).toContain('the next start tries again')
    await carryOver(database, status(0), () => {})
    expect(await isCarried(database)).toBe(true)
  })
})

describe('on a server', () => {
  it('lets one of two processes do it, and the other wait', async () => {
    // The lock is by kind; the engine behind it is the same.
    const asServer: Database = { ...database, kind: 'server' }
    const before = await contents()
    const did = await Promise.all([carryEvents(asServer, () => {}), carryEvents(asServer, () => {})])
    expect(did.filter((mine) => mine)).toHaveLength(1)
    expect(await contents()).toEqual(before)
  })
})
