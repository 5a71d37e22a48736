import { messageOf } from '../../core/errors.ts'
import { crc32c } from './crc32c.ts'
import { CODECS, inflate, TooLarge } from './kafka-codecs.ts'

/** A record as the broker has it. */
export interface FetchedRecord {
  readonly offset: number
  /** Milliseconds since the epoch. */
  readonly timestampMs: number
  /** `null` for a tombstone. */
  readonly value: Uint8Array | null
  /** Names in lower case; of several headers of a name the last. */
  readonly headers: Readonly<Record<string, string>>
  /** Bytes of the value where only its beginning was kept. */
  readonly fullBytes?: number
  /** Why there is no value; then the record stands for all offsets up to `lastOffset`. */
  readonly refused?: string
  readonly lastOffset?: number
}

/** Some of what was fetched, in order of offset: everything there is up to `lastOffset`. */
export interface Portion {
  readonly records: readonly FetchedRecord[]
  readonly lastOffset: number
}

/** A transaction that was taken back: the records of its producer from this offset on do not count. */
export interface AbortedTransaction {
  readonly producerId: string
  readonly firstOffset: number
}

export interface ReadOptions {
  /** What comes before this offset is left out: a batch comes whole, wherever the question pointed. */
  readonly from: number
  readonly aborted: readonly AbortedTransaction[]
  /** Values longer than this, in bytes, are cut to `keptBytes`: no part of one can be processed anyway. */
  readonly maxRecordBytes?: number
  /** Offset after the newest record that the broker has. */
  readonly highWatermark?: number
  /**
   * Asked about a batch with a wrong checksum, and told its first offset. `read-again` ends the reading before it; what
   * `refuse` makes of it are records that say so, and reading ends after it. Default: it is refused.
   */
  readonly onDamaged?: (firstOffset: number) => 'read-again' | 'refuse'
  /** A portion ends at about so many records and bytes. */
  readonly portionRecords?: number
  readonly portionBytes?: number
}

const KEPT_BYTES = 64 * 1024
// Enough of a record's beginning to hold its key and the kept bytes of its value.
const KEPT_PREFIX_BYTES = KEPT_BYTES + 16 * 1024
const MAX_REFUSED_ONE_BY_ONE = 10_000

// Places in a record batch of format 2 (kafka.apache.org, "Record Batch"), and in the message set of formats 0 and 1.
const HEADER_BYTES = 61
const LENGTH_AT = 8
const BEFORE_LENGTH_ENDS = 12
const MAGIC_AT = 16
const CHECKSUM_AT = 17
const ATTRIBUTES_AT = 21
const [CODEC_MASK, APPEND_TIME, TRANSACTIONAL, CONTROL] = [0x07, 0x08, 0x10, 0x20]

interface Head {
  /** Its checksum is wrong: nothing in it can be relied on, also not where it ends. */
  readonly damaged: boolean
  readonly firstOffset: number
  readonly lastOffset: number
  readonly attributes: number
  readonly firstMs: number
  readonly maxMs: number
  readonly producerId: string
  readonly count: number
  readonly body: Buffer
}

/**
 * Reads what a broker answered for a partition, a portion at a time, so that a small answer that holds much never
 * stands in memory whole. Records of aborted transactions, control records and what compaction took leave holes. What
 * cannot be read is not left out: a record that says so stands in its place, and the next batch is read.
 */
