import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { systemClock } from '../../../core/clock.ts'
import { GatewatchError } from '../../../core/errors.ts'
import { openSegmentLog, type SegmentLog } from '../../../ingest/segment-log.ts'
import { readRecords } from '../../../ingest/sources/file.ts'
import { silentTelemetry } from '../../../ingest/telemetry.ts'
import type { Database } from '../../../store/database.ts'
import { countDeadLetters, listDeadLetters } from '../../../store/dead-letters.ts'
import { createBatchWriter, createBlockEncoder, encodeBatch } from '../../../store/event-writer.ts'
import { createKnownEvents } from '../../../store/known-events.ts'
import { smallEvent } from '../../helpers/events.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'
import { processNumbers } from './process-numbers.ts'

let folder: string
let database: Database
let log: SegmentLog
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-embedded-'))
  database = await openMigratedStore(join(folder, 'store'))
  log = await openSegmentLog({
    folder: join(folder, 'log'),
    encode: encodeBatch,
    write: createBatchWriter(database).write,
    compare: createKnownEvents(database, systemClock),
    sealMs: 50,
    telemetry: silentTelemetry,
  })
})
afterAll(async () => {
  await log.close()
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

const count = async (where: string) => {
  const [row] = await database.query<{ rows: number; calls: number }>(
    `SELECT toUInt32(count()) AS rows, (SELECT toUInt32(sum(calls)) FROM calls_by_actor) AS calls FROM events WHERE ${where}`,
  )
  return row
}

it('stores a file once however often it is read, and counts the rest as duplicates', async () => {
  const path = join(folder, 'calls.ndjson')
  const lines = Array.from({ length: 12_000 }, (_, index) => `{"n": ${index}}`)
  lines[77] = 'not a number'
  await writeFile(path, `${lines.join('\n')}\n`)
  const ingest = async () => {
    const total = { events: 0, duplicates: 0 }
    const receipts = []
    const options = { path, tenant: 'default', stdin: Readable.from([]), nowMs: 1, reserve: () => 0 }
    for await (const records of readRecords(options)) receipts.push(await log.append(processNumbers(records)))
    await log.flush()
    for (const { stored } of receipts) {
      const { events, duplicates } = await stored
      total.events += events
      total.duplicates += duplicates
    }
    return total
  }
  expect(await ingest()).toEqual({ events: 11_999, duplicates: 0 })
  expect(await ingest()).toEqual({ events: 0, duplicates: 11_999 })
  expect(await count('1')).toEqual({ rows: 11_999, calls: 11_999 })
  expect(await countDeadLetters(database)).toEqual([{ reason: 'record_not_json', count: 1 }])
})

it('stores the good rows of a block with bad ones; the bad ones are dead letters; all of it once', async () => {
  const writer = createBatchWriter(database)
  const events = Array.from({ length: 101 }, (_, offset) =>
    smallEvent({ event_id: `bisect-${offset}`, topic: 'bisect', offset }),
  )
  const encoded = encodeBatch({ events, parts: [], deadLetters: [] }).map((table) => ({
    ...table,
    rows: Buffer.from(
      Buffer.from(table.rows)
        .toString('utf8')
        .split('\n')
        // Two rows that no schema of ours lets through: a time that is none, and half a row.
        .map((line, row) =>
          row === 13 ? line.replace(/2026-08-21/, 'yesterday') : row === 60 ? '["x",' : line,
        )
        .join('\n'),
    ),
  }))
  for (let attempt = 0; attempt < 2; attempt++) {
    expect(await writer.write(encoded, 'bisect')).toEqual({ rejected: 2 })
    expect(await count("topic = 'bisect'")).toMatchObject({ rows: 99, calls: 11_999 + 99 })
  }
  const letters = await listDeadLetters(database, { reason: 'store_rejected' })
  expect(letters.map(({ topic, offset }) => [topic, offset]).sort()).toEqual([
    ['', 0],
    ['bisect', 13],
  ])
})

it('asks row by row where the store refuses the rows of a block of columns', async () => {
  // No value of ours makes the engine refuse such a block; a server with another schema may.
  const strict: Database = {
    ...database,
    insert: (block) =>
      block.format === 'Native'
        ? Promise.reject(
            new GatewatchError('store_rejected', 'Code: 27. Cannot parse.', {
              cause: new Error('Code: 27. DB::Exception: Cannot parse.'),
            }),
          )
        : database.insert(block),
  }
  const encoder = createBlockEncoder()
  const events = Array.from({ length: 5 }, (_, offset) => smallEvent({ topic: 'columns', offset }))
  encoder.add({ events, parts: [], deadLetters: [] })
  const writer = createBatchWriter(strict)
  const tables = encoder.finish()
  for (let attempt = 0; attempt < 2; attempt++) {
    expect(await writer.write(tables, 'columns')).toEqual({ rejected: 0 })
    expect(await count("topic = 'columns'")).toMatchObject({ rows: 5 })
  }
})

it('pages through dead letters, newest first', async () => {
  const letter = (offset: number) => ({
    ...{ tenant: 'paged', topic: 'http', partition: 0, offset, recordIndex: 0, sourceFormat: '', field: '' },
    ...{
      reason: 'record_empty' as const,
      message: 'm',
      record: '',
      recordEncoding: 'utf8' as const,
      recordBytes: 0,
    },
  })
  const writer = createBatchWriter(database)
  for (let first = 0; first < 9; first += 3) {
    const deadLetters = [letter(first), letter(first + 1), letter(first + 2)]
    await writer.write(encodeBatch({ events: [], parts: [], deadLetters }), `letters-${first}`)
  }
  const offsets: number[] = []
  for (let before: { recordedAt: string; deadLetterId: string } | undefined; ; ) {
    const page = await listDeadLetters(database, {
      ...{ tenant: 'paged', limit: 4 },
      ...(before === undefined ? {} : { before }),
    })
    offsets.push(...page.map(({ offset }) => offset))
    before = page.at(-1)
    if (before === undefined) break
  }
  expect(offsets.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  expect(Math.floor((offsets[0] ?? 0) / 3)).toBe(2)
})
