import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openEmbedded } from '../../../store/clickhouse.ts'
import type { Database } from '../../../store/database.ts'
import { EVENT_COLUMNS, EVENT_SELECT, eventOf, eventRow } from '../../../store/event-rows.ts'
import { migrate } from '../../../store/migrate.ts'
import { statementsOf } from '../../../store/migration-files.ts'
import { fullEvent, smallEvent } from '../../helpers/events.ts'

const FOLDER = new URL('../../../store/migrations/', import.meta.url)
const LAST_OLD = '0009_chain_computed.sql'

const folder = mkdtempSync(join(tmpdir(), 'gatewatch-carried-over-'))
let database: Database

beforeAll(async () => {
  database = await openEmbedded({ path: folder })
})
afterAll(async () => {
  await database.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Brings an empty store to the schema that it had after `last`, as `migrate` did then. */
async function migrateThrough(last: string): Promise<void> {
  await database.command(
    'CREATE TABLE migrations (name String, hash String, applied_at DateTime DEFAULT now()) ENGINE = ReplacingMergeTree ORDER BY name',
  )
  for (const name of readdirSync(FOLDER).sort()) {
    if (name > last) break
    const sql = readFileSync(new URL(name, FOLDER), 'utf8')
    for (const statement of statementsOf(sql)) await database.command(statement)
    const hash = createHash('sha256').update(sql).digest('hex')
    await database.command('INSERT INTO migrations (name, hash) VALUES ({name:String}, {hash:String})', {
      name,
      hash,
    })
  }
}

const insert = async (columns: readonly string[], rows: readonly string[], token: string) =>
  database.insert({
    table: 'events',
    columns: [...columns],
    rows: new TextEncoder().encode(`${rows.join('\n')}\n`),
    token,
  })

it('carries a store of the schema before over, with its events, and takes new ones', async () => {
  await migrateThrough(LAST_OLD)
  const columns = new Set(
    (
      await database.query<{ name: string }>('SELECT name FROM system.columns WHERE table = {t:String}', {
        t: 'events',
      })
    ).map(({ name }) => name),
  )
  const oldColumns = EVENT_COLUMNS.filter((column) => columns.has(column))
  expect(oldColumns).not.toContain('approval_answer')
  const oldEvent = fullEvent({ offset: 1 })
  const values = JSON.parse(eventRow(oldEvent)) as unknown[]
  const oldRow = JSON.stringify(oldColumns.map((column) => values[EVENT_COLUMNS.indexOf(column)]))
  await insert(oldColumns, [oldRow], 'old')

  expect(await migrate(database)).toEqual(
    expect.arrayContaining(['0010_parties_outcomes_approvals.sql', '0010_text_for_people.sql']),
  )
  expect(await migrate(database)).toEqual([])

  const newEvents = [smallEvent({ offset: 2 }), fullEvent({ offset: 3 })]
  await insert(EVENT_COLUMNS, newEvents.map(eventRow), 'new')
  const types = await database.query<{ name: string; type: string }>(
    "SELECT name, type FROM system.columns WHERE table = 'events' AND name IN ('user_id', 'user_email', 'credential_id', 'client_address')",
  )
  expect(types.map(({ type }) => type)).toEqual(Array(4).fill('String'))
  // The values of before are in the new type on disk too, not only when they are read.
  const parts = await database.query<{ type: string }>(
    "SELECT DISTINCT type FROM system.parts_columns WHERE active AND table = 'events' AND column = 'user_email'",
  )
  expect(parts).toEqual([{ type: 'String' }])

  const rows = await database.query<Record<string, unknown>>(
    `SELECT ${EVENT_SELECT} FROM events ORDER BY offset`,
  )
  const found = rows.map(eventOf).map(({ recorded_at, ...event }) => event)
  const kept = Object.fromEntries(
    Object.entries(oldEvent).filter(([field]) => columns.has(field.replaceAll('.', '_'))),
  )
  expect(found).toEqual([kept, ...newEvents])
})
