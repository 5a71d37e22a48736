import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../../core/clock.ts'
import { GatewatchError } from '../../../../core/errors.ts'
import type { RawRecord } from '../../../../ingest/record.ts'
import { type ChunkBufferOptions, createChunkBuffer } from '../../../../ingest/sources/chunk-buffer.ts'
import {
  createPartitionWorker,
  decodeIntent,
  encodeIntent,
  type PartitionOptions,
  type PartitionWorker,
} from '../../../../ingest/sources/kafka-partition.ts'
import { createSlots } from '../../../../ingest/sources/slots.ts'
import { silentTelemetry } from '../../../../ingest/telemetry.ts'

const record = (offset: number): RawRecord => ({
  value: Buffer.from(String(offset)),
  headers: {},
  timestampMs: 1000 + offset,
  timestampSource: 'broker',
  tenant: 'default',
  topic: 't',
  partition: 0,
  offset,
})
const batch = (from: number, to: number, fetchedOffset = from) => ({
  fetchedOffset,
  lastOffset: to,
  highWatermark: to + 1,
  records: Array.from({ length: to - from + 1 }, (_, index) => record(from + index)),
})

const workers: PartitionWorker[] = []
afterEach(() => {
  for (const worker of workers.splice(0)) worker.abandon()
})

function startWorker(changes: Partial<PartitionOptions> = {}) {
  const log: string[] = []
  const seeks: number[] = []
  const pauses: boolean[] = []
  const worker = createPartitionWorker({
    topic: 't',
    partition: 0,
    position: 0,
    pending: undefined,
    limits: { maxRows: 10, maxBytes: 1e6, maxAgeMs: 20 },
    maxWaitingBytes: 1e6,
    process: (records) => {
      log.push(`process ${records.length}`)
      return { events: [], parts: [], deadLetters: [] }
    },
    createEncoder: () => ({
      add: () => {},
      finish: () => [{ table: 'events', columns: [], rows: new Uint8Array(), count: 1 }],
    }),
    write: async (_, token) => {
      log.push(`write ${token}`)
      return { rejected: 0 }
    },
    commit: async (offset, metadata) => {
      log.push(`commit ${offset} ${metadata}`)
    },
    seek: (offset) => seeks.push(offset),
    oldestOffset: async () => 0,
    setPaused: (paused) => pauses.push(paused),
    slots: createSlots(1),
    clock: systemClock,
    telemetry: silentTelemetry,
    backoff: { firstMs: 1, capMs: 2 },
    ...changes,
  })
  workers.push(worker)
  return { worker, log, seeks, pauses }
}

describe('partition worker', () => {
  it('commits the intent before the insert and the end after it, one commit for both between blocks', async () => {
    const { worker, log } = startWorker()
    await worker.accept(batch(0, 14))
    await worker.finish()
    expect(log.filter((line) => !line.startsWith('process'))).toEqual([
      'commit 0 E=9;M=1000',
      'write t/0/0-9@1000',
      'commit 10 E=14;M=1010',
      'write t/0/10-14@1010',
      'commit 15 ',
    ])
  })

  it('replays a pending intent exactly, in whatever batches it comes, without committing it anew', async () => {
    const { worker, log } = startWorker({ position: 5, pending: { to: 22, mark: 'x' } })
    await worker.accept(batch(5, 20))
    await worker.accept(batch(21, 30))
    await worker.finish()
    const [rest, ...begun] = log.filter((line) => !line.startsWith('commit')).reverse()
    expect(rest).toBe('write t/0/23-30@1023')
    expect(log.filter((line) => line.startsWith('process'))).toEqual(['process 16', 'process 2', 'process 8'])
    expect(begun).toContain('write t/0/5-22@x')
    expect(log.findIndex((line) => line.startsWith('commit'))).toBeGreaterThan(
      log.indexOf('write t/0/5-22@x'),
    )
    expect(log).toContain('commit 23 E=30;M=1023')
    expect(log.at(-1)).toBe('commit 31 ')
  })

  it('repeats a failed insert under the same token and does not commit meanwhile', async () => {
    let failures = 3
    const tokens: string[] = []
    const { worker, log } = startWorker({
      write: async (_, token) => {
        tokens.push(token)
        if (failures-- > 0) throw new GatewatchError('store_unavailable', 'away')
        return { rejected: 0 }
      },
    })
    await worker.accept(batch(0, 3))
    await worker.finish()
    expect(tokens).toEqual(Array(4).fill('t/0/0-3@1000'))
    expect(log.filter((line) => line.startsWith('commit'))).toEqual(['commit 0 E=3;M=1000', 'commit 4 '])
  })

  it('asks again for what does not continue, and believes the broker the second time', async () => {
    const { worker, log, seeks } = startWorker()
    await worker.accept(batch(100, 110))
    expect(seeks).toEqual([0])
    await worker.accept(batch(0, 3))
    await worker.accept(batch(8, 9))
    await worker.accept(batch(8, 9))
    expect(seeks).toEqual([0, 4])
    await worker.finish()
    expect(log).toContain('write t/0/0-9@1000')
  })

  it('does not store a record twice when a batch begins before the position', async () => {
    const { worker, log } = startWorker({ position: 3 })
    await worker.accept({ ...batch(0, 5), fetchedOffset: 3 })
    await worker.finish()
    expect(log).toContain('process 3')
  })

  it('pauses the partition when too much waits, and resumes it', async () => {
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const { worker, pauses } = startWorker({
      maxWaitingBytes: 20,
      write: () => gate.then(() => ({ rejected: 0 })),
    })
    await worker.accept(batch(0, 39))
    expect(pauses).toEqual([true])
    open()
    await worker.finish()
    expect(pauses).toEqual([true, false])
  })

  it('commits nothing any more once abandoned', async () => {
    const { promise, resolve } = Promise.withResolvers<{ rejected: number }>()
    let writing = false
    const { worker, log } = startWorker({
      write: () => {
        writing = true
        return promise
      },
    })
    await worker.accept(batch(0, 3))
    await expect.poll(() => writing).toBe(true)
    worker.abandon()
    resolve({ rejected: 0 })
    await worker.finish()
    expect(log.filter((line) => line.startsWith('commit'))).toEqual(['commit 0 E=3;M=1000'])
  })
})