export async function* readRecordBatches(bytes: Buffer, options: ReadOptions): AsyncGenerator<Portion> {
  const { from, portionRecords = 20_000, portionBytes = 2 * 1024 * 1024 } = options
  const isAborted = createAbortedFilter(options.aborted)
  let records: FetchedRecord[] = []
  let size = 0
  let lastOffset = -1
  const take = (): Portion => {
    const portion = { records, lastOffset }
    records = []
    size = 0
    return portion
  }
  for (const { head, next } of batchesOf(bytes)) {
    // What lies before the offset asked for matters to nobody.
    if (head.damaged && next !== undefined && next <= from) continue
    if (head.damaged) {
      if (options.onDamaged?.(head.firstOffset) === 'read-again') break
      lastOffset = endOfDamaged(head, next, options)
      const { firstOffset } = head
      const message = `The batch of offsets ${firstOffset} to ${lastOffset} is damaged: its checksum is wrong.`
      records.push(...refusals(Math.max(from, firstOffset), { ...head, lastOffset }, message))
      // Which transactions end here is not known; the next answer says which are open.
      break
    }
    if (head.lastOffset < from) {
      isAborted(head)
      lastOffset = head.lastOffset
      continue
    }
    // Compaction leaves batches without records.
    if (!isAborted(head) && head.count !== 0) {
      for await (const record of recordsOf(head, from, options.maxRecordBytes ?? 8 * 1024 * 1024)) {
        records.push(record)
        size += record.value?.length ?? 0
        lastOffset = record.lastOffset ?? record.offset
        if (records.length >= portionRecords || size >= portionBytes) yield take()
      }
    }
    // Also past the offsets that compaction took from the end of the batch.
    lastOffset = head.lastOffset
  }
  if (lastOffset >= from) yield take()
}

// The batch after it says where it ends, or else its own header, as far as that can be.
function endOfDamaged(head: Head, next: number | undefined, { from, highWatermark }: ReadOptions): number {
  const first = Math.max(from, head.firstOffset)
  if (next !== undefined && next > first) return next - 1
  return Math.max(first, Math.min(head.lastOffset, (highWatermark ?? Number.POSITIVE_INFINITY) - 1))
}

/** The whole batches, with the first offset of the next; what is cut off at the end comes again with the next answer. */
function* batchesOf(bytes: Buffer): Generator<{ head: Head; next: number | undefined }> {
  for (let at = 0; at + MAGIC_AT < bytes.length; ) {
    const end = at + BEFORE_LENGTH_ENDS + bytes.readInt32BE(at + LENGTH_AT)
    if (end > bytes.length || end <= at + MAGIC_AT) return
    const next = end + LENGTH_AT <= bytes.length ? Number(bytes.readBigInt64BE(end)) : undefined
    yield { head: headOf(bytes.subarray(at, end)), next }
    at = end
  }
}

function headOf(batch: Buffer): Head {
  const firstOffset = Number(batch.readBigInt64BE(0))
  if (batch.readInt8(MAGIC_AT) < 2 || batch.length < HEADER_BYTES) {
    const none = { damaged: false, attributes: 0, firstMs: 0, maxMs: 0, producerId: '-1', count: -1 }
    return { ...none, firstOffset, lastOffset: firstOffset, body: batch }
  }
  return {
    damaged: crc32c(batch.subarray(ATTRIBUTES_AT)) !== batch.readUInt32BE(CHECKSUM_AT),
    firstOffset,
    lastOffset: firstOffset + batch.readInt32BE(23),
    attributes: batch.readInt16BE(ATTRIBUTES_AT),
    firstMs: Number(batch.readBigInt64BE(27)),
    maxMs: Number(batch.readBigInt64BE(35)),
    producerId: String(batch.readBigInt64BE(43)),
    count: batch.readInt32BE(57),
    body: batch.subarray(HEADER_BYTES),
  }
}

/**
 * Says of one batch after the other whether it counts for nothing: it belongs to an aborted transaction, or marks the
 * end of one. The broker's list need not be in order of offset, and several transactions may be open at once.
 */
function createAbortedFilter(aborted: readonly AbortedTransaction[]): (head: Head) => boolean {
  const coming = aborted.toSorted((one, other) => one.firstOffset - other.firstOffset)
  const open = new Set<string>()
  return ({ attributes, producerId, lastOffset, body }) => {
    while (coming[0] !== undefined && coming[0].firstOffset <= lastOffset) {
      open.add(coming[0].producerId)
      coming.shift()
    }
    if ((attributes & CONTROL) === 0) return (attributes & TRANSACTIONAL) !== 0 && open.has(producerId)
    if (isAbortMarker(body)) open.delete(producerId)
    return true
  }
}

