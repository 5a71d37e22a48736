import { appendFile, cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkSegments } from '../../../app/wire/segments.ts'
import { GatewatchError } from '../../../core/errors.ts'
import type { Batch, DeadLetter } from '../../../ingest/record.ts'
import { inspectSegments } from '../../../ingest/segment-file.ts'
import { openSegmentLog, type SegmentLog, type SegmentLogOptions } from '../../../ingest/segment-log.ts'
import { silentTelemetry } from '../../../ingest/telemetry.ts'
import { DEAD_LETTER_COLUMNS } from '../../../store/dead-letter-rows.ts'
import { encodableBatch, encodeBatch } from '../../../store/event-writer.ts'
import { smallEvent } from '../../helpers/events.ts'
import { compareByIds } from '../../helpers/known-events.ts'

// A store of lines: what `write` was given, by token, each token once.
function createLineStore() {
  const byToken = new Map<string, Record<string, string[]>>()
  let failures = 0
  const write: SegmentLogOptions['write'] = async (blocks, token) => {
    if (failures > 0) {
      failures--
      throw new GatewatchError('store_unavailable', 'away')
    }
    const tables: Record<string, string[]> = {}
    for (const { table, rows } of blocks) {
      tables[table] = (await readFile(rows.path, 'utf8')).split('\n').slice(0, -1)
    }
    if (!byToken.has(token)) byToken.set(token, tables)
    return { rejected: 0 }
  }
  return {
    write,
    byToken,
    failNext: (count: number) => {
      failures = count
    },
    lines: (table: string) => [...byToken.values()].flatMap((tables) => tables[table] ?? []),
  }
}

const eventBatch = (...ids: string[]): Batch => ({
  events: ids.map((event_id) => smallEvent({ event_id })),
  parts: [],
  deadLetters: [],
})

// A time that is no text: nothing of ours makes one, and the encoder throws.
const poison = (event_id: string) => smallEvent({ event_id, occurred_at: 5 as never })

const letter = (offset: number): DeadLetter => ({
  tenant: 'default',
  topic: 'http',
  partition: 0,
  offset,
  recordIndex: 0,
  sourceFormat: '',
  reason: 'record_not_json',
  message: 'no',
  field: '',
  record: 'x',
  recordEncoding: 'utf8',
  recordBytes: 1,
})

let folder: string
const opened: SegmentLog[] = []

async function open(
  options: Partial<SegmentLogOptions> & Pick<SegmentLogOptions, 'write'>,
): Promise<SegmentLog> {
  const log = await openSegmentLog({
    folder,
    encode: encodeBatch,
    compare: compareByIds(),
    telemetry: silentTelemetry,
    backoff: { firstMs: 1, capMs: 5 },
    ...options,
  })
  opened.push(log)
  return log
}

// A store that never answers: everything stays in the log, as at a crash before the insert.
const deafStore: SegmentLogOptions['write'] = () =>
  Promise.reject(new GatewatchError('store_unavailable', 'away'))

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-log-'))
})
afterEach(async () => {
  for (const log of opened.splice(0)) await log.close(0)
  await rm(folder, { recursive: true, force: true })
})

