/** Said of compressed bytes that no compressor made. */
export const damaged = (what: string): Error => new Error(`The ${what} data is damaged.`)

// The Java client frames its blocks as snappy-java does: this word, two version numbers, then length and block in turn.
const FRAMED = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const FRAME_HEADER_BYTES = 16

/**
 * What Snappy blocks hold, block by block: framed as snappy-java frames them, or one bare block.
 * Format: google/snappy `format_description.txt`.
 * @param maxBlockBytes a block that claims to hold more is an error before any memory is taken for it
 * @throws Error when the data is damaged
 */
export function* snappyBlocks(bytes: Buffer, maxBlockBytes: number): Generator<Buffer> {
  if (!bytes.subarray(0, FRAMED.length).equals(FRAMED)) {
    yield decodeBlock(bytes, maxBlockBytes)
    return
  }
  for (let at = FRAME_HEADER_BYTES; at < bytes.length; ) {
    if (at + 4 > bytes.length) throw damaged('Snappy')
    const length = bytes.readInt32BE(at)
    at += 4
    if (length < 0 || at + length > bytes.length) throw damaged('Snappy')
    if (length > 0) yield decodeBlock(bytes.subarray(at, at + length), maxBlockBytes)
    at += length
  }
}

const LITERAL = 0
const COPY_1 = 1
const COPY_2 = 2

function decodeBlock(input: Buffer, maxBytes: number): Buffer {
  let at = 0
  let size = 0
  for (let shift = 0; ; shift += 7) {
    const byte = input[at++]
    if (byte === undefined || shift > 28) throw damaged('Snappy')
    size += (byte & 127) * 2 ** shift
    if (byte < 128) break
  }
  if (size > maxBytes) throw new Error(`A Snappy block claims ${size} bytes; at most ${maxBytes} are read.`)
  const output = Buffer.allocUnsafe(size)
  let end = 0
  while (at < input.length) {
    const tag = input[at++] ?? 0
    const kind = tag & 3
    let length: number
    let distance: number
    if (kind === LITERAL) {
      length = tag >>> 2
      if (length >= 60) {
        const width = length - 59
        if (at + width > input.length) throw damaged('Snappy')
        length = input.readUIntLE(at, width)
        at += width
      }
      length++
      if (at + length > input.length || end + length > size) throw damaged('Snappy')
      input.copy(output, end, at, at + length)
      at += length
      end += length
      continue
    }
    if (kind === COPY_1) {
      if (at + 1 > input.length) throw damaged('Snappy')
      length = ((tag >>> 2) & 7) + 4
      distance = ((tag >>> 5) << 8) | (input[at] ?? 0)
      at += 1
    } else {
      const width = kind === COPY_2 ? 2 : 4
      if (at + width > input.length) throw damaged('Snappy')
      length = (tag >>> 2) + 1
      distance = input.readUIntLE(at, width)
      at += width
    }
    if (distance === 0 || distance > end || end + length > size) throw damaged('Snappy')
    end = repeat(output, end, distance, length)
  }
  if (end !== size) throw damaged('Snappy')
  return output
}

/** Appends `length` bytes that begin `distance` before `end`; where they overlap, what was just written is repeated. */
export function repeat(output: Buffer, end: number, distance: number, length: number): number {
  const from = end - distance
  if (distance >= length) output.copyWithin(end, from, from + length)
  else if (distance === 1) output.fill(output[from] ?? 0, end, end + length)
  else for (let index = 0; index < length; index++) output[end + index] = output[from + index] ?? 0
  return end + length
}