// A control record's key: version, then type; type 0 takes the transaction back.
function isAbortMarker(body: Buffer): boolean {
  const cursor = new Cursor(body)
  cursor.varint()
  cursor.skip(1)
  cursor.varlong()
  cursor.varint()
  const key = cursor.bytes(cursor.varint())
  return key !== null && key.length >= 4 && key.readInt16BE(2) === 0
}

async function* recordsOf(head: Head, from: number, maxRecordBytes: number): AsyncGenerator<FetchedRecord> {
  let next = Math.max(from, head.firstOffset)
  try {
    if (head.count < 0) throw new Error('It is written in the message format of Kafka before 0.11.')
    for await (const record of decodeRecords(head, maxRecordBytes)) {
      if (record.offset < next) continue
      next = record.offset + 1
      yield record
    }
  } catch (error) {
    const codec = CODECS[head.attributes & CODEC_MASK] ?? 'unknown'
    const reason = messageOf(error).replace(/\.?$/, '.')
    const kind = error instanceof TooLarge ? 'is too large to be read to its end' : 'cannot be read'
    yield* refusals(
      next,
      head,
      `The batch of offsets ${head.firstOffset} to ${head.lastOffset} (codec ${codec}) ${kind}. ${reason}`,
    )
  }
}

function* refusals(from: number, head: Head, refused: string): Generator<FetchedRecord> {
  const one = { timestampMs: head.maxMs, value: null, headers: NO_HEADERS, refused }
  if (head.lastOffset - from < MAX_REFUSED_ONE_BY_ONE) {
    for (let offset = from; offset <= head.lastOffset; offset++) yield { ...one, offset }
  } else yield { ...one, offset: from, lastOffset: head.lastOffset }
}

async function* decodeRecords(head: Head, maxRecordBytes: number): AsyncGenerator<FetchedRecord> {
  const codec = CODECS[head.attributes & CODEC_MASK]
  if (codec === undefined) throw new Error('There is no such codec.')
  const cut = createCutter(maxRecordBytes)
  let count = 0
  for await (const piece of inflate(codec, head.body)) {
    for (const { body, length } of cut(piece)) {
      yield decodeRecord(head, body, length)
      if (++count === head.count) return
    }
  }
  throw new Error(`It holds ${count} of ${head.count} records.`)
}

interface Cut {
  readonly body: Buffer
  /** Larger than the body if the rest was let go. */
  readonly length: number
}

