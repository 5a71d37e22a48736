/**
 * Cuts zstd into its frames, which follow each other as RFC 8878 (section 3.1) says: a log that is appended to packed, or
 * what pzstd writes. Node's decoder stops after the first one and says nothing about the rest, so each needs its own. Of
 * each frame all pieces have to be read before the next one. What is no frame, or ends early, comes as it is: the decoder
 * says what is wrong with it.
 */
export async function* zstdFrames(
  packed: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<AsyncGenerator<Buffer>> {
  const bytes = createByteReader(packed)
  while ((await bytes.peek(1)).byteLength > 0) {
    if (!(await skipSkippable(bytes))) yield frameOf(bytes)
  }
}

const [FRAME, SKIPPABLE, SKIPPABLE_MASK] = [0xfd2fb528, 0x184d2a50, 0xfffffff0]
const CHECKSUM_BYTES = 4
const BLOCK_HEADER_BYTES = 3
const RLE_BLOCK = 1

async function skipSkippable(bytes: ByteReader): Promise<boolean> {
  const head = await bytes.peek(8)
  if (head.byteLength < 8 || (head.readUInt32LE(0) & SKIPPABLE_MASK) >>> 0 !== SKIPPABLE) return false
  for await (const _ of bytes.take(8 + head.readUInt32LE(4))) {
    // Made to be skipped.
  }
  return true
}

async function* frameOf(bytes: ByteReader): AsyncGenerator<Buffer> {
  const head = await bytes.peek(5)
  if (head.byteLength < 5 || head.readUInt32LE(0) !== FRAME)
    return yield* bytes.take(Number.POSITIVE_INFINITY)
  const descriptor = head[4] ?? 0
  yield* bytes.take(headerBytes(descriptor))
  for (let isLast = false; !isLast; ) {
    const block = await bytes.peek(BLOCK_HEADER_BYTES)
    if (block.byteLength < BLOCK_HEADER_BYTES) return yield* bytes.take(BLOCK_HEADER_BYTES)
    const header = block.readUIntLE(0, BLOCK_HEADER_BYTES)
    isLast = (header & 1) === 1
    yield* bytes.take(BLOCK_HEADER_BYTES + (((header >> 1) & 3) === RLE_BLOCK ? 1 : header >> 3))
  }
  if ((descriptor & 4) !== 0) yield* bytes.take(CHECKSUM_BYTES)
}

/** What is in memory has a handful of frames; each costs a decoder. */
const MOST_FRAMES = 1_000

/**
 * The frames of zstd that is in memory whole, without those made to be skipped. What is no frame, or ends early, is the
 * last one, as it is.
 * @throws Error when there are more than `MOST_FRAMES`
 */
export function zstdFramesOf(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = []
  let skipped = 0
  for (let at = 0; at < bytes.length; ) {
    if (frames.length + skipped >= MOST_FRAMES) throw new Error(`it has more than ${MOST_FRAMES} zstd frames`)
    const isSkippable =
      bytes.length - at >= 8 && (bytes.readUInt32LE(at) & SKIPPABLE_MASK) >>> 0 === SKIPPABLE
    const end = isSkippable ? at + 8 + bytes.readUInt32LE(at + 4) : endOfFrame(bytes, at)
    if (isSkippable) skipped += 1
    else frames.push(bytes.subarray(at, end))
    at = end
  }
  return frames
}

function endOfFrame(bytes: Buffer, start: number): number {
  if (bytes.length - start < 5 || bytes.readUInt32LE(start) !== FRAME) return bytes.length
  const descriptor = bytes[start + 4] ?? 0
  let at = start + headerBytes(descriptor)
  for (let isLast = false; !isLast; ) {
    if (bytes.length - at < BLOCK_HEADER_BYTES) return bytes.length
    const header = bytes.readUIntLE(at, BLOCK_HEADER_BYTES)
    isLast = (header & 1) === 1
    at += BLOCK_HEADER_BYTES + (((header >> 1) & 3) === RLE_BLOCK ? 1 : header >> 3)
  }
  return Math.min(bytes.length, at + ((descriptor & 4) === 0 ? 0 : CHECKSUM_BYTES))
}

/** Of magic number, descriptor, window, dictionary and content size. */
function headerBytes(descriptor: number): number {
  const isSingleSegment = (descriptor & 32) !== 0
  const contentSize = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0
  return 5 + (isSingleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0) + contentSize
}

interface ByteReader {
  /** The next bytes, which stay; fewer than asked for at the end only. */
  peek(count: number): Promise<Buffer>
  /** The next bytes, piece by piece; fewer at the end. */
  take(count: number): AsyncGenerator<Buffer>
}

function createByteReader(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): ByteReader {
  const chunks = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  let held: Buffer = Buffer.alloc(0)
  let isOver = false
  const more = async (): Promise<void> => {
    const next = await chunks.next()
    if (next.done) isOver = true
    else {
      const chunk = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength)
      held = held.byteLength === 0 ? chunk : Buffer.concat([held, chunk])
    }
  }
  return {
    peek: async (count) => {
      while (held.byteLength < count && !isOver) await more()
      return held.subarray(0, count)
    },
    take: async function* (count) {
      for (let left = count; left > 0; ) {
        if (held.byteLength === 0 && !isOver) await more()
        else if (held.byteLength === 0) return
        else {
          const piece = held.subarray(0, Math.min(left, held.byteLength))
          held = held.subarray(piece.byteLength)
          left -= piece.byteLength
          yield piece
        }
      }
    },
  }
}
