import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { constants, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type FetchedRecord,
  type Portion,
  type ReadOptions,
  readRecordBatches,
} from '../../../../ingest/sources/kafka-record-batch.ts'
import {
  batchAround,
  COMPRESSORS,
  controlBatch,
  encodeRecord,
  recordBatch,
  varint,
} from './record-batches.ts'

const NOTHING: ReadOptions = { from: 0, aborted: [] }

async function portionsOf(bytes: Buffer, options: Partial<ReadOptions> = {}): Promise<Portion[]> {
  const portions: Portion[] = []
  for await (const portion of readRecordBatches(bytes, { ...NOTHING, ...options })) portions.push(portion)
  return portions
}
const recordsOf = async (bytes: Buffer, options: Partial<ReadOptions> = {}) =>
  (await portionsOf(bytes, options)).flatMap(({ records }) => records)
const textOf = ({ value }: FetchedRecord) => (value === null ? null : Buffer.from(value).toString())
const numbered = (count: number) => Array.from({ length: count }, (_, index) => ({ value: `r${index}` }))

describe('record batches', () => {
  it('come with offset, time, value and headers', async () => {
    const batch = recordBatch(
      [
        {
          timestampDelta: 5,
          key: 'k',
          value: 'one',
          headers: [
            ['Format', 'native'],
            ['n', null],
          ],
        },
        { offset: 3, timestampDelta: -7, value: null },
        {
          offset: 4,
          value: '',
          headers: [
            ['A', 'x'],
            ['a', Buffer.from([0xff])],
          ],
        },
      ],
      { firstOffset: 100, timestampMs: 1_700_000_000_000 },
    )
    const [one, two, three] = await recordsOf(batch)
    expect(one).toMatchObject({ offset: 100, timestampMs: 1_700_000_000_005, headers: { format: 'native' } })
    expect(two).toMatchObject({ offset: 103, timestampMs: 1_699_999_999_993, value: null })
    expect(three).toMatchObject({ offset: 104, headers: { a: '\ufffd' } })
    expect([one, two, three].map((record) => textOf(record as FetchedRecord))).toEqual(['one', null, ''])
  })

  it('has the time of the broker where the topic says so', async () => {
    const [record] = await recordsOf(
      recordBatch([{ timestampDelta: 5, value: '' }], { attributes: 0x08, timestampMs: 10, maxMs: 99 }),
    )
    expect(record?.timestampMs).toBe(99)
  })

  it('leaves out what comes before the offset asked for, and what is cut off at the end', async () => {
    const bytes = Buffer.concat([
      recordBatch(numbered(3)),
      recordBatch(numbered(3), { firstOffset: 3 }),
      recordBatch(numbered(3), { firstOffset: 6 }).subarray(0, -1),
    ])
    expect((await recordsOf(bytes, { from: 4 })).map(({ offset }) => offset)).toEqual([4, 5])
    expect((await portionsOf(bytes, { from: 4 })).at(-1)?.lastOffset).toBe(5)
    expect(await portionsOf(bytes, { from: 6 })).toEqual([])
    expect(await portionsOf(Buffer.alloc(5))).toEqual([])
  })

  it('passes the offsets that compaction took, also at the end', async () => {
    const bytes = Buffer.concat([
      recordBatch([{ offset: 1, value: 'a' }], { lastOffset: 9 }),
      recordBatch([], { firstOffset: 10, lastOffset: 19 }),
    ])
    expect(await portionsOf(bytes)).toMatchObject([{ records: [{ offset: 1 }], lastOffset: 19 }])
    expect(await portionsOf(bytes, { from: 5 })).toEqual([{ records: [], lastOffset: 19 }])
  })

  it('comes in portions', async () => {
    const portions = await portionsOf(recordBatch(numbered(25)), { portionRecords: 10 })
    expect(portions.map(({ records, lastOffset }) => [records.length, lastOffset])).toEqual([
      [10, 9],
      [10, 19],
      [5, 24],
    ])
    const bytes = await portionsOf(recordBatch(numbered(4)), { portionBytes: 4 })
    expect(bytes.map(({ lastOffset }) => lastOffset)).toEqual([1, 3, 3])
  })

  it.each(Object.entries(COMPRESSORS))('%s: any records come back as they were', async (_, codec) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 20 }),
        fc.nat(400_000),
        async (values, padding) => {
          const records = [...values, new Uint8Array(padding)].map((value) => ({ value }))
          const read = await recordsOf(recordBatch(records, codec))
          expect(read).toHaveLength(records.length)
          expect(
            read.every(({ value }, index) =>
              Buffer.from(value ?? []).equals(Buffer.from(records[index]?.value ?? [])),
            ),
          ).toBe(true)
        },
      ),
      { numRuns: 30 },
    )
  })
})

