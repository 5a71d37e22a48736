import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { loadConfig } from '../app/config/config.ts'
import { openCredentials } from '../app/credentials.ts'
import { loadHistory } from '../app/demo/run.ts'
import { generateHistory } from '../app/demo/traffic.ts'
import { createIngest } from '../app/wire/ingest.ts'
import { openStore } from '../app/wire/store.ts'
import { systemClock } from '../core/clock.ts'
import type { Database } from '../store/database.ts'
import type { Bench, BenchOptions } from './benchmark.ts'

const MOST_COLUMNS = 25

interface Size {
  readonly name: string
  readonly bytes: number
}

/**
 * Bytes on disk of an event with everything that is kept for it — event, rollups, arrivals —, after all merges, for the
 * demo’s 28 days as gateways write them; and that as a share of the records’ own bytes. Prints the split by table and,
 * of the events, by column.
 */
export const run: Bench = async ({ progress }) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatewatch-bench-'))
  const story = { seed: 1, nowMs: Math.floor(systemClock.now() / 60_000) * 60_000 }
  const config = loadConfig({ data: folder, logLevel: 'error' })
  const database = await openStore(config, () => {})
  try {
    const ingest = createIngest({
      config,
      credentials: openCredentials(config.credentials),
      database,
      clock: systemClock,
      logger: pino({ level: 'error' }, pino.destination(2)),
      registry: new Registry(),
    })
    const records = await loadHistory({ ingest }, story, (written) => progress(`${written} records`))
    const tables = await mergedTables(database, progress)
    const events = await eventCount(database)
    const bytes = tables.reduce((sum, table) => sum + table.bytes, 0)
    let rawBytes = 0
    for (const { text } of generateHistory(story)) rawBytes += Buffer.byteLength(text)
    for (const table of tables) progress(lineOf(table, events))
    progress('of the events, by column:')
    for (const column of await columnsOfEvents(database)) progress(lineOf(column, events))
    return {
      figures: {
        bytes_per_event: { value: round(bytes / events, 1), unit: 'bytes', goal: '<= 80' },
        share_of_raw: { value: round(bytes / rawBytes, 4), unit: 'of the records', goal: '<= 0.12' },
        events_table_bytes_per_event: {
          value: round((tables.find(({ name }) => name === 'events')?.bytes ?? 0) / events, 1),
          unit: 'bytes',
        },
        raw_bytes_per_record: { value: round(rawBytes / records, 1), unit: 'bytes' },
        events: { value: events, unit: 'events' },
      },
    }
  } finally {
    await database.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Every table that holds something, largest first, after its parts became one a partition. */
async function mergedTables(database: Database, progress: BenchOptions['progress']): Promise<Size[]> {
  const sizes = () =>
    database.query<Size>(
      `SELECT table AS name, toUInt32(sum(bytes_on_disk)) AS bytes FROM system.parts
       WHERE active AND database = currentDatabase() GROUP BY table ORDER BY bytes DESC`,
    )
  for (const { name } of await sizes()) {
    progress(`merging ${name} …`)
    await database.command(`OPTIMIZE TABLE ${name} FINAL`)
  }
  return sizes()
}

const columnsOfEvents = (database: Database): Promise<Size[]> =>
  database.query<Size>(
    `SELECT column AS name, toUInt32(sum(column_bytes_on_disk)) AS bytes FROM system.parts_columns
     WHERE active AND database = currentDatabase() AND table = 'events'
     GROUP BY column ORDER BY bytes DESC LIMIT ${MOST_COLUMNS}`,
  )

async function eventCount(database: Database): Promise<number> {
  const [row] = await database.query<{ events: number }>('SELECT toUInt32(sum(sign)) AS events FROM events')
  return row?.events ?? 0
}

const lineOf = ({ name, bytes }: Size, events: number): string =>
  `  ${name.padEnd(36)} ${(bytes / events).toFixed(2).padStart(8)} bytes/event`

const round = (value: number, digits: number): number => Number(value.toFixed(digits))
