import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { PassThrough, pipeline, Readable } from 'node:stream'
import { crc32, createGunzip, createZstdDecompress } from 'node:zlib'
import { zstdFrames } from '../../core/zstd-frames.ts'

/** A file as the file system knows it. */
export interface FileFacts {
  readonly path: string
  readonly dev: number
  readonly ino: number
  readonly size: number
  readonly modifiedMs: number
}

const HEAD_BYTES = 4096
const NEWLINE = 10

/** By how much of its beginning a file is known, in bytes. */
export const BEGINNING_BYTES = 64 * 1024

export const isCompressed = (path: string): boolean => /\.(?:gz|zst)$/.test(path)

/** The name of a file without its folder, and without what says how it is packed. */
export const plainName = (path: string): string => basename(path).replace(/\.(?:gz|zst)$/, '')

export type Packing = 'gzip' | 'zstd'

/** How a file is packed: as its name says, else as its first bytes do. */
export function packingOf(path: string, first: Uint8Array = new Uint8Array()): Packing | undefined {
  if (path.endsWith('.gz')) return 'gzip'
  if (path.endsWith('.zst')) return 'zstd'
  if (first[0] === 0x1f && first[1] === 0x8b) return 'gzip'
  return Buffer.from(first.subarray(0, 4)).toString('hex') === '28b52ffd' ? 'zstd' : undefined
}

/** The bytes, unpacked; an error of the file reaches who reads them. */
export function unpacked(raw: Readable, packing: Packing | undefined): Readable {
  if (packing === undefined) return raw
  // The callbacks have nothing to add.
  if (packing === 'gzip') return pipeline(raw, createGunzip(), () => {})
  // Others may listen to the stream, so it is not read but piped.
  return Readable.from(unpackZstd(pipeline(raw, new PassThrough(), () => {})), { objectMode: false })
}

async function* unpackZstd(raw: Readable): AsyncGenerator<Buffer> {
  for await (const frame of zstdFrames(raw as AsyncIterable<Uint8Array>)) {
    const packed = Readable.from(frame, { objectMode: false })
    yield* pipeline(packed, createZstdDecompress(), () => {}) as AsyncIterable<Buffer>
  }
}

/** `undefined` when there is no such file, or it is a folder, a pipe, … */
export async function factsOf(path: string): Promise<FileFacts | undefined> {
  const info = await stat(path).catch(() => undefined)
  if (info === undefined || !info.isFile()) return undefined
  return { path, dev: info.dev, ino: info.ino, size: info.size, modifiedMs: Math.floor(info.mtimeMs) }
}

/** The bytes of a file, unpacked. A damaged packed file fails after its good part. */
export function contentOf(path: string, from = 0): Readable {
  const raw = createReadStream(path, {
    highWaterMark: 256 * 1024,
    ...(isCompressed(path) ? {} : { start: from }),
  })
  return unpacked(raw, packingOf(path))
}

/**
 * Hash of the first line, or of the first 4 KiB of a longer one: what tells a log from the one before it in the same
 * place. `undefined` while the first line is not whole; of a file that `mayHaveNoLineEnd` only while it is empty.
 */
export async function headOf(path: string, mayHaveNoLineEnd = false): Promise<string | undefined> {
  if (isCompressed(path) || mayHaveNoLineEnd)
    return hashOfHead(await beginningOf(path, HEAD_BYTES), mayHaveNoLineEnd)
  const handle = await open(path, 'r')
  try {
    return await headOfHandle(handle)
  } finally {
    await handle.close()
  }
}

/** The same of an open file that is not packed. */
export async function headOfHandle(handle: FileHandle): Promise<string | undefined> {
  const bytes = Buffer.alloc(HEAD_BYTES)
  const { bytesRead } = await handle.read(bytes, 0, HEAD_BYTES, 0)
  return hashOfHead(bytes.subarray(0, bytesRead))
}

function hashOfHead(bytes: Buffer, mayHaveNoLineEnd = false): string | undefined {
  const end = bytes.indexOf(NEWLINE)
  if (end === -1 && bytes.length < (mayHaveNoLineEnd ? 1 : HEAD_BYTES)) return undefined
  const firstLine = end === -1 ? bytes : bytes.subarray(0, end)
  return createHash('sha256').update(firstLine).digest('hex').slice(0, 12)
}

/** At most the first `length` bytes of a file, unpacked; of a damaged one what is before the damage. */
export async function beginningOf(path: string, length: number, packing = packingOf(path)): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of unpacked(createReadStream(path), packing) as AsyncIterable<Uint8Array>) {
      parts.push(chunk)
      size += chunk.byteLength
      if (size >= length) break
    }
  } catch (error) {
    if (size === 0) throw error
  }
  return Buffer.concat(parts).subarray(0, length)
}

/** CRC-32 of the first `length` bytes, unpacked; `undefined` when there are fewer. */
export async function checksumOf(path: string, length: number): Promise<number | undefined> {
  let left = length
  let sum = 0
  if (left === 0) return sum
  for await (const chunk of contentOf(path) as AsyncIterable<Uint8Array>) {
    const part = chunk.subarray(0, left)
    sum = crc32(part, sum)
    left -= part.byteLength
    if (left === 0) return sum
  }
  return undefined
}
