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
