import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createManualClock } from '../../../core/clock.ts'
import { type IdempotencyKeys, openIdempotencyKeys } from '../../../ingest/idempotency.ts'
import { createIntake, type Intake, type IntakeBody } from '../../../ingest/intake.ts'
import { openSegmentLog, type SegmentLog } from '../../../ingest/segment-log.ts'
import { createRateLimits } from '../../../ingest/sources/rate-limits.ts'
import { silentTelemetry } from '../../../ingest/telemetry.ts'
import { encodeBatch } from '../../../store/event-writer.ts'
import { compareByIds } from '../../helpers/known-events.ts'
import { GOOD, RECEIVED_MS, run } from './sample-pipeline.ts'

let folder: string
let segments: SegmentLog
let keys: IdempotencyKeys
let intake: Intake
const rows: { table: string; values: string[] }[] = []
const clock = createManualClock(RECEIVED_MS)

const open = async (maxBytes = 1_000_000_000) => {
  segments = await openSegmentLog({
    folder: join(folder, 'log'),
    encode: encodeBatch,
    write: async (blocks) => {
      for (const { table, rows: file } of blocks) {
        for (const line of (await readFile(file.path, 'utf8')).split('\n').slice(0, -1))
          rows.push({ table, values: JSON.parse(line) as string[] })
      }
      return { rejected: 0 }
    },
    compare: compareByIds((id) => rows.some(({ values }) => values[0] === id)),
    sealMs: 10,
    maxBytes,
    telemetry: silentTelemetry,
  })
  keys = await openIdempotencyKeys({ folder: join(folder, 'keys'), clock })
  const limits = createRateLimits({
    bySource: new Map([['slow', { recordsPerSecond: 1, burst: 2 }]]),
    clock,
  })
  intake = createIntake({ pipeline: run, segments, keys, limits, telemetry: silentTelemetry })
}
const close = async () => {
  await keys.close()
  await segments.close()
}
beforeEach(async () => {
  rows.length = 0
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-intake-'))
  await open()
})
afterEach(async () => {
  await close()
  await rm(folder, { recursive: true, force: true })
})

const body = (text: string, more: Partial<IntakeBody> = {}): IntakeBody => ({
  bytes: Buffer.from(text),
  headers: {},
  tenant: 'acme',
  receivedAtMs: clock.now(),
  subject: 'alice',
  ...more,
})

// Without a time and an id of its own: only the coordinates and the time of receipt make it the same event.
const BARE = '{"gen_ai.tool.name":"echo","user.id":"u1"}'

it.each([
  [`[[${GOOD},${GOOD}],[${GOOD}]]`, { read: 3, stored: 3, deadLettered: 0 }],
  [`[[${GOOD},"no"],[]]`, { read: 3, stored: 1, deadLettered: 2 }],
  [`${GOOD}\n{"broken\n\n${GOOD}`, { read: 3, stored: 2, deadLettered: 1 }],
  ['', { read: 0, stored: 0, deadLettered: 0 }],
])('%j: the counts of the receipt add up', async (text, counts) => {
  const receipt = await intake.accept(body(text))
  expect(receipt).toMatchObject({ ...counts, duplicate: 0 })
  expect(receipt.read).toBe(receipt.stored + receipt.deadLettered + receipt.duplicate)
})

it('names the line of each fault', async () => {
  const { errors } = await intake.accept(body(`${GOOD}\n\n{"broken\n${GOOD}\n"no"`))
  expect(errors.map(({ line, reason }) => [line, reason])).toEqual([
    [3, 'record_not_json'],
    [5, 'format_unknown'],
  ])
})

it('names the place of each fault among the elements of an array', async () => {
  const { errors } = await intake.accept(body(`[${GOOD},{"nope":1},3]`))
  expect(errors.map(({ line, index }) => [line, index])).toEqual([
    [1, 1],
    [1, 2],
  ])
})

it('stores a body under a key once, whoever sends it again, and says the same', async () => {
  const keyed = body(`${BARE}\n${BARE}\nbroken`, { idempotencyKey: 'k' })
  const [first, second] = await Promise.all([intake.accept(keyed), intake.accept(keyed)])
  expect(first).toMatchObject({ read: 3, stored: 2, deadLettered: 1, repeated: false })
  expect(second).toEqual({ ...first, repeated: true })
  clock.advance(60_000)
  expect(await intake.accept({ ...keyed, receivedAtMs: clock.now() })).toEqual({ ...first, repeated: true })
  await close()
  await open()
  expect(await intake.accept(keyed)).toEqual({ ...first, repeated: true })
  await segments.flush()
  expect(rows.map(({ table }) => table).sort()).toEqual(['dead_letters', 'events', 'events'])
})

it('stores it once even when the answer was lost with the process', async () => {
  const keyed = body(`${BARE}\n${BARE}`, { idempotencyKey: 'k' })
  await intake.accept(keyed)
  await segments.flush()
  await close()
  // What a crash between the append and the answer leaves: the begin, not the end.
  const [name = ''] = await readdir(join(folder, 'keys'))
  const path = join(folder, 'keys', name)
  const lines = (await readFile(path, 'utf8'))
    .split('\n')
    .filter((line) => line !== '' && !line.includes('answer'))
  await writeFile(path, `${lines.join('\n')}\n`)
  clock.advance(3_600_000)
  await open()
  const again = await intake.accept({
    ...keyed,
    receivedAtMs: clock.now(),
    headers: { 'x-gatewatch-wait': 'stored' },
  })
  expect(again).toMatchObject({ read: 2, stored: 0, duplicate: 2, repeated: false })
  expect(rows).toHaveLength(2)
})

it('refuses another body under the key, and takes the same key from another tenant or sender', async () => {
  await intake.accept(body(BARE, { idempotencyKey: 'k' }))
  await expect(intake.accept(body(GOOD, { idempotencyKey: 'k' }))).rejects.toMatchObject({
    code: 'idempotency_mismatch',
  })
  await expect(
    intake.accept(body(BARE, { idempotencyKey: 'k', headers: { 'x-gatewatch-format': 'native' } })),
  ).rejects.toMatchObject({ code: 'idempotency_mismatch' })
  expect(await intake.accept(body(GOOD, { idempotencyKey: 'k', tenant: 'other' }))).toMatchObject({
    stored: 1,
  })
  expect(await intake.accept(body(GOOD, { idempotencyKey: 'k', subject: 'bob' }))).toMatchObject({
    stored: 1,
  })
})

it('gives the records of a bound credential the topic of its source, and limits it', async () => {
  await intake.accept(body(`${BARE}\n${BARE}\n${BARE}`, { source: 'slow' }))
  await expect(intake.accept(body(BARE, { source: 'slow' }))).rejects.toMatchObject({ code: 'rate_limited' })
  await intake.accept(body(BARE, { source: 'other' }))
  await segments.flush()
  const topics = rows.flatMap(({ values }) => values.filter((value) => /^http-\w+$/.test(String(value))))
  expect(topics.sort()).toEqual(['http-other', 'http-slow', 'http-slow', 'http-slow'])
  expect(new Set(rows.map(({ values }) => values[0])).size).toBe(4)
})

it('keeps a key free when the quota is used up', async () => {
  await close()
  await open(1)
  const keyed = body(BARE, { idempotencyKey: 'k' })
  await expect(intake.accept(keyed)).rejects.toMatchObject({ code: 'overloaded', retryable: true })
  await close()
  await open()
  expect(await intake.accept(keyed)).toMatchObject({ stored: 1, repeated: false })
})
