import { damaged, repeat } from './snappy.ts'

const MAGIC = 0x184d2204
const SKIPPABLE = 0x184d2a50
const HISTORY_BYTES = 64 * 1024
const MIN_MATCH = 4

/**
 * What LZ4 frames hold, block by block (at most 4 MB each, by the format). Checksums are not looked at: the broker
 * checks the batch around them. Format: lz4 `lz4_Frame_format.md` and `lz4_Block_format.md`.
 * @throws Error when the data is damaged or needs a dictionary
 */
export function* lz4Blocks(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    if (at + 8 > bytes.length) throw damaged('LZ4')
    const magic = bytes.readUInt32LE(at)
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) {
      at += 8 + bytes.readUInt32LE(at + 4)
      continue
    }
    if (magic !== MAGIC) throw damaged('LZ4')
    at = yield* frame(bytes, at + 4)
  }
}

function* frame(bytes: Buffer, start: number): Generator<Buffer, number> {
  const [flags = 0, descriptor = 0] = bytes.subarray(start, start + 2)
  const independent = (flags & 0x20) !== 0
  const blockChecksum = (flags & 0x10) !== 0 ? 4 : 0
  const contentChecksum = (flags & 0x04) !== 0 ? 4 : 0
  if (flags >>> 6 !== 1 || (flags & 0x01) !== 0) throw damaged('LZ4')
  const maxBlockBytes = 2 ** (8 + 2 * ((descriptor >>> 4) & 7))
  if (maxBlockBytes < 65_536 || maxBlockBytes > 4_194_304) throw damaged('LZ4')
  let at = start + 3 + ((flags & 0x08) !== 0 ? 8 : 0)
  let history: Buffer = Buffer.alloc(0)
  for (;;) {
    if (at + 4 > bytes.length) throw damaged('LZ4')
    const word = bytes.readUInt32LE(at)
    at += 4
    if (word === 0) return at + contentChecksum
    const length = word & 0x7fffffff
    if (at + length > bytes.length) throw damaged('LZ4')
    const input = bytes.subarray(at, at + length)
    const plain = word >>> 31 === 1
    if (plain && length > maxBlockBytes) throw damaged('LZ4')
    const block = plain ? input : decodeBlock(input, history, maxBlockBytes)
    if (!independent) history = Buffer.concat([history, block]).subarray(-HISTORY_BYTES)
    if (block.length > 0) yield block
    at += length + blockChecksum
  }
}

function decodeBlock(input: Buffer, history: Buffer, maxBytes: number): Buffer {
  const output = Buffer.allocUnsafe(history.length + maxBytes)
  history.copy(output)
  let end = history.length
  let at = 0
  const longer = (length: number): number => {
    let total = length
    for (let byte = 255; byte === 255; total += byte) {
      if (at >= input.length) throw damaged('LZ4')
      byte = input[at++] ?? 0
    }
    return total
  }
  while (at < input.length) {
    const token = input[at++] ?? 0
    const literals = token >>> 4 === 15 ? longer(15) : token >>> 4
    if (at + literals > input.length || end + literals > output.length) throw damaged('LZ4')
    input.copy(output, end, at, at + literals)
    at += literals
    end += literals
    // The last sequence has no match.
    if (at === input.length) break
    if (at + 2 > input.length) throw damaged('LZ4')
    const distance = input.readUInt16LE(at)
    at += 2
    const length = ((token & 15) === 15 ? longer(15) : token & 15) + MIN_MATCH
    if (distance === 0 || distance > end || end + length > output.length) throw damaged('LZ4')
    end = repeat(output, end, distance, length)
  }
  return output.subarray(history.length, end)
}
