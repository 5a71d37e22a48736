import { crc32 } from 'node:zlib'

/** A stretch of a file: whole lines, and where they begin. */
export interface Stretch {
  readonly lines: readonly { readonly value: Uint8Array; readonly offset: number }[]
  /** Offset after the last line end. */
  readonly to: number
  /** CRC-32 of everything before `to`. */
  readonly crc: number
}

export interface StretchOptions {
  readonly from: number
  /** CRC-32 of everything before `from`. */
  readonly crc: number
  readonly maxBytes: number
  readonly maxLines: number
  /** Of a longer line only so much is kept; it is too large as a record and stays so. */
  readonly maxLineBytes: number
  /** Exactly up to here, whatever the other bounds say: a stretch that was begun before. */
  readonly to?: number
  /** Take what follows the last line end as a line: nothing more will come. */
  readonly last?: boolean
}

const [NEWLINE, RETURN] = [10, 13]
const CHUNK_BYTES = 256 * 1024
const UNENDED_LINES = 8

/**
 * Reads the next lines. A line without an end is left for the next time, since its writer may be in the middle of it.
 * @param read reads into a buffer at an offset; 0 at the end
 */
export async function readStretch(
  read: (buffer: Uint8Array, offset: number) => Promise<number>,
  options: StretchOptions,
): Promise<Stretch> {
  const { from, maxBytes, maxLines, maxLineBytes, to: wanted = Number.POSITIVE_INFINITY } = options
  const lines: { value: Uint8Array; offset: number }[] = []
  let [to, crc] = [from, options.crc]
  let [at, pending] = [from, [] as Buffer[]]
  let pendingBytes = 0

  const endLine = (end: number) => {
    const line = Buffer.concat(pending)
    const value = (line.at(-1) === RETURN ? line.subarray(0, -1) : line).subarray(0, maxLineBytes)
    if (!isBlank(value)) lines.push({ value, offset: to })
    pending = []
    pendingBytes = 0
    to = end
  }

  let sum = crc
  const exact = wanted !== Number.POSITIVE_INFINITY
  while (at < wanted && (exact || (to - from < maxBytes && lines.length < maxLines) || pendingBytes > 0)) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, wanted - at))
    const bytes = await read(buffer, at)
    if (bytes === 0) break
    let start = 0
    for (let end = buffer.indexOf(NEWLINE); end !== -1 && end < bytes; end = buffer.indexOf(NEWLINE, start)) {
      keep(buffer.subarray(start, end))
      sum = crc32(buffer.subarray(start, end + 1), sum)
      endLine(at + end + 1)
      crc = sum
      start = end + 1
      if (!exact && (lines.length >= maxLines || to - from >= maxBytes)) return { lines, to, crc }
    }
    const rest = buffer.subarray(start, bytes)
    keep(rest)
    sum = crc32(rest, sum)
    at += bytes
    // A line that has no end in sight is cut, or it would be read from its beginning for ever.
    if (!exact && pendingBytes > UNENDED_LINES * maxLineBytes) break
  }
  if (pendingBytes > UNENDED_LINES * maxLineBytes) {
    endLine(at)
    crc = sum
  }
  if (at > to && (options.last || (exact && at === wanted))) {
    endLine(at)
    crc = sum
  }
  return { lines, to, crc }

  // Of a line that never ends only its beginning stays in memory.
  function keep(part: Buffer): void {
    if (pendingBytes <= maxLineBytes) pending.push(part)
    pendingBytes += part.byteLength
  }
}

const isBlank = (bytes: Uint8Array): boolean =>
  bytes.every((byte) => byte === 32 || (byte >= 9 && byte <= RETURN))
