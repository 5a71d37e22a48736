import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GatewatchError } from '../../../core/errors.ts'
import type { Batch } from '../../../ingest/record.ts'
import { inspectSegments } from '../../../ingest/segment-file.ts'
import { openSegmentLog, type SegmentLog, type SegmentLogOptions } from '../../../ingest/segment-log.ts'
import { silentTelemetry } from '../../../ingest/telemetry.ts'
import { encodeBatch } from '../../../store/event-writer.ts'
import { smallEvent } from '../../helpers/events.ts'
import { compareByIds } from '../../helpers/known-events.ts'

// A bit that turned in the rows of a sealed segment went into the store as something else.

const EVENTS = Array.from({ length: 300 }, (_, at) => `event-${String(at).padStart(3, '0')}`)

const batch = (ids: readonly string[]): Batch => ({
  events: ids.map((event_id) => smallEvent({ event_id })),
  parts: [],
  deadLetters: [],
})

let folder: string
let faults: string[]
let stored: string[]
const opened: SegmentLog[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-rot-'))
  faults = []
  stored = []
})
afterEach(async () => {
  for (const log of opened.splice(0)) await log.close(0)
  await rm(folder, { recursive: true, force: true })
})

async function open(options: Partial<SegmentLogOptions> = {}): Promise<SegmentLog> {
  const log = await openSegmentLog({
    folder,
    encode: encodeBatch,
    compare: compareByIds(),
    telemetry: { ...silentTelemetry, logFault: (text) => void faults.push(text) },
    backoff: { firstMs: 1, capMs: 5 },
    write: async (blocks) => {
      for (const { rows } of blocks) stored.push(...idsOf(await readFile(rows.path, 'utf8')))
      return { rejected: 0 }
    },
    ...options,
  })
  opened.push(log)
  return log
}

const idsOf = (rows: string): string[] =>
  rows
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line)[0])

/** Leaves a sealed segment that the store did not take. */
async function leaveSealed(known: readonly string[] = []): Promise<void> {
  const tried = Promise.withResolvers<void>()
  const log = await open({
    compare: compareByIds((id) => known.includes(id)),
    write: () => {
      tried.resolve()
      return Promise.reject(new GatewatchError('store_unavailable', 'away'))
    },
  })
  await log.append(batch(EVENTS))
  const flushed = log.flush().catch(() => {})
  await tried.promise
  await log.close(0)
  await flushed
  opened.splice(0)
}

/** One bit of one character of an id: it stays a row. */
async function turnBit(id: string, kind: 'events' | 'events.sealed'): Promise<void> {
  const [name] = (await readdir(folder)).filter((one) => one.endsWith(`.${kind}.jsonl`))
  const path = join(folder, name ?? '')
  const bytes = await readFile(path)
  const at = bytes.indexOf(id)
  expect(at).toBeGreaterThan(0)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  await writeFile(path, bytes)
}

describe.each([
  ['the rows of the segment', 'events', []],
  ['rows of which some were left out', 'events.sealed', ['event-000']],
] as const)('a bit that turned in %s, sealed', (_, kind, known) => {
  it('is noticed and named; what is whole goes to the store, what was found is kept', async () => {
    await leaveSealed(known)
    await turnBit('event-150', kind)
    expect((await inspectSegments(folder)).faults).toMatchObject([
      { reason: expect.stringContaining('wrong checksums') },
    ])
    const log = await open()
    await log.flush()
    expect(faults).toMatchObject([
      expect.stringMatching(/sealed rows have wrong checksums: 64 rows of 0+1\.events/),
    ])
    expect(log.status().damaged).toBe(join(folder, 'damaged'))
    expect(stored.every((id) => EVENTS.includes(id))).toBe(true)
    expect(stored).not.toContain('event-150')
    expect(stored.length).toBe(EVENTS.length - known.length - 64)
    const kept = await readdir(join(folder, 'damaged'))
    expect(kept.some((name) => name.includes(`.${kind}.`))).toBe(true)
    expect((await readdir(folder)).filter((name) => name.includes('mended'))).toEqual([])
  })
})

it('is noticed while the segment waits for the store', async () => {
  let attempts = 0
  const log = await open({
    write: async (blocks) => {
      attempts += 1
      if (attempts === 1) {
        await turnBit('event-010', 'events')
        throw new GatewatchError('store_unavailable', 'away')
      }
      for (const { rows } of blocks) stored.push(...idsOf(await readFile(rows.path, 'utf8')))
      return { rejected: 0 }
    },
  })
  await log.append(batch(EVENTS))
  await log.flush()
  expect(stored).toEqual(EVENTS.slice(64))
  expect(log.status().damaged).toBe(join(folder, 'damaged'))
  expect(faults).toHaveLength(1)
})

describe('a seal without checksums, of a version before', () => {
  /** Writes the seal as it was written then. */
  async function makeOld(): Promise<void> {
    const [name] = (await readdir(folder)).filter((one) => one.endsWith('.journal'))
    const path = join(folder, name ?? '')
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
    const mended = lines.map((line) => {
      const content = JSON.parse(line.slice(9))
      for (const table of content.sealed ?? []) delete table.stretches
      const json = JSON.stringify(content)
      return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`
    })
    await writeFile(path, mended.join(''))
  }

  it.each([
    ['whole rows', []],
    ['rows of its own', ['event-000']],
  ] as const)('is read: %s', async (_, known) => {
    await leaveSealed(known)
    await makeOld()
    const log = await open()
    await log.flush()
    expect(stored).toEqual(EVENTS.slice(known.length))
    expect(faults).toEqual([])
  })

  it('has its rows held against the checksums of the appends, where they are the same', async () => {
    await leaveSealed()
    await makeOld()
    await turnBit('event-150', 'events')
    const log = await open()
    await log.flush()
    expect(stored).toEqual([])
    expect(faults).toHaveLength(1)
    expect(log.status().damaged).toBeDefined()
  })
})
