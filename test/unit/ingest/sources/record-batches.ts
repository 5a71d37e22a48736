import { gzipSync, zstdCompressSync } from 'node:zlib'
import { crc32c } from '../../../../ingest/sources/crc32c.ts'

/** A record for `recordBatch`; `offset` counts from the batch’s first. */
export interface BatchRecord {
  readonly offset?: number
  readonly timestampDelta?: number
  readonly key?: Uint8Array | string | null
  readonly value: Uint8Array | string | null
  readonly headers?: readonly (readonly [string, Uint8Array | string | null])[]
}

export interface BatchShape {
  readonly firstOffset?: number
  readonly lastOffset?: number
  readonly timestampMs?: number
  readonly maxMs?: number
  readonly attributes?: number
  readonly producerId?: number
  /** What the header says, if not the truth. */
  readonly count?: number
  readonly magic?: number
  /** Compresses the records; `attributes` must name the codec. */
  readonly compress?: (records: Buffer) => Buffer
}

/** A record batch of Kafka’s format 2, as a broker would send it. */
export function recordBatch(records: readonly BatchRecord[], shape: BatchShape = {}): Buffer {
  const body = Buffer.concat(records.map((record, index) => encodeRecord(record, index)))
  return batchAround(shape.compress?.(body) ?? body, records.length, {
    lastOffset: (shape.firstOffset ?? 0) + (records.at(-1)?.offset ?? records.length - 1),
    ...shape,
  })
}

/** The header of a batch before records that are compressed already. */
export function batchAround(body: Buffer, records: number, shape: BatchShape): Buffer {
  const first = shape.firstOffset ?? 0
  const header = Buffer.alloc(61)
  header.writeBigInt64BE(BigInt(first), 0)
  header.writeInt32BE(49 + body.length, 8)
  header.writeInt8(shape.magic ?? 2, 16)
  header.writeInt16BE(shape.attributes ?? 0, 21)
  header.writeInt32BE((shape.lastOffset ?? first + records - 1) - first, 23)
  header.writeBigInt64BE(BigInt(shape.timestampMs ?? 1_000), 27)
  header.writeBigInt64BE(BigInt(shape.maxMs ?? shape.timestampMs ?? 1_000), 35)
  header.writeBigInt64BE(BigInt(shape.producerId ?? -1), 43)
  header.writeInt16BE(-1, 51)
  header.writeInt32BE(-1, 53)
  header.writeInt32BE(shape.count ?? records, 57)
  const batch = Buffer.concat([header, body])
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

export function encodeRecord(record: BatchRecord, index: number): Buffer {
  const { key = null, value, headers = [] } = record
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(record.timestampDelta ?? 0),
    varint(record.offset ?? index),
    sized(key),
    sized(value),
    varint(headers.length),
    ...headers.flatMap(([name, content]) => [sized(name), sized(content)]),
  ])
  return Buffer.concat([varint(body.length), body])
}

const sized = (bytes: Uint8Array | string | null): Buffer => {
  if (bytes === null) return varint(-1)
  const buffer = Buffer.from(bytes as string)
  return Buffer.concat([varint(buffer.length), buffer])
}

/** Kafka’s zigzag encoding. */
export function varint(value: number): Buffer {
  let rest = value >= 0 ? BigInt(value) * 2n : -BigInt(value) * 2n - 1n
  const bytes: number[] = []
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  bytes.push(Number(rest))
  return Buffer.from(bytes)
}

/** A control batch: the end of a transaction. */
export const controlBatch = (offset: number, producerId: number, aborts: boolean): Buffer =>
  recordBatch([{ key: Buffer.from([0, 0, 0, aborts ? 0 : 1]), value: Buffer.alloc(6) }], {
    firstOffset: offset,
    attributes: 0x30,
    producerId,
  })

export const COMPRESSORS = {
  gzip: { attributes: 1, compress: (bytes: Buffer) => gzipSync(bytes) },
  snappy: { attributes: 2, compress: snappyLiterals },
  lz4: { attributes: 3, compress: lz4Stored },
  zstd: { attributes: 4, compress: (bytes: Buffer) => zstdCompressSync(bytes) },
} as const

/** Valid Snappy that compresses nothing: framed blocks of literals. */
function snappyLiterals(bytes: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from('82534e41505059000000000100000001', 'hex')]
  for (let at = 0; at < bytes.length; at += 32_768) {
    const block = bytes.subarray(at, at + 32_768)
    const raw = Buffer.concat([plainVarint(block.length), literal(block)])
    const length = Buffer.alloc(4)
    length.writeInt32BE(raw.length)
    parts.push(length, raw)
  }
  return Buffer.concat(parts)
}

/** A Snappy literal of any length. */
export function literal(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(bytes.length - 1)
  return Buffer.concat([Buffer.from([63 << 2]), length, bytes])
}

export function plainVarint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128)
  return Buffer.from([...bytes, rest])
}

/** A valid LZ4 frame of blocks that are stored as they are. */
function lz4Stored(bytes: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0])]
  for (let at = 0; at < bytes.length; at += 65_536) {
    const block = bytes.subarray(at, at + 65_536)
    parts.push(uint32(block.length + 2 ** 31), block)
  }
  return Buffer.concat([...parts, uint32(0)])
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
