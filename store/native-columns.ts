import type { Timestamp } from '../core/audit-event.ts'

/**
 * One column of a block in ClickHouse’s Native format, filled row by row. Rows that are passed over hold the type’s
 * default: `''`, 0, NULL, `[]`.
 * Layout: the ClickHouse documentation, "Native" under Formats, and `docs/en/native-protocol/columns.md` of its
 * repository; integers are little-endian, lengths LEB128.
 */
export interface NativeColumn {
  readonly type: string
  /** Sets the value of a row. Rows come in rising order, each at most once; the caller has checked the value. */
  set(row: number, value: unknown): void
  /** The bytes of `rows` rows. The column is used up. */
  encode(rows: number): readonly Uint8Array[]
}

/** Bytes that grow. */
class Bytes {
  #buffer = Buffer.allocUnsafe(4096)
  #length = 0

  taken(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  #reserve(count: number): void {
    const wanted = this.#length + count
    if (wanted <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(wanted, this.#buffer.length * 2))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
  }

  zeros(count: number): void {
    this.#reserve(count)
    this.#buffer.fill(0, this.#length, this.#length + count)
    this.#length += count
  }

  count(value: number): void {
    this.#reserve(10)
    let rest = value
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#buffer[this.#length++] = rest
  }

  /** Length and UTF-8. Lone surrogates become U+FFFD, as every UTF-8 encoder makes of them. */
  text(value: string): void {
    const { length } = value
    this.#reserve(length * 3 + 10)
    // Most texts are short ASCII, and for those the way into native code takes longer than the copy.
    if (length < 64) {
      const buffer = this.#buffer
      const start = this.#length + 1
      let at = 0
      for (; at < length; at++) {
        const code = value.charCodeAt(at)
        if (code > 127) break
        buffer[start + at] = code
      }
      if (at === length) {
        buffer[this.#length] = length
        this.#length = start + length
        return
      }
    }
    this.count(Buffer.byteLength(value))
    this.#length += this.#buffer.write(value, this.#length, 'utf8')
  }
}

/** `String`: the bytes of each row one after the other. */
export function textColumn(): NativeColumn {
  const bytes = new Bytes()
  let next = 0
  const fill = (row: number) => {
    if (row > next) bytes.zeros(row - next)
  }
  return {
    type: 'String',
    set: (row, value) => {
      fill(row)
      bytes.text(value as string)
      next = row + 1
    },
    encode: (rows) => {
      fill(rows)
      return [bytes.taken()]
    },
  }
}

/** `LowCardinality(String)`: each text once, and its position for each row. */
export function wordColumn(): NativeColumn {
  const words = createDictionary()
  let positions = new Uint32Array(1024)
  return {
    type: 'LowCardinality(String)',
    set: (row, value) => {
      if (row >= positions.length) positions = grown(positions, row)
      positions[row] = words.positionOf(value as string)
    },
    encode: (rows) => [WORDS_VERSION, ...words.encode(sized(positions, rows))],
  }
}

/** `Array(LowCardinality(String))`: where each row’s list ends, then the texts of all lists. */
export function wordsColumn(): NativeColumn {
  const words = createDictionary()
  let positions = new Uint32Array(1024)
  let lengths = new Uint32Array(1024)
  let total = 0
  return {
    type: 'Array(LowCardinality(String))',
    set: (row, value) => {
      const list = value as readonly string[]
      if (row >= lengths.length) lengths = grown(lengths, row)
      if (total + list.length > positions.length) positions = grown(positions, total + list.length)
      lengths[row] = list.length
      for (const word of list) positions[total++] = words.positionOf(word)
    },
    encode: (rows) => [
      WORDS_VERSION,
      endsOf(sized(lengths, rows)),
      ...(total === 0 ? [] : words.encode(sized(positions, total))),
    ],
  }
}

/** `Array(String)`: where each row’s list ends, then the texts of all lists. */
export function textsColumn(): NativeColumn {
  const texts = textColumn()
  let lengths = new Uint32Array(1024)
  let total = 0
  return {
    type: 'Array(String)',
    set: (row, value) => {
      const list = value as readonly string[]
      if (row >= lengths.length) lengths = grown(lengths, row)
      lengths[row] = list.length
      for (const text of list) texts.set(total++, text)
    },
    encode: (rows) => [endsOf(sized(lengths, rows)), ...texts.encode(total)],
  }
}

function endsOf(lengths: Uint32Array): Uint8Array {
  const ends = new Uint8Array(lengths.length * 8)
  const view = new DataView(ends.buffer)
  let end = 0
  lengths.forEach((length, row) => {
    end += length
    writeUInt64(view, row * 8, end)
  })
  return ends
}

type Width = 1 | 2 | 4 | 8
type Write = (view: DataView, at: number, value: unknown) => void

const numberColumn = (type: string, width: Width, write: Write, nullable = false): NativeColumn => {
  let view = new DataView(new ArrayBuffer(1024 * width))
  // Native marks the rows that are NULL; here those that are not, so that rows passed over need no work.
  let given = new Uint8Array(nullable ? 1024 : 0)
  return {
    type: nullable ? `Nullable(${type})` : type,
    set: (row, value) => {
      if ((row + 1) * width > view.byteLength) {
        const larger = new Uint8Array(Math.max((row + 1) * width, view.byteLength * 2))
        larger.set(new Uint8Array(view.buffer))
        view = new DataView(larger.buffer)
      }
      if (nullable) {
        if (row >= given.length) given = grown(given, row)
        given[row] = 1
      }
      write(view, row * width, value)
    },
    encode: (rows) => {
      const values = sized(new Uint8Array(view.buffer), rows * width)
      return nullable ? [sized(given, rows).map((mark) => 1 - mark), values] : [values]
    },
  }
}

/** `Int8`. */
export const int8Column = (): NativeColumn =>
  numberColumn('Int8', 1, (view, at, value) => view.setInt8(at, value as number))

/** `UInt32`. */
export const uint32Column = (): NativeColumn =>
  numberColumn('UInt32', 4, (view, at, value) => view.setUint32(at, value as number, true))

/** `UInt64` of whole numbers up to 2^53 − 1. */
export const uint64Column = (): NativeColumn => numberColumn('UInt64', 8, writeUInt64)

/** `Nullable(UInt64)`. */
export const optionalUInt64Column = (): NativeColumn => numberColumn('UInt64', 8, writeUInt64, true)

/** `Nullable(UInt16)`. */
export const optionalUInt16Column = (): NativeColumn =>
  numberColumn('UInt16', 2, (view, at, value) => view.setUint16(at, value as number, true), true)

/** `Nullable(Bool)`. */
export const optionalBoolColumn = (): NativeColumn =>
  numberColumn('Bool', 1, (view, at, value) => view.setUint8(at, value === true ? 1 : 0), true)

/** `Nullable(Float64)`. */
export const optionalFloat64Column = (): NativeColumn =>
  numberColumn('Float64', 8, (view, at, value) => view.setFloat64(at, value as number, true), true)

/** `DateTime64(6, 'UTC')` of `Timestamp` texts from 1970 to 2255, where microseconds end to be exact numbers. */
export const timeColumn = (): NativeColumn => {
  const microsOf = createMicrosOf()
  return numberColumn("DateTime64(6, 'UTC')", 8, (view, at, value) =>
    writeUInt64(view, at, microsOf(value as Timestamp)),
  )
}

export interface NamedColumn {
  readonly name: string
  readonly column: NativeColumn
}

/** The columns as one block. */
export function encodeNativeBlock(columns: readonly NamedColumn[], rows: number): Uint8Array {
  const pieces: Uint8Array[] = []
  const head = new Bytes()
  head.count(columns.length)
  head.count(rows)
  pieces.push(head.taken())
  for (const { name, column } of columns) {
    const title = new Bytes()
    title.text(name)
    title.text(column.type)
    pieces.push(title.taken(), ...column.encode(rows))
  }
  return Buffer.concat(pieces)
}

// The one version that there is: a dictionary with each block.
const WORDS_VERSION = littleEndian(1)
// The dictionary comes with the block (bit 9) and is new (bit 10); the low byte says how wide positions are.
const OWN_DICTIONARY = 0x600

function createDictionary() {
  // ClickHouse keeps the default at position 0, which is also where rows that are passed over point.
  const known = new Map<string, number>([['', 0]])
  const bytes = new Bytes()
  bytes.text('')
  // Runs of rows often say the same: one comparison instead of a look-up.
  let last = ''
  let lastPosition = 0
  return {
    positionOf(word: string): number {
      if (word === last) return lastPosition
      let position = known.get(word)
      if (position === undefined) {
        position = known.size
        known.set(word, position)
        bytes.text(word)
      }
      last = word
      lastPosition = position
      return position
    },
    encode(positions: Uint32Array): Uint8Array[] {
      const [width, narrow] =
        known.size <= 0x100
          ? [0, Uint8Array.from(positions)]
          : known.size <= 0x10000
            ? [1, bytesOf(Uint16Array.from(positions))]
            : [2, bytesOf(positions)]
      return [
        littleEndian(OWN_DICTIONARY | width),
        littleEndian(known.size),
        bytes.taken(),
        littleEndian(positions.length),
        narrow,
      ]
    },
  }
}

// Typed arrays have the machine’s order of bytes, which is little-endian wherever Node runs.
const bytesOf = (values: Uint16Array | Uint32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

function littleEndian(value: number): Uint8Array {
  const bytes = new Uint8Array(8)
  writeUInt64(new DataView(bytes.buffer), 0, value)
  return bytes
}

function writeUInt64(view: DataView, at: number, value: unknown): void {
  const number = value as number
  // The setter takes the number modulo 2^32 by itself.
  view.setUint32(at, number, true)
  view.setUint32(at + 4, number / 2 ** 32, true)
}

function grown<T extends Uint8Array | Uint32Array>(values: T, row: number): T {
  const larger = new (values.constructor as new (length: number) => T)(Math.max(row + 1, values.length * 2))
  larger.set(values)
  return larger
}

function sized<T extends Uint8Array | Uint32Array>(values: T, length: number): T {
  return (values.length >= length ? values : grown(values, length - 1)).subarray(0, length) as T
}

function createMicrosOf(): (time: Timestamp) => number {
  // Events of a block are mostly of one day, and only the day needs a calendar.
  let day = ''
  let dayMicros = 0
  return (time) => {
    if (!time.startsWith(day) || day === '') {
      day = time.slice(0, 10)
      dayMicros = Date.parse(`${day}T00:00:00Z`) * 1000
    }
    const seconds = digits(time, 11, 13) * 3600 + digits(time, 14, 16) * 60 + digits(time, 17, 19)
    return dayMicros + seconds * 1e6 + digits(time, 20, 26)
  }
}

function digits(text: string, from: number, to: number): number {
  let number = 0
  for (let at = from; at < to; at++) number = number * 10 + text.charCodeAt(at) - 48
  return number
}