/** Cuts pieces of a stream into records; of one that is too long only the beginning is kept. */
function createCutter(maxRecordBytes: number): (piece: Buffer) => Generator<Cut> {
  const longest = maxRecordBytes + KEPT_PREFIX_BYTES
  let left: Buffer = Buffer.alloc(0)
  let leftParts: Buffer[] = []
  let missing = 0
  let skipping: { body: Buffer; length: number; missing: number } | undefined
  return function* cut(piece) {
    let bytes = piece
    if (skipping !== undefined) {
      const skipped = Math.min(skipping.missing, bytes.length)
      skipping.missing -= skipped
      bytes = bytes.subarray(skipped)
      if (skipping.missing > 0) return
      yield skipping
      skipping = undefined
    }
    if (missing > 0 || left.length > 0) {
      // Joined once they are enough: joining at each piece would cost the square of a long record.
      leftParts.push(bytes)
      missing -= bytes.length
      if (missing > 0) return
      bytes = Buffer.concat([left, ...leftParts])
      left = Buffer.alloc(0)
      leftParts = []
      missing = 0
    }
    const cursor = new Cursor(bytes)
    while (cursor.at < bytes.length) {
      const start = cursor.at
      if (bytes.length - start < MAX_VARINT_BYTES && !cursor.hasVarint()) {
        left = bytes.subarray(start)
        return
      }
      const length = cursor.varint()
      if (length < 0) throw new Error('A record has a negative length.')
      if (cursor.at + length > bytes.length) {
        if (length > longest && bytes.length - cursor.at >= KEPT_PREFIX_BYTES) {
          const body = Buffer.from(bytes.subarray(cursor.at, cursor.at + KEPT_PREFIX_BYTES))
          skipping = { body, length, missing: cursor.at + length - bytes.length }
          return
        }
        left = bytes.subarray(start)
        missing =
          Math.min(cursor.at + length, length > longest ? cursor.at + KEPT_PREFIX_BYTES : Infinity) -
          bytes.length
        return
      }
      yield { body: bytes.subarray(cursor.at, cursor.at + length), length }
      cursor.skip(length)
    }
  }
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({})

function decodeRecord(head: Head, body: Buffer, length: number): FetchedRecord {
  const cursor = new Cursor(body)
  cursor.skip(1)
  const delta = cursor.varlong()
  const offset = head.firstOffset + cursor.varint()
  const timestampMs = (head.attributes & APPEND_TIME) === 0 ? head.firstMs + delta : head.maxMs
  const keyBytes = cursor.varint()
  if (length > body.length) {
    // Only its beginning is here: the value as far as the key leaves room for it.
    const there = cursor.at + Math.max(0, keyBytes) + MAX_VARINT_BYTES < body.length
    if (!there) return { offset, timestampMs, value: NO_BYTES, headers: NO_HEADERS, fullBytes: length }
    cursor.skip(Math.max(0, keyBytes))
    const fullBytes = cursor.varint()
    const value = body.subarray(cursor.at, Math.min(cursor.at + KEPT_BYTES, body.length))
    return { offset, timestampMs, value, headers: NO_HEADERS, fullBytes: Math.max(fullBytes, value.length) }
  }
  cursor.skip(Math.max(0, keyBytes))
  const value = cursor.bytes(cursor.varint())
  const headerCount = cursor.varint()
  return {
    offset,
    timestampMs,
    value,
    headers: headerCount <= 0 ? NO_HEADERS : headersOf(cursor, headerCount),
  }
}

const NO_BYTES = Buffer.alloc(0)

function headersOf(cursor: Cursor, count: number): Readonly<Record<string, string>> {
  const headers: Record<string, string> = Object.create(null)
  for (let index = 0; index < count; index++) {
    const name = cursor.bytes(cursor.varint())
    const value = cursor.bytes(cursor.varint())
    if (name !== null && value !== null) headers[name.toString('utf8').toLowerCase()] = value.toString('utf8')
  }
  return headers
}

const MAX_VARINT_BYTES = 5

/** Reads Kafka's zigzag numbers and byte strings. @throws RangeError beyond the end */
class Cursor {
  readonly #bytes: Buffer
  at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  hasVarint(): boolean {
    for (let at = this.at; at < this.#bytes.length; at++) if ((this.#bytes[at] ?? 0) < 128) return true
    return false
  }

  varint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#next()
      value |= (byte & 127) << shift
      if (byte < 128) return (value >>> 1) ^ -(value & 1)
    }
    throw new RangeError('A number is too long.')
  }

  /** Exact up to 2^53. */
  varlong(): number {
    let value = 0
    for (let factor = 1; factor < 2 ** 70; factor *= 128) {
      const byte = this.#next()
      value += (byte & 127) * factor
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
    throw new RangeError('A number is too long.')
  }

  /** So many bytes; `null` for a negative number of them. */
  bytes(length: number): Buffer | null {
    if (length < 0) return null
    const start = this.at
    this.skip(length)
    return this.#bytes.subarray(start, this.at)
  }

  skip(length: number): void {
    if (length < 0 || this.at + length > this.#bytes.length) throw new RangeError('A record ends too early.')
    this.at += length
  }

  #next(): number {
    const byte = this.#bytes[this.at++]
    if (byte === undefined) throw new RangeError('A record ends too early.')
    return byte
  }
}
