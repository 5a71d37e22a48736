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

it.each([
  ['an escape that is none', (line: string) => line.replace('"github"', String.raw`"\u12zz"`)],
  ['a truth that is none', (line: string) => line.replace(/^(.*?),null,/, '$1,"perhaps",')],
  ['a list that is none', (line: string) => line.replace('[]', '[1,')],
  ['a time of the year 99999', (line: string) => line.replace('2026-08-21', '99999-08-21')],
  ['a number beyond every type', (line: string) => line.replace('"odd",0,', `"odd",${'9'.repeat(400)},`)],
])('stores what comes with a row that has %s', async (name, spoil) => {
  const topic = 'odd'
  const events = [0, 1, 2].map((offset) => smallEvent({ tenant: name, topic, offset }))
  const [table] = encodeBatch({ events, parts: [], deadLetters: [] })
  const lines = Buffer.from(table?.rows ?? [])
    .toString('utf8')
    .trimEnd()
    .split('\n')
  const spoiled = lines.map((line, row) => (row === 1 ? spoil(line) : line))
  expect(spoiled[1]).not.toBe(lines[1])
  const block = {
    table: 'events',
    columns: table?.columns ?? [],
    rows: Buffer.from(`${spoiled.join('\n')}\n`),
  }
  const { rejected } = await createBatchWriter(database).write([block], `odd/${name}`)
  expect(await count(`tenant = '${name}'`)).toMatchObject({ rows: 3 - rejected })
  const [{ letters } = { letters: 0 }] = await database.query<{ letters: number }>(
    "SELECT toUInt32(count()) AS letters FROM dead_letters WHERE message != '' AND position(record, {name:String}) > 0",
    { name },
  )
  expect(letters).toBe(rejected)
})

it('keeps the coordinates of a dead letter that the store cannot read, and all that came with it', async () => {
  const letter = (offset: number) => ({
    ...{ tenant: 'letters', topic: 'letters', partition: 3, offset, recordIndex: 0, sourceFormat: '' },
    ...{ reason: 'record_not_json' as const, message: 'No.', field: '', record: 'x' },
    ...{ recordEncoding: 'utf8' as const, recordBytes: 1 },
  })
  const tables = encodeBatch({
    events: [smallEvent({ tenant: 'letters', topic: 'letters', offset: 9 })],
    parts: [],
    deadLetters: [0, 1, 2].map(letter),
  }).map((table) =>
    table.table === 'dead_letters'
      ? {
          ...table,
          rows: Buffer.from(
            Buffer.from(table.rows)
              .toString('utf8')
              .split('\n')
              // The time of one is none.
              .map((line, row) => (row === 1 ? line.replace('1970-01-01', 'yesterday') : line))
              .join('\n'),
          ),
        }
      : table,
  )
  // The store refuses what is said of a refused letter, too.
  let refusals = 0
  const strict: Database = {
    ...database,
    insert: async (block) => {
      const text = block.rows instanceof Uint8Array ? Buffer.from(block.rows).toString('utf8') : ''
      if (block.table !== 'dead_letters' || !text.includes('store_rejected') || text.includes('"nothing"'))
        return database.insert(block)
      refusals++
      throw new GatewatchError('store_rejected', 'Code: 27. Cannot parse.', {
        cause: new Error('Code: 27. DB::Exception: Cannot parse.'),
      })
    },
  }
  for (let attempt = 1; attempt <= 2; attempt++) {
    expect(await createBatchWriter(strict).write(tables, 'letters/odd')).toEqual({ rejected: 1 })
    expect(refusals).toBe(attempt)
    expect(await count("topic = 'letters'")).toMatchObject({ rows: 1 })
  }
  const kept = await listDeadLetters(database, { tenant: 'letters' })
  expect(kept.map(({ offset, reason }) => `${offset} ${reason}`).sort()).toEqual([
    '0 record_not_json',
    '1 store_rejected',
    '2 record_not_json',
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
