/**
 * A block of `encodeNativeBlock` back as lines of `JSONCompactEachRow`, so that a store that refuses the block can be
 * asked about its rows one by one. Reads what `native-columns.ts` writes, no other types.
 */
export function linesOfNativeBlock(block: Uint8Array): Uint8Array {
  const values = [...columnsOfNativeBlock(block).values()]
  const rows = values[0]?.length ?? 0
  let lines = ''
  for (let row = 0; row < rows; row++) lines += `${JSON.stringify(values.map((column) => column[row]))}\n`
  return Buffer.from(lines)
}

/** The columns of such a block by name: all, or those up to the last of `wanted`, which are read faster. */
export function columnsOfNativeBlock(
  block: Uint8Array,
  wanted?: ReadonlySet<string>,
): Map<string, unknown[]> {
  const reader = createReader(block)
  const columns = reader.count()
  const rows = reader.count()
  const values = new Map<string, unknown[]>()
  for (let column = 0, missing = wanted?.size ?? columns; column < columns && missing > 0; column++) {
    const name = reader.text()
    values.set(name, readColumn(reader, reader.text(), rows))
    if (wanted?.has(name) !== false) missing--
  }
  return values
}

type Reader = ReturnType<typeof createReader>

function readColumn(reader: Reader, type: string, rows: number): unknown[] {
  const each = <T>(read: () => T): T[] => Array.from({ length: rows }, read)
  const optional = /^Nullable\((.*)\)$/.exec(type)?.[1]
  if (optional !== undefined) {
    const missing = each(() => reader.uint8() === 1)
    return readColumn(reader, optional, rows).map((value, row) => (missing[row] ? null : value))
  }
  switch (type) {
    case 'String':
      return each(() => reader.text())
    case 'Bool':
      return each(() => reader.uint8() === 1)
    case 'Int8':
      return each(() => reader.int8())
    case 'UInt16':
      return each(() => reader.uint16())
    case 'UInt32':
      return each(() => reader.uint32())
    case 'UInt64':
      return each(() => reader.uint64())
    case 'Float64':
      return each(() => reader.float64())
    case "DateTime64(6, 'UTC')":
      return each(() => timeText(reader.uint64()))
    case 'LowCardinality(String)':
      reader.uint64()
      return readWords(reader)
    case 'Array(LowCardinality(String))': {
      reader.uint64()
      const ends = each(() => reader.uint64())
      const words = (ends.at(-1) ?? 0) === 0 ? [] : readWords(reader)
      return ends.map((end, row) => words.slice(ends[row - 1] ?? 0, end))
    }
    case 'Array(String)': {
      const ends = each(() => reader.uint64())
      const texts = Array.from({ length: ends.at(-1) ?? 0 }, () => reader.text())
      return ends.map((end, row) => texts.slice(ends[row - 1] ?? 0, end))
    }
    default:
      throw new TypeError(`a block of ours has no column of type ${type}`)
  }
}

function readWords(reader: Reader): string[] {
  const width = reader.uint64() & 0xff
  const words = Array.from({ length: reader.uint64() }, () => reader.text())
  return Array.from({ length: reader.uint64() }, () => {
    const position = width === 0 ? reader.uint8() : width === 1 ? reader.uint16() : reader.uint32()
    return words[position] ?? ''
  })
}

// The text of a `DateTime64(6)` in UTC.
function timeText(micros: number): string {
  const millis = Math.floor(micros / 1000)
  const text = new Date(millis).toISOString().slice(0, 23).replace('T', ' ')
  return `${text}${String(micros - millis * 1000).padStart(3, '0')}`
}

function createReader(block: Uint8Array) {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength)
  let at = 0
  const skip = (count: number): number => {
    at += count
    return at - count
  }
  const count = (): number => {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = bytes.readUInt8(skip(1))
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      scale *= 0x80
    }
  }
  return {
    count,
    uint8: () => bytes.readUInt8(skip(1)),
    int8: () => bytes.readInt8(skip(1)),
    uint16: () => bytes.readUInt16LE(skip(2)),
    uint32: () => bytes.readUInt32LE(skip(4)),
    uint64: () => Number(bytes.readBigUInt64LE(skip(8))),
    float64: () => bytes.readDoubleLE(skip(8)),
    text: () => {
      const length = count()
      return bytes.toString('utf8', at, skip(length) + length)
    },
  }
}