describe('segment log', () => {
  it('stores what was appended, once, and removes the segment', async () => {
    const store = createLineStore()
    const log = await open({ write: store.write })
    await Promise.all([log.append(eventBatch('a', 'b')), log.append(eventBatch('c'))])
    await log.flush()
    expect(store.lines('events').map((line) => JSON.parse(line)[0])).toEqual(['a', 'b', 'c'])
    expect((await readdir(folder)).filter((name) => name.endsWith('.jsonl'))).toEqual([])
    expect(log.status()).toEqual({
      ...{ waitingBytes: 0, waitingSegments: 0, waitingRows: 0 },
      ...{ waitingBytesOf: [], refusedOwners: [] },
    })
  })

  it('makes a dead letter of an event that cannot be encoded, and stores what came with it', async () => {
    const store = createLineStore()
    const log = await open({ write: store.write, encodable: encodableBatch })
    const batch = { ...eventBatch('a', 'b'), deadLetters: [letter(1)] }
    const { stored } = await log.append({ ...batch, events: [...batch.events, poison('c')] })
    await log.flush()
    expect(await stored).toMatchObject({ events: 2 })
    expect(store.lines('events').map((line) => JSON.parse(line)[0])).toEqual(['a', 'b'])
    const letters = store.lines('dead_letters').map((line) => JSON.parse(line))
    const [topic, reason] = ['topic', 'reason'].map((name) => DEAD_LETTER_COLUMNS.indexOf(name))
    expect(letters.map((row) => [row[topic ?? -1], row[reason ?? -1]])).toEqual([
      ['http', 'record_not_json'],
      ['test', 'internal'],
    ])
  })

  it('keeps acknowledged appends across a crash and replays them under the same token', async () => {
    const first = await open({ write: deafStore })
    await first.append(eventBatch('a'))
    await first.close(0)
    const store = createLineStore()
    const second = await open({ write: store.write })
    await second.flush()
    expect(store.lines('events')).toHaveLength(1)
    expect([...store.byToken.keys()][0]).toMatch(/^segment\/[0-9a-f-]{36}\/1$/)
  })

  it('cuts a torn append off in all its tables, and keeps the ones before', async () => {
    const first = await open({ write: deafStore, sealMs: 60_000 })
    await first.append({ ...eventBatch('a'), deadLetters: [letter(1)] })
    await first.append({ ...eventBatch('b'), deadLetters: [letter(2)] })
    const crashed = await mkdtemp(join(tmpdir(), 'gatewatch-log-'))
    // Each prefix of the three files that a crash may leave of the second append.
    for (const [journal, events, letters] of [
      [-3, 0, 0],
      [0, -3, 0],
      [0, 0, -3],
      [-200, 0, -1],
    ] as const) {
      await rm(crashed, { recursive: true })
      await cp(folder, crashed, { recursive: true })
      for (const [name, cut] of [
        ['000000000001.journal', journal],
        ['000000000001.events.jsonl', events],
        ['000000000001.dead_letters.jsonl', letters],
      ] as const) {
        const path = join(crashed, name)
        await truncate(path, (await readFile(path)).byteLength + cut)
      }
      const store = createLineStore()
      const second = await open({ folder: crashed, write: store.write })
      await second.flush()
      expect(store.lines('events').map((line) => JSON.parse(line)[0])).toEqual(['a'])
      expect(store.lines('dead_letters')).toHaveLength(1)
      await second.close()
    }
    await rm(crashed, { recursive: true })
  })

  it('does not take bytes after the last acknowledged append for rows', async () => {
    const first = await open({ write: deafStore, sealMs: 60_000 })
    await first.append(eventBatch('a'))
    await first.close(0)
    await appendFile(join(folder, '000000000001.events.jsonl'), '["half a row')
    const store = createLineStore()
    const second = await open({ write: store.write })
    await second.flush()
    expect(store.lines('events')).toHaveLength(1)
  })

  /** The log after a crash with an append for each id, one of its files changed by the disk. */
  async function damagedLog(ids: readonly string[], name: string, change: (content: string) => string) {
    const first = await open({ write: deafStore, sealMs: 60_000 })
    for (const id of ids) await first.append(eventBatch(id))
    const crashed = await mkdtemp(join(tmpdir(), 'gatewatch-log-'))
    await cp(folder, crashed, { recursive: true })
    const content = await readFile(join(crashed, name), 'utf8')
    const changed = change(content)
    expect(changed).not.toBe(content)
    await writeFile(join(crashed, name), changed)
    const faults: string[] = []
    const telemetry = { ...silentTelemetry, logFault: (message: string) => faults.push(message) }
    const store = createLineStore()
    const log = await open({ folder: crashed, write: store.write, telemetry })
    await log.flush()
    const stored = store.lines('events').map((line) => JSON.parse(line)[0])
    const kept = await readFile(join(crashed, 'damaged', name), 'utf8')
    await log.close()
    await rm(crashed, { recursive: true })
    return { log, stored, faults, isKept: kept === changed }
  }

  it('stores what is whole around a damaged append, keeps the segment as it was, and says so', async () => {
    const { log, stored, faults, isKept } = await damagedLog(
      ['a', 'b', 'c'],
      '000000000001.events.jsonl',
      (rows) => rows.replace('"b"', '"X"'),
    )
    expect(stored).toEqual(['a', 'c'])
    expect(isKept).toBe(true)
    expect(faults).toEqual([expect.stringContaining('damaged/000000000001.*')])
    expect(checkSegments(log, Date.now())).toEqual([
      { state: 'degraded', reason: 'segments_damaged', detail: expect.stringContaining('damaged') },
    ])
  })

  it('stores what is whole when a line of the journal is damaged', async () => {
    const journal = await damagedLog(['a', 'b', 'c', 'd'], '000000000001.journal', (lines) =>
      lines
        .split('\n')
        // Header, a, b, c, d: what the line of b vouched for, and where c begins, is not known any more.
        .map((line, at) => (at === 2 ? `x${line.slice(1)}` : line))
        .join('\n'),
    )
    expect([journal.stored, journal.isKept]).toEqual([['a', 'd'], true])
  })

  it('stores what is left when rows of several appends are gone', async () => {
    const { stored, isKept } = await damagedLog(['a', 'b', 'c'], '000000000001.events.jsonl', (rows) =>
      rows.slice(0, rows.indexOf('\n') + 5),
    )
    expect([stored, isKept]).toEqual([['a'], true])
  })

  it('never hands out an acknowledged offset again', async () => {
    const store = createLineStore()
    const first = await open({ write: store.write })
    expect(first.reserve('http', 10)).toBe(0)
    expect(first.reserve('http', 5)).toBe(10)
    expect(first.reserve('stdin', 1)).toBe(0)
    await first.append(eventBatch('a'))
    await first.flush()
    await first.close()
    const second = await open({ write: store.write })
    await second.close()
    const third = await open({ write: store.write })
    expect(third.reserve('http', 1)).toBe(15)
    expect(third.reserve('stdin', 1)).toBe(1)
  })

  it('says overloaded when the quota is used up, and accepts again when the store has caught up', async () => {
    const store = createLineStore()
    store.failNext(20)
    const log = await open({ write: store.write, maxBytes: 1500, backoff: { firstMs: 5, capMs: 10 } })
    await log.append(eventBatch('a'))
    await expect(log.append(eventBatch('b', 'c', 'd', 'e', 'f'))).rejects.toMatchObject({
      code: 'overloaded',
      retryable: true,
    })
    await log.flush()
    await log.append(eventBatch('b'))
    await log.flush()
    expect(store.lines('events')).toHaveLength(2)
  })

  it('repeats a failed insert and reports duplicates to whoever appended them', async () => {
    const store = createLineStore()
    store.failNext(3)
    const log = await open({ write: store.write, compare: compareByIds((id) => ['old'].includes(id)) })
    const [first, second] = await Promise.all([
      log.append(eventBatch('a', 'old', 'a')),
      log.append(eventBatch('b', 'a')),
    ])
    await log.flush()
    expect(await first.stored).toEqual({ events: 1, duplicates: 2, conflicts: 0 })
    expect(await second.stored).toEqual({ events: 1, duplicates: 1, conflicts: 0 })
    expect(store.lines('events').map((line) => JSON.parse(line)[0])).toEqual(['a', 'b'])
    expect(store.byToken.size).toBe(1)
  })

  it('decides about duplicates once: a replay inserts the same rows although they are stored by then', async () => {
    const written: string[][] = []
    const first = await open({
      write: async (blocks) => {
        written.push((await readFile(blocks[0]!.rows.path, 'utf8')).trimEnd().split('\n'))
        throw new GatewatchError('store_unavailable', 'a view failed after the table was written')
      },
      compare: compareByIds((id) => ['old'].includes(id)),
    })
    await first.append(eventBatch('a', 'old'))
    await expect.poll(() => written.length).toBeGreaterThan(0)
    await first.close(0)
    const store = createLineStore()
    const second = await open({
      write: store.write,
      compare: compareByIds((id) => ['a', 'old'].includes(id)),
    })
    await second.flush()
    expect(store.lines('events')).toEqual(written[0])
  })

  it('seals by rows, so that a long load is many inserts in order', async () => {
    const store = createLineStore()
    const log = await open({ write: store.write, sealRows: 10 })
    for (let batch = 0; batch < 10; batch++) {
      await log.append(eventBatch(...Array.from({ length: 5 }, (_, index) => `${batch * 5 + index}`)))
    }
    await log.flush()
    expect(store.byToken.size).toBe(5)
    expect(store.lines('events').map((line) => Number(JSON.parse(line)[0]))).toEqual(
      Array.from({ length: 50 }, (_, index) => index),
    )
  })

  it('names the segment that the store does not take, why, and how often it was tried', async () => {
    let broken = true
    const store = createLineStore()
    const log = await open({
      write: (blocks, token) =>
        broken
          ? Promise.reject(new GatewatchError('store_rejected', 'Cannot parse row 1'))
          : store.write(blocks, token),
    })
    await log.append(eventBatch('a'))
    await expect.poll(() => log.status().stuck?.attempts ?? 0).toBeGreaterThan(2)
    const files = join(folder, '000000000001.*')
    expect(log.status()).toMatchObject({
      stuck: { files, reason: 'Cannot parse row 1' },
      lastError: 'Cannot parse row 1',
    })
    expect(checkSegments(log, Date.now())).toEqual([
      {
        state: 'failing',
        reason: 'segment_stuck',
        detail: expect.stringMatching(
          /000000000001\.\* is not stored after \d+ attempts: Cannot parse row 1$/,
        ),
      },
    ])
    broken = false
    await log.flush()
    expect(checkSegments(log, Date.now())).toEqual([])
  })

  it('names a segment whose rows are gone, also to who looks at the folder only', async () => {
    const first = await open({ write: deafStore, sealMs: 60_000 })
    await first.append(eventBatch('a', 'b'))
    await first.close(0)
    expect(await inspectSegments(folder)).toEqual({ segments: 1, rows: 2, faults: [] })
    const before = await readFile(join(folder, '000000000001.journal'))
    await rm(join(folder, '000000000001.events.jsonl'))
    expect((await inspectSegments(folder)).faults).toEqual([
      { files: join(folder, '000000000001.*'), reason: expect.stringContaining('ENOENT') },
    ])
    expect(await readFile(join(folder, '000000000001.journal'))).toEqual(before)
    const second = await open({ write: createLineStore().write })
    await expect.poll(() => second.status().stuck?.reason ?? '').toContain('000000000001.events.jsonl')
    expect(await inspectSegments(join(folder, 'none'))).toEqual({ segments: 0, rows: 0, faults: [] })
  })

  it('refuses appends after close and tells those who wait for the store', async () => {
    const log = await open({ write: deafStore })
    const { stored } = await log.append(eventBatch('a'))
    await log.close(0)
    await expect(stored).rejects.toMatchObject({ code: 'store_unavailable' })
    await expect(log.append(eventBatch('b'))).rejects.toMatchObject({ code: 'overloaded' })
  })

  it('gives an owner half of what may wait, also after a restart, and keeps something for who has little', async () => {
    const refused = (log: SegmentLog, ids: readonly string[], owner?: string) =>
      log.append(eventBatch(...ids), owner).then(
        () => undefined,
        (error: GatewatchError) => [error.code, error.place.retryAfterSeconds],
      )
    const probe = await open({ write: deafStore, folder: join(folder, 'probe') })
    await probe.append(eventBatch('0000'))
    const bytes = probe.status().waitingBytes
    const maxBytes = 64 * bytes
    const first = await open({ write: deafStore, maxBytes })
    const ids = (name: string, count: number) =>
      Array.from({ length: count }, (_, at) => `${name}${100 + at}`)
    expect(await refused(first, ids('a', 32), 'http-a')).toBeUndefined()
    expect(await refused(first, ['a999'], 'http-a')).toEqual(['overloaded', 5])
    expect(first.status()).toMatchObject({ refusedOwners: ['http-a'] })
    await first.close(0)

    const store = createLineStore()
    const away = Promise.withResolvers<void>()
    const second = await open({
      maxBytes,
      write: async (blocks, token) => {
        await away.promise
        return store.write(blocks, token)
      },
    })
    expect(second.status().waitingBytesOf).toEqual([['http-a', 32 * bytes]])
    expect(await refused(second, ['a998'], 'http-a')).toEqual(['overloaded', 5])
    expect(await refused(second, ids('o', 32))).toBeUndefined()
    // All is used up: the operator waits as well, and who has little is taken.
    expect(await refused(second, ['o999'])).toEqual(['overloaded', 5])
    expect(await refused(second, ['b100'], 'http-b')).toBeUndefined()
    expect(await refused(second, ['b101'], 'http-b')).toEqual(['overloaded', 5])
    away.resolve()
    await second.flush()
    expect(second.status()).toMatchObject({ waitingBytesOf: [], waitingBytes: 0 })
    expect(await refused(second, ids('c', 32), 'http-a')).toBeUndefined()
  })
})