describe('transactions', () => {
  const within = (firstOffset: number, producerId: number) =>
    recordBatch([{ value: `p${producerId}` }], { firstOffset, producerId, attributes: 0x10 })

  it('that were aborted do not count, whatever the order of the broker’s list', async () => {
    // The transaction of 1 begins before that of 2 and ends after it; 3 is not in the list and so was committed.
    const bytes = Buffer.concat([
      within(0, 1),
      within(1, 2),
      within(2, 3),
      within(3, 1),
      controlBatch(4, 2, true),
      within(5, 2),
      controlBatch(6, 1, true),
      controlBatch(7, 3, false),
      controlBatch(8, 2, false),
      recordBatch([{ value: 'plain' }], { firstOffset: 9, producerId: 1 }),
    ])
    const aborted = [
      { producerId: '2', firstOffset: 1 },
      { producerId: '1', firstOffset: 0 },
    ]
    const offsets = async (from: number) =>
      (await recordsOf(bytes, { from, aborted })).map(({ offset }) => offset)
    expect(await offsets(0)).toEqual([2, 5, 9])
    // From the middle, where both are open already.
    expect(await offsets(3)).toEqual([5, 9])
    expect((await portionsOf(bytes, { aborted })).at(-1)?.lastOffset).toBe(9)
  })

  it('leave an end that holds no record', async () => {
    expect(await portionsOf(controlBatch(4, 2, true), { from: 4 })).toEqual([{ records: [], lastOffset: 4 }])
  })
})