describe('intent', () => {
  it('comes back as it was, and nothing else is taken for one', () => {
    expect(decodeIntent(encodeIntent({ to: 42, mark: '1755785000000' }))).toEqual({
      to: 42,
      mark: '1755785000000',
    })
    for (const other of [null, undefined, '', 'E=', 'E=1', 'E=x;M=1', 'E=1;M=a b', '{"E":1}']) {
      expect(decodeIntent(other)).toBeUndefined()
    }
  })
})

describe('chunk buffer', () => {
  const buffer = (changes: Partial<ChunkBufferOptions> = {}) =>
    createChunkBuffer({
      limits: { maxRows: 3, maxBytes: 100, maxAgeMs: 1000 },
      pending: undefined,
      process: () => ({ events: [], parts: [], deadLetters: [] }),
      createEncoder: () => ({ add: () => {}, finish: () => [] }),
      signal: new AbortController().signal,
      ...changes,
    })
  it('cuts by rows, by age, and where offsets start again', async () => {
    const waiting = buffer()
    await waiting.add([record(1), record(2), record(3), record(4)], 4, 0)
    expect(waiting.cut(0)).toMatchObject({ from: 1, to: 3, records: 3, firstMs: 1001 })
    expect(waiting.cut(999)).toBeUndefined()
    expect(waiting.dueAtMs()).toBe(1000)
    expect(waiting.cut(1000)).toMatchObject({ from: 4, to: 4 })
    await waiting.add([record(9)], 9, 0)
    await waiting.add([record(0)], 0, 0)
    expect(waiting.cut(0)).toMatchObject({ from: 9, to: 9 })
    expect(waiting.cut(0, true)).toMatchObject({ from: 0, to: 0 })
    expect([waiting.bytes(), waiting.rows()]).toEqual([0, 0])
  })

  it('waits longer where there is more to read at once', async () => {
    const waiting = buffer()
    await waiting.add([record(1)], 1, 0, true)
    expect(waiting.cut(4999)).toBeUndefined()
    await waiting.add([record(2)], 2, 4000)
    expect(waiting.cut(4000)).toMatchObject({ from: 1, to: 2 })
  })

  it('gives exactly what an earlier owner began, also when nothing is left of it', async () => {
    const begun = buffer({ pending: { from: 5, to: 12 } })
    await begun.add([5, 6, 7, 8, 9].map(record), 9, 0)
    expect(begun.cut(10_000, true)).toBeUndefined()
    await begun.add([12, 13].map(record), 13, 0)
    expect(begun.cut(0)).toMatchObject({ from: 5, to: 12, records: 6 })
    expect(begun.cut(0, true)).toMatchObject({ from: 13, to: 13 })
    const gone = buffer({ pending: { from: 5, to: 12 } })
    await gone.add([record(40)], 40, 0)
    expect(gone.cut(0)).toMatchObject({ from: 5, to: 12, records: 0 })
    expect(gone.cut(0, true)).toMatchObject({ from: 40, to: 40, records: 1 })
  })
})
