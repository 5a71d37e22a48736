import { writeSync } from 'node:fs'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { constants, createGzip, createZstdCompress } from 'node:zlib'
import { readRecordBatches } from '../../../../ingest/sources/kafka-record-batch.ts'
import { batchAround, encodeRecord, recordBatch, varint } from './record-batches.ts'

// Reads a small batch that holds much and lets go, as the pipeline does; prints what it saw and how far memory grew.
const MB = 1024 ** 2

const MAKE: Readonly<Record<string, () => Promise<Buffer>>> = {
  'large-record': async () => batchAround(await gzip(oneRecord(200 * MB)), 1, { attributes: 1 }),
  'gzip-gigabyte': async () => batchAround(await gzip(oneRecord(1024 * MB)), 1, { attributes: 1 }),
  'many-records': async () => batchAround(await gzip(records(300, MB)), 300, { attributes: 1 }),
  'zstd-gigabyte': async () => batchAround(await zstd(oneRecord(1024 * MB), 21), 1, { attributes: 4 }),
  'zstd-wide-window': async () => batchAround(await zstd(oneRecord(1024 * MB), 27), 1, { attributes: 4 }),
}

const gzip = (pieces: Iterable<Buffer>) => buffer(Readable.from(pieces).pipe(createGzip({ level: 6 })))
const zstd = (pieces: Iterable<Buffer>, windowLog: number) =>
  buffer(
    Readable.from(pieces).pipe(createZstdCompress({ params: { [constants.ZSTD_c_windowLog]: windowLog } })),
  )

function* records(count: number, bytes: number) {
  const value = Buffer.alloc(bytes)
  for (let index = 0; index < count; index++) yield encodeRecord({ value }, index)
}

// Its length, then attributes, time, offset, no key, the value's length, the value, no headers.
function* oneRecord(bytes: number) {
  const start = Buffer.concat([Buffer.from([0]), varint(0), varint(0), varint(-1), varint(bytes)])
  yield Buffer.concat([varint(start.length + bytes + 1), start])
  const piece = Buffer.alloc(MB)
  for (let left = bytes; left > 0; left -= piece.length) yield piece.subarray(0, left)
  yield varint(0)
}

const batch = (await MAKE[process.argv[2] ?? '']?.()) ?? Buffer.alloc(0)
const bytes = Buffer.concat([batch, recordBatch([{ value: 'good' }], { firstOffset: 5_000 })])
const before = process.memoryUsage.rss()
let most = before
const seen = []
for await (const portion of readRecordBatches(bytes, { from: 0, aborted: [] })) {
  for (const { offset, refused, fullBytes, value } of portion.records)
    seen.push({ offset, refused: refused !== undefined, fullBytes, kept: value?.length ?? 0 })
  most = Math.max(most, process.memoryUsage.rss())
}
if (seen.pop()?.offset !== 5_000) throw new Error('The batch after it was not read.')
writeSync(1, JSON.stringify({ seen, grownMb: (most - before) / MB, batchBytes: batch.length }))
