import {
  createGunzip,
  createZstdDecompress,
  gunzipSync,
  type ZlibOptions,
  type ZstdOptions,
  zstdDecompressSync,
} from 'node:zlib'
import { zstdFramesOf } from '../../core/zstd-frames.ts'
import { lz4Blocks } from './lz4.ts'
import { snappyBlocks } from './snappy.ts'

/** The codecs of Kafka, in the order of their numbers in a batch's attributes. */
export const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Codec = (typeof CODECS)[number]

/** A batch that holds more than this, in bytes, is not read to its end. */
export const MAX_INFLATED_BYTES = 256 * 1024 * 1024

// Small pieces are garbage that the collector finds soon: at 256 KB four times the memory is in use before it looks.
const PIECE_BYTES = 32 * 1024
const MAX_BLOCK_BYTES = 16 * 1024 * 1024
// Inflated at one go, on this thread: a trip to another one costs more than the work.
const SMALL_BYTES = 64 * 1024
const SMALL_INFLATED_BYTES = 2 * 1024 * 1024
// A zstd frame may ask for a window of 128 MB, which fills up as it is read. What asks for more than an ordinary one
// (RFC 8878 recommends 8 MB) is read only so far that it cannot fill much.
const ORDINARY_WINDOW_BYTES = 8 * 1024 * 1024
const WIDE_WINDOW_INFLATED_BYTES = 32 * 1024 * 1024

/** What is compressed is larger than it may be. */
export class TooLarge extends Error {}

/**
 * The bytes behind a codec in pieces, so that memory does not follow what a small input claims to become.
 * @throws TooLarge after `MAX_INFLATED_BYTES` (less for a zstd frame with an extraordinary window)
 * @throws Error when the data is damaged
 */
export async function* inflate(codec: Codec, bytes: Buffer): AsyncGenerator<Buffer> {
  const limit = codec === 'zstd' ? zstdLimit(bytes) : MAX_INFLATED_BYTES
  let inflated = 0
  for await (const piece of piecesOf(codec, bytes)) {
    inflated += piece.length
    if (inflated > limit) throw new TooLarge(`It becomes more than ${limit} bytes.`)
    yield piece
  }
}

function piecesOf(codec: Codec, bytes: Buffer): AsyncIterable<Buffer> | Iterable<Buffer> {
  switch (codec) {
    case 'none':
      return [bytes]
    case 'snappy':
      return snappyBlocks(bytes, MAX_BLOCK_BYTES)
    case 'lz4':
      return lz4Blocks(bytes)
    case 'gzip':
      return zlibPieces(bytes, gunzipSync, createGunzip)
    case 'zstd':
      return zstdPieces(bytes)
  }
}

// Node's decoder stops after the first frame and says nothing about the rest.
async function* zstdPieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (const frame of zstdFramesOf(bytes)) yield* zlibPieces(frame, zstdDecompressSync, createZstdDecompress)
}

function zlibPieces(
  bytes: Buffer,
  atOnce: (bytes: Buffer, options: ZlibOptions & ZstdOptions) => Buffer,
  createStream: (options: ZlibOptions & ZstdOptions) => NodeJS.ReadWriteStream,
): AsyncIterable<Buffer> | Iterable<Buffer> {
  if (bytes.length <= SMALL_BYTES) {
    try {
      return [atOnce(bytes, { maxOutputLength: SMALL_INFLATED_BYTES, chunkSize: 4 * PIECE_BYTES })]
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') throw error
    }
  }
  const stream = createStream({ chunkSize: PIECE_BYTES })
  stream.end(bytes)
  return stream as AsyncIterable<Buffer>
}

function zstdLimit(bytes: Buffer): number {
  const window = zstdFramesOf(bytes).reduce((widest, frame) => Math.max(widest, zstdWindowBytes(frame)), 0)
  return window > ORDINARY_WINDOW_BYTES ? WIDE_WINDOW_INFLATED_BYTES : MAX_INFLATED_BYTES
}

const ZSTD_MAGIC = 0xfd2fb528
const SINGLE_SEGMENT = 0x20

/** The window that a zstd frame asks for (RFC 8878, 3.1.1.1). A single segment's window is its content. */
function zstdWindowBytes(bytes: Buffer): number {
  if (bytes.length < 14 || bytes.readUInt32LE(0) !== ZSTD_MAGIC) return 0
  const [descriptor = 0, next = 0] = bytes.subarray(4, 6)
  if ((descriptor & SINGLE_SEGMENT) === 0) {
    const base = 2 ** (10 + (next >>> 3))
    return base + (base / 8) * (next & 7)
  }
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3] ?? 0
  const at = 5 + dictionaryIdBytes
  const sizeBytes = descriptor >>> 6
  if (sizeBytes === 0) return bytes[at] ?? 0
  if (sizeBytes === 1) return bytes.readUInt16LE(at) + 256
  return sizeBytes === 2 || bytes.length < at + 8 ? bytes.readUInt32LE(at) : Number(bytes.readBigUInt64LE(at))
}
