import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../../core/clock.ts'
import { GatewatchError } from '../../../../core/errors.ts'
import type { Batch, RawRecord } from '../../../../ingest/record.ts'
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

// The checksum of the first record ends every mark; that it does is tested by itself.
const withoutChecksum = (mark: string) => mark.replace(/([@=]\d+)-[0-9a-z]+$/, '$1')

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
    compare: async () => ({ duplicates: new Set(), conflicts: new Set(), release: () => {} }),
    write: async (_, token) => {
      log.push(`write ${withoutChecksum(token)}`)
      return { rejected: 0 }
    },
    commit: async (offset, metadata) => {
      log.push(`commit ${offset} ${withoutChecksum(metadata)}`)
    },
    seek: (offset) => seeks.push(offset),
    fetchBounds: async () => ({ oldest: 0, highWatermark: 100 }),
    lostRecord: (from, to) => ({
      ...record(from),
      lastOffset: to,
      refused: { reason: 'records_lost', message: `${from} to ${to}` },
    }),
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
        tokens.push(withoutChecksum(token))
        if (failures-- > 0) throw new GatewatchError('store_unavailable', 'away')
        return { rejected: 0 }
      },
    })
    await worker.accept(batch(0, 3))
    await worker.finish()
    expect(tokens).toEqual(Array(4).fill('t/0/0-3@1000'))
    expect(log.filter((line) => line.startsWith('commit'))).toEqual(['commit 0 E=3;M=1000', 'commit 4 '])
  })

  it('asks again for what does not continue', async () => {
    const { worker, log, seeks } = startWorker()
    await worker.accept(batch(100, 110))
    await worker.accept(batch(0, 3))
    await worker.accept(batch(8, 9))
    expect(seeks).toEqual([0, 4])
    await worker.finish()
    expect(log.filter((line) => line.startsWith('write'))).toEqual(['write t/0/0-3@1000'])
  })

  it('says which records were deleted, in the block of what follows, and reads on', async () => {
    const processed: RawRecord[] = []
    const gaps: unknown[] = []
    const { worker, log, seeks } = startWorker({
      position: 5,
      process: (records) => {
        processed.push(...records)
        return { events: [], parts: [], deadLetters: [] }
      },
      fetchBounds: async () => ({ oldest: 20, highWatermark: 30 }),
      telemetry: { ...silentTelemetry, offsetGap: (...gap) => gaps.push(gap) },
    })
    await worker.outOfRange(5)
    expect(seeks).toEqual([20])
    expect(worker.status().lost).toBe(15)
    await worker.accept(batch(20, 21))
    await worker.finish()
    expect(gaps).toEqual([['t/0', 5, 20]])
    expect(processed.map(({ offset, refused }) => [offset, refused?.message])).toEqual([
      [5, '5 to 19'],
      [20, undefined],
      [21, undefined],
    ])
    expect(log).toEqual(['commit 5 E=21;M=1005', 'write t/0/5-21@1005', 'commit 22 '])
  })

  it('keeps the boundary of what was begun when the records of it are gone', async () => {
    const { worker, log } = startWorker({
      position: 5,
      pending: { to: 9, mark: 'x' },
      fetchBounds: async () => ({ oldest: 20, highWatermark: 30 }),
    })
    await worker.outOfRange(5)
    await worker.finish()
    expect(log.filter((line) => !line.startsWith('process'))).toEqual([
      'write t/0/5-9@x',
      'commit 10 E=19;M=1010',
      'write t/0/10-19@1010',
      'commit 20 ',
    ])
  })

  it('reads a topic that was made anew from its beginning, and commits nothing of the old one any more', async () => {
    const restarts: unknown[] = []
    const { worker, log, seeks } = startWorker({
      position: 500,
      limits: { maxRows: 10, maxBytes: 1e6, maxAgeMs: 60_000 },
      fetchBounds: async () => ({ oldest: 0, highWatermark: 3 }),
      telemetry: { ...silentTelemetry, offsetsRestarted: (...restart) => restarts.push(restart) },
    })
    await worker.accept(batch(500, 502))
    await worker.outOfRange(503)
    expect(seeks).toEqual([0])
    await worker.accept(batch(0, 2))
    await worker.finish()
    expect(restarts).toEqual([['t/0', 503, 0]])
    expect(log.filter((line) => !line.startsWith('process')).toSorted()).toEqual(
      [
        'commit 0 ',
        'write t/0/500-502@1500',
        'commit 0 E=2;M=1000',
        'write t/0/0-2@1000',
        'commit 3 ',
      ].toSorted(),
    )
    expect(worker.status()).toMatchObject({ stored: 3, lost: 0 })
  })

  it('goes on where it was when the offset exists after all', async () => {
    const { worker, seeks } = startWorker({ position: 50 })
    await worker.outOfRange(50)
    await worker.outOfRange(7)
    expect(seeks).toEqual([50, 50])
    expect(worker.status().lost).toBe(0)
  })

  it('gets on where there is nothing to store: what was read is committed, and nothing lags', async () => {
    const { worker, log } = startWorker()
    await worker.accept({ fetchedOffset: 0, lastOffset: 7, highWatermark: 8, records: [] })
    await expect.poll(() => log).toEqual(['commit 8 '])
    expect(worker.status().stored).toBe(8)
    await worker.accept({ ...batch(8, 9), lastOffset: 11 })
    await expect.poll(() => worker.status().stored).toBe(12)
    await worker.finish()
    expect(log.filter((line) => line.startsWith('commit'))).toEqual([
      'commit 8 ',
      'commit 8 E=9;M=1008',
      'commit 12 ',
    ])
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

  it('reads a block that was begun to its end, although it is larger than what may wait here', async () => {
    const { worker, log, pauses } = startWorker({
      ...{ position: 0, pending: { to: 29, mark: 'x' }, maxWaitingBytes: 20 },
      limits: { maxRows: 10, maxBytes: 20, maxAgeMs: 20 },
    })
    await worker.accept(batch(0, 19))
    expect([worker.status().waitingBytes > 20, pauses]).toEqual([true, []])
    await worker.accept(batch(20, 24))
    expect(pauses).toEqual([])
    await worker.accept(batch(25, 39))
    await worker.finish()
    expect(log.filter((line) => line.startsWith('write'))).toEqual([
      'write t/0/0-29@x',
      'write t/0/30-39@1030',
    ])
    expect(pauses).toEqual([true, false])
  })

  describe('an encoder that fails on a record', () => {
    // Fails in `add` or in `finish` when a record with the offset is among those it was given.
    const failingEncoder = (bad: number, where: 'add' | 'finish') => () => {
      const given: number[] = []
      const check = (at: string) => {
        if (at === where && given.includes(bad)) throw new TypeError('no such type')
      }
      return {
        add: ({ events }: Batch) => {
          given.push(...events.map(({ offset }) => offset))
          check('add')
        },
        finish: () => {
          check('finish')
          return [
            { table: 'events', columns: given.map(String), rows: new Uint8Array(), count: given.length },
          ]
        },
      }
    }
    function startFailing(bad: number, where: 'add' | 'finish', changes: Partial<PartitionOptions> = {}) {
      const letters: RawRecord[] = []
      const blocks: (readonly string[])[] = []
      const started = startWorker({
        process: (records) => {
          letters.push(...records.filter(({ refused }) => refused !== undefined))
          const events = records.filter(({ refused }) => refused === undefined)
          return { events: events as never, parts: [], deadLetters: [] }
        },
        createEncoder: failingEncoder(bad, where),
        write: async ([table]) => {
          blocks.push(table?.columns ?? [])
          return { rejected: 0 }
        },
        ...changes,
      })
      return { ...started, letters, blocks }
    }
    const offsets = (from: number, to: number) =>
      Array.from({ length: to - from + 1 }, (_, index) => String(from + index))

    it.each(['add', 'finish'] as const)(
      'makes that one a dead letter and stores the others of the block, when it fails in %s',
      async (where) => {
        const { worker, seeks, letters, blocks, log } = startFailing(13, where)
        await worker.accept(batch(0, 19))
        await expect.poll(() => seeks).toEqual([10])
        await worker.accept(batch(10, 19))
        await worker.finish()
        expect(blocks).toEqual([offsets(0, 9), offsets(10, 19).filter((offset) => offset !== '13')])
        expect(letters).toMatchObject([
          {
            offset: 13,
            refused: {
              reason: 'internal',
              message: 'The record could not be encoded for the store: no such type',
            },
          },
        ])
        expect(log.at(-1)).toBe('commit 20 ')
        expect(worker.status()).toMatchObject({ stored: 20, halted: undefined })
      },
    )

    it.each(['add', 'finish'] as const)(
      'keeps the boundary of a block that was begun, when it fails in %s',
      async (where) => {
        const { worker, seeks, blocks, log } = startFailing(3, where, {
          pending: { to: 14, mark: 'x' },
          limits: { maxRows: 4, maxBytes: 1e6, maxAgeMs: 20 },
        })
        await worker.accept(batch(0, 16))
        await expect.poll(() => seeks).toEqual([0])
        await worker.accept(batch(0, 9))
        await worker.accept(batch(10, 16))
        await worker.finish()
        expect(blocks).toEqual([offsets(0, 14).filter((offset) => offset !== '3'), offsets(15, 16)])
        expect(log.filter((line) => line.startsWith('commit'))).toEqual([
          'commit 15 E=16;M=1015',
          'commit 17 ',
        ])
      },
    )

    it('stands still when the block fails although each of its records does not', async () => {
      let blocks = 0
      const { worker, seeks, pauses } = startWorker({
        createEncoder: () => ({
          add: () => {},
          finish: () => {
            if (blocks++ % 2 === 0) throw new RangeError('too large')
            return []
          },
        }),
        limits: { maxRows: 2, maxBytes: 1e6, maxAgeMs: 20 },
      })
      await worker.accept(batch(0, 1))
      await expect.poll(() => seeks).toEqual([0])
      await worker.accept(batch(0, 1))
      await expect.poll(() => worker.status().halted).toBe('too large')
      expect(pauses.at(-1)).toBe(true)
    })
  })

  it('stands still, visibly, at a fault of ours that does not pass; tries for ever what may pass', async () => {
    const attempts = { ours: 0, store: 0 }
    const { worker, log, pauses } = startWorker({
      write: () => {
        attempts.ours++
        return Promise.reject(new TypeError('no such function'))
      },
    })
    await worker.accept(batch(0, 3))
    await expect.poll(() => worker.status().halted).toBe('no such function')
    expect([attempts.ours, pauses]).toEqual([5, [true]])
    expect(log.filter((line) => line.startsWith('commit'))).toEqual(['commit 0 E=3;M=1000'])
    const { worker: patient } = startWorker({
      write: () => {
        attempts.store++
        return Promise.reject(new GatewatchError('store_rejected', 'no such table'))
      },
    })
    await patient.accept(batch(0, 3))
    await expect.poll(() => attempts.store).toBeGreaterThan(20)
    expect(patient.status()).toMatchObject({ halted: undefined, lastError: 'no such table' })
    expect(patient.status().failedInserts).toBeGreaterThanOrEqual(20)
  })

  it('waits longer each time before it asks again for an offset that the broker has and does not give', async () => {
    const { worker, seeks } = startWorker({ position: 50 })
    await worker.outOfRange(50)
    const since = performance.now()
    for (let time = 0; time < 3; time++) await worker.outOfRange(50)
    // At least the half of 100, 200 and 400 ms.
    expect(performance.now() - since).toBeGreaterThan(340)
    expect(seeks).toEqual([50, 50, 50, 50])
    expect(worker.status().lastError).toBe('The broker has no offset 50, and says that it has 0 to 100.')
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
      onReadAgain: () => {},
      signal: new AbortController().signal,
      ...changes,
    })
  it('cuts by rows, by age, and where offsets start again', async () => {
    const waiting = buffer()
    await waiting.add([record(1), record(2), record(3), record(4)], 4, 0)
    expect(waiting.cut(0)).toMatchObject({ from: 1, to: 3, records: 3 })
    expect(waiting.cut(999)).toBeUndefined()
    expect(waiting.dueAtMs()).toBe(1000)
    expect(waiting.cut(1000)).toMatchObject({ from: 4, to: 4 })
    await waiting.add([record(9)], 9, 0)
    await waiting.add([record(0)], 0, 0)
    expect(waiting.cut(0)).toMatchObject({ from: 9, to: 9 })
    expect(waiting.cut(0, true)).toMatchObject({ from: 0, to: 0 })
    expect([waiting.bytes(), waiting.rows()]).toEqual([0, 0])
  })

  it('marks a chunk by time and bytes of its first record', async () => {
    const markOf = async (change: Partial<RawRecord>) => {
      const waiting = buffer()
      await waiting.add([{ ...record(1), ...change }], 1, 0)
      return waiting.cut(0, true)?.mark
    }
    const marks = await Promise.all([{}, { timestampMs: 7 }, { value: Buffer.from('other') }].map(markOf))
    expect(new Set(marks).size).toBe(3)
    expect(marks.map((mark) => decodeIntent(encodeIntent({ to: 1, mark: mark ?? '' }))?.mark)).toEqual(marks)
    expect(await markOf({})).toBe(marks[0])
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
