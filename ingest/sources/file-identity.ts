import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { pipeline, type Readable } from 'node:stream'
import { crc32, createGunzip } from 'node:zlib'

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

export const isCompressed = (path: string): boolean => path.endsWith('.gz')

/** `undefined` when there is no such file, or it is a folder, a pipe, … */
export async function factsOf(path: string): Promise<FileFacts | undefined> {
  const info = await stat(path).catch(() => undefined)
  if (info === undefined || !info.isFile()) return undefined
  return { path, dev: info.dev, ino: info.ino, size: info.size, modifiedMs: Math.floor(info.mtimeMs) }
}

/** The bytes of a file, unpacked. A damaged `.gz` fails after its good part. */
export function contentOf(path: string, from = 0): Readable {
  const raw = createReadStream(path, {
    highWaterMark: 256 * 1024,
    ...(isCompressed(path) ? {} : { start: from }),
  })
  return isCompressed(path) ? pipeline(raw, createGunzip(), () => {}) : raw
}

/**
 * Hash of the first line, or of the first 4 KiB of a longer one: what tells a log from the one before it in the same
 * place. `undefined` while the first line is not whole.
 */
export async function headOf(path: string): Promise<string | undefined> {
  if (isCompressed(path)) return hashOfHead(await unpackedBeginning(path))
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

function hashOfHead(bytes: Buffer): string | undefined {
  const end = bytes.indexOf(NEWLINE)
  if (end === -1 && bytes.length < HEAD_BYTES) return undefined
  const firstLine = end === -1 ? bytes : bytes.subarray(0, end)
  return createHash('sha256').update(firstLine).digest('hex').slice(0, 12)
}

async function unpackedBeginning(path: string): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const chunk of contentOf(path) as AsyncIterable<Uint8Array>) {
    parts.push(chunk)
    size += chunk.byteLength
    if (size >= HEAD_BYTES) break
  }
  return Buffer.concat(parts).subarray(0, HEAD_BYTES)
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