describe('what cannot be read', () => {
  const good = recordBatch([{ value: 'good' }], { firstOffset: 50 })
  const next = async (bad: Buffer) => recordsOf(Buffer.concat([bad, good]))

  it.each([
    ['bytes that are no gzip', batchAround(Buffer.from('no gzip at all'), 3, { attributes: 1 })],
    ['bytes that are no zstd', batchAround(Buffer.from('no zstd at all'), 3, { attributes: 4 })],
    [
      'bytes that are no Snappy',
      batchAround(Buffer.from([255, 255, 255, 255, 255, 1]), 3, { attributes: 2 }),
    ],
    ['bytes that are no LZ4', batchAround(Buffer.from('no lz4 at all'), 3, { attributes: 3 })],
    ['a codec that does not exist', batchAround(Buffer.from('x'), 3, { attributes: 5 })],
    ['fewer records than it says', recordBatch([], { count: 3, lastOffset: 2 })],
    ['a record of negative length', batchAround(varint(-5), 3, {})],
    ['a record longer than the batch', batchAround(varint(500), 3, {})],
    ['a value longer than its record', batchAround(Buffer.from([8, 0, 0, 0, 1]), 3, {})],
    ['the message format of long ago', batchAround(Buffer.alloc(20), 3, { magic: 1 })],
  ])('%s: its records say so, and the next batch is read', async (_, bad) => {
    const records = await next(bad)
    const refused = records.filter((record) => record.refused !== undefined)
    expect(refused.map(({ offset }) => offset)).toEqual(bad[16] === 1 ? [0] : [0, 1, 2])
    expect(refused[0]?.refused).toMatch(/^The batch of offsets 0 to \d .*cannot be read\. \S.*\.$/)
    expect(textOf(records.at(-1) as FetchedRecord)).toBe('good')
  })

  const damagedBatch = (shape: Parameters<typeof recordBatch>[1], at = -1) => {
    const bytes = Buffer.from(recordBatch(numbered(3), shape))
    const place = at < 0 ? bytes.length + at : at
    bytes[place] = (bytes[place] ?? 0) ^ 1
    return bytes
  }

  it('is named offset by offset when a checksum is wrong, also where the record would still decode', async () => {
    const [before, after] = [recordBatch(numbered(3)), recordBatch(numbered(3), { firstOffset: 6 })]
    const bytes = Buffer.concat([before, damagedBatch({ firstOffset: 3 }, -2), after])
    const [portion] = await portionsOf(bytes)
    expect(portion?.records.map(({ offset, refused }) => [offset, refused])).toEqual([
      ...[0, 1, 2].map((offset) => [offset, undefined]),
      ...[3, 4, 5].map((offset) => [
        offset,
        'The batch of offsets 3 to 5 is damaged: its checksum is wrong.',
      ]),
    ])
    expect(portion?.lastOffset).toBe(5)
    expect((await recordsOf(bytes, { from: 6 })).map(textOf)).toEqual(['r0', 'r1', 'r2'])
  })

  it('ends where the next batch begins, or at the end of the partition, when its header lies', async () => {
    // Bytes 23 to 26 say how many offsets it has.
    const long = (firstOffset: number) => damagedBatch({ firstOffset }, 23)
    const followed = Buffer.concat([long(0), recordBatch(numbered(3), { firstOffset: 7 })])
    expect((await portionsOf(followed)).at(-1)?.lastOffset).toBe(6)
    expect((await portionsOf(long(0), { highWatermark: 5 })).at(-1)?.lastOffset).toBe(4)
    expect((await portionsOf(long(0), { from: 2, highWatermark: 1 })).at(-1)?.lastOffset).toBe(2)
  })

  it('can be asked for again: reading ends before it, and what came before counts', async () => {
    const bytes = Buffer.concat([recordBatch(numbered(3)), damagedBatch({ firstOffset: 3 })])
    const asked: number[] = []
    const onDamaged = (offset: number) => {
      asked.push(offset)
      return 'read-again' as const
    }
    expect((await portionsOf(bytes, { onDamaged })).map(({ lastOffset }) => lastOffset)).toEqual([2])
    expect(await portionsOf(bytes, { from: 3, onDamaged })).toEqual([])
    expect(asked).toEqual([3, 3])
  })

  it('keeps what came before the damage', async () => {
    const whole = Buffer.concat([0, 1, 2].map((index) => encodeRecord({ value: `r${index}` }, index)))
    const records = await next(batchAround(whole.subarray(0, -3), 3, {}))
    expect(records.map((record) => record.refused ?? textOf(record))).toEqual([
      'r0',
      'r1',
      expect.stringContaining('2 of 3 records'),
      'good',
    ])
  })

  it('stands for very many offsets as one', async () => {
    const [record, ...rest] = await next(
      batchAround(Buffer.from('no gzip'), 40_000, { firstOffset: 100, attributes: 1 }),
    )
    expect(record).toMatchObject({ offset: 100, lastOffset: 40_099, refused: expect.any(String) })
    expect(rest).toHaveLength(1)
  })

  it('survives any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 0, max: 7 }),
        fc.integer({ min: -5, max: 300 }),
        async (body, attributes, count) => {
          const bad = batchAround(Buffer.from(body), 1, { attributes, count, lastOffset: 9 })
          const records = await next(bad)
          expect(textOf(records.at(-1) as FetchedRecord)).toBe('good')
          expect(records.every(({ offset }, index) => offset > (records[index - 1]?.offset ?? -1))).toBe(true)
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('small batches that hold much', () => {
  interface Growth {
    readonly seen: readonly {
      readonly offset: number
      readonly refused: boolean
      readonly fullBytes?: number
      readonly kept: number
    }[]
    readonly grownMb: number
    readonly batchBytes: number
  }
  // In a process of its own, so that the memory is that of the reading alone.
  const reading = async (kind: string): Promise<Growth> => {
    const program = fileURLToPath(new URL('./read-growth.ts', import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [program, kind], { maxBuffer: 1 << 26 })
    return JSON.parse(stdout) as Growth
  }
  const MB = 1024 ** 2

  it('a record of 200 MB: its beginning and its size are kept', async () => {
    const { seen, grownMb } = await reading('large-record')
    expect(seen).toEqual([{ offset: 0, refused: false, fullBytes: 200 * MB, kept: 65_536 }])
    expect(grownMb).toBeLessThan(64)
  })

  it.each(['gzip-gigabyte', 'zstd-gigabyte', 'zstd-wide-window'])(
    '%s: a record of 1 GB in 1 MB or less',
    async (kind) => {
      const { seen, grownMb, batchBytes } = await reading(kind)
      expect(batchBytes).toBeLessThan(5 * MB)
      expect(seen).toMatchObject([{ offset: 0, refused: true }])
      expect(grownMb).toBeLessThan(64)
    },
  )

  it('300 MB in 300 records: those that fit are read, each of the others says that it was not', async () => {
    const { seen, grownMb } = await reading('many-records')
    expect(seen.map(({ offset }) => offset)).toEqual(Array.from({ length: 300 }, (_, index) => index))
    expect(seen.filter(({ refused }) => refused).length).toBeGreaterThan(40)
    expect(grownMb).toBeLessThan(64)
  })

  it('an ordinary batch with an extraordinary window is read', async () => {
    const params = { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_compressionLevel]: 22 }
    const compress = (bytes: Buffer) => zstdCompressSync(bytes, { params })
    const values = Array.from({ length: 40_000 }, (_, index) => ({ value: `record ${index}` }))
    expect(await recordsOf(recordBatch(values, { attributes: 4, compress }))).toHaveLength(40_000)
  })
})
