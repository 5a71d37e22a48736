import { beginsFramedJson } from '../schema-frame.ts'

/** A record cut out of a stream of bytes. */
export interface SplitRecord {
  readonly value: Uint8Array
  /** Byte offset of its first byte in the stream. */
  readonly offset: number
  /** Line of its first byte, from 1. */
  readonly line: number
}

/**
 * Cuts a stream of bytes into records without knowing their format: lines (NDJSON, text logs), the elements of JSON
 * arrays, and JSON documents that span lines; they may follow each other in any order. Where a document or an element
 * cannot be one (its line is broken off), its lines are records, so that a broken line costs only itself. Memory is
 * bounded by twice `maxRecordBytes`: of a longer record only so much is kept (and too large it stays, so it becomes a
 * dead letter).
 */
export interface RecordSplitter {
  push(chunk: Uint8Array): SplitRecord[]
  /** The rest; a record that is cut off at the end of the stream comes as it is. */
  end(): SplitRecord[]
}

const [NEWLINE, RETURN, QUOTE, BACKSLASH, COMMA, COLON, SEPARATOR] = [10, 13, 34, 92, 44, 58, 30]
const [OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [91, 93, 123, 125]
const isSpace = (byte: number): boolean => byte === 32 || (byte >= 9 && byte <= 13)
const opens = (byte: number): boolean => byte === OPEN_BRACE || byte === OPEN_BRACKET
const closes = (byte: number): boolean => byte === CLOSE_BRACE || byte === CLOSE_BRACKET

// What JSON has outside of its texts: structure, numbers and the letters of true, false and null.
const IN_JSON = new Uint8Array(256)
for (const byte of Buffer.from('{}[],:" \t\r\n0123456789+-.eEtrufalsn')) IN_JSON[byte] = 1

/**
 * Where the next byte belongs: between records; after a `[` that begins an array or a line; between the elements of an
 * array; in an element; in a document; in a line.
 */
type Place = 'between' | 'bracket' | 'array' | 'element' | 'document' | 'line'

export function createRecordSplitter(maxRecordBytes = 8 * 1024 * 1024): RecordSplitter {
  // Room for two, so that a line is not lost behind a broken one that is as long as may be.
  const piece = createPiece(2 * maxRecordBytes)
  let place: Place = 'between'
  let first = { offset: 0, line: 1 }
  let depth = 0
  let inText = false
  let escaped = false
  // A value of the document has just ended: only a comma, a colon or another end may follow.
  let ended = false
  let endedLine = 0
  // The bracket before the first element of an array, which belongs to it if that turns out to be none.
  let opening: SplitRecord | undefined
  // The first element of what may be an array, where it is a number or a word.
  let scalar = NO_SCALAR
  let base = 0
  let line = 1
  let records: SplitRecord[] = []

  const begin = (at: number, as: Place) => {
    place = as
    first = { offset: base + at, line }
    depth = 0
    inText = false
    escaped = false
    ended = false
    scalar = { ...NO_SCALAR }
  }
  const emit = (value: Uint8Array, where: { offset: number; line: number }) => {
    const trimmed = trimEnd(value.byteLength > maxRecordBytes ? value.subarray(0, maxRecordBytes) : value)
    if (trimmed.byteLength > 0) records.push({ value: trimmed, ...where })
  }
  const finish = (next: Place) => {
    inText = false
    opening = undefined
    emit(piece.take(), first)
    place = next
  }

  /**
   * No document after all: its lines by themselves if one of them is a value, else all of it as it is. Where its last
   * line goes on, that is a line of text, and the answer is true.
   */
  const giveUp = (lineGoesOn: boolean): boolean => {
    const whole = piece.size() <= 2 * maxRecordBytes
    const bytes = opening === undefined ? piece.take() : Buffer.concat([opening.value, piece.take()])
    if (opening !== undefined) first = { offset: opening.offset, line: opening.line }
    opening = undefined
    inText = false
    place = 'between'
    const lines = whole ? linesOf(bytes, first) : []
    const last = lineGoesOn && lines.at(-1)?.line === line ? lines.pop() : undefined
    if (lines.some(({ value }) => opens(value[0] ?? 0) && isJson(value))) {
      for (const { value, ...where } of lines) emit(value, where)
    } else emit(bytes.subarray(0, bytes.byteLength - (last?.value.byteLength ?? 0)), first)
    if (last === undefined) return false
    piece.add(last.value)
    first = { offset: last.offset, line: last.line }
    place = 'line'
    return true
  }

  /** Follows quotes and brackets; the depth after the byte, or `undefined` inside of text. */
  const follow = (byte: number): number | undefined => {
    if (inText) {
      if (escaped) escaped = false
      else if (byte === BACKSLASH) escaped = true
      else if (byte === QUOTE) inText = false
      return undefined
    }
    if (byte === QUOTE) inText = true
    else if (opens(byte)) depth++
    else if (closes(byte)) depth--
    return depth
  }

  const breaksDocument = (byte: number): boolean => {
    if (inText) return byte === NEWLINE
    if (IN_JSON[byte] === 0) return true
    if (!ended || isSpace(byte)) return false
    ended = false
    return byte !== COMMA && byte !== COLON && !closes(byte)
  }

  /** As above, but only the end of a line breaks an element: what is wrong within one costs that element only. */
  const breaksElement = (byte: number): boolean => {
    if (inText) return byte === NEWLINE
    if (depth === 0) return IN_JSON[byte] === 0 || byte === CLOSE_BRACE
    if (!ended || isSpace(byte)) return false
    ended = false
    return line !== endedLine && byte !== COMMA && byte !== COLON && !closes(byte)
  }

  /** The end of a line that is too long to be read, and of nothing that could be: the next line is another record. */
  const endsTooLong = (byte: number, unsaved: number): boolean =>
    byte === NEWLINE && !inText && depth > 0 && first.line === line && piece.size() + unsaved > maxRecordBytes

  /** The end of a line that is a record for sure: an object, and the next line begins another one. */
  const endOfPlainLine = (chunk: Uint8Array, at: number): number | undefined => {
    const end = chunk.indexOf(NEWLINE, at)
    if (end === -1 || chunk[end + 1] !== OPEN_BRACE) return undefined
    const last = chunk[end - 1] === RETURN ? chunk[end - 2] : chunk[end - 1]
    return last === CLOSE_BRACE ? end : undefined
  }

  const push = (chunk: Uint8Array): SplitRecord[] => {
    records = []
    // Where the bytes begin that belong to the record under way.
    let from = 0
    for (let at = 0; at < chunk.byteLength; at++) {
      if (inText && !escaped) at = endOfPlainText(chunk, at)
      if (at === chunk.byteLength) break
      const byte = chunk[at]!
      if (place === 'line') {
        const end = chunk.indexOf(NEWLINE, at)
        at = end === -1 ? chunk.byteLength : end
        piece.add(chunk.subarray(from, at))
        from = at
        if (end === -1) break
        finish('between')
        line++
        continue
      }
      if ((place === 'document' || place === 'element') && endsTooLong(byte, at - from)) {
        piece.add(chunk.subarray(from, at))
        finish('between')
      }
      if (place === 'document') {
        if (breaksDocument(byte)) {
          piece.add(chunk.subarray(from, at))
          from = at
          if (giveUp(byte !== NEWLINE)) {
            at--
            continue
          }
        } else {
          const now = follow(byte)
          if (byte === NEWLINE) line++
          if (now === undefined || !closes(byte)) continue
          ended = true
          if (now > 0) continue
          piece.add(chunk.subarray(from, at + 1))
          finish('between')
          continue
        }
      }
      if (place === 'element') {
        if (!inText && depth === 0 && (byte === COMMA || byte === CLOSE_BRACKET)) {
          piece.add(chunk.subarray(from, at))
          finish(byte === COMMA ? 'array' : 'between')
          continue
        }
        // No comma behind it: another element, or what is no array any more.
        if (!inText && depth === 0 && ended && !isSpace(byte)) {
          piece.add(chunk.subarray(from, at))
          finish(opens(byte) || byte === QUOTE ? 'array' : 'between')
          at--
          continue
        }
        if (breaksElement(byte)) {
          piece.add(chunk.subarray(from, at))
          from = at
          if (giveUp(byte !== NEWLINE)) {
            at--
            continue
          }
        } else {
          const now = follow(byte)
          if (byte === NEWLINE) line++
          if (now !== undefined && (closes(byte) || (now === 0 && (byte === QUOTE || isSpace(byte))))) {
            ended = true
            endedLine = line
          }
          continue
        }
      }
      if (place === 'bracket') {
        if (isScalarByte(byte) && !scalar.whole && scalar.text.length < LONGEST_SCALAR) {
          if (scalar.text === '') scalar = { text: '', whole: false, offset: base + at, line }
          scalar.text += String.fromCharCode(byte)
          continue
        }
        if (isSpace(byte)) {
          if (byte === NEWLINE) line++
          scalar.whole = scalar.text !== ''
          continue
        }
        if (!beginsArray(byte, scalar.text)) {
          if (first.line === line) place = 'line'
          else {
            piece.add(chunk.subarray(from, at))
            from = at
            giveUp(true)
          }
          at--
          continue
        }
        const before =
          scalar.text === '' && first.line === line ? [piece.take(), chunk.subarray(from, at)] : []
        const bracket = Buffer.concat(before)
        opening =
          bracket.byteLength > 0 && bracket.byteLength <= LONGEST_OPENING
            ? { value: bracket, ...first }
            : undefined
        piece.take()
        const { text, offset, line: scalarLine } = scalar
        emit(Buffer.from(text), { offset, line: scalarLine })
        place = 'array'
      }
      if (byte === NEWLINE) line++
      if (isSpace(byte) || byte === SEPARATOR) continue
      if (place === 'array') {
        if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) {
          place = 'between'
          opening = undefined
        } else if (byte !== COMMA) {
          begin(at, 'element')
          from = at
          follow(byte)
        }
        if (byte !== CLOSE_BRACE) continue
      }
      if (isMark(byte, base + at)) continue
      // Its length is known, whatever its bytes: a line end may be one of them.
      if (byte === 0 && beginsFramedJson(chunk, at)) {
        at += 4
        continue
      }
      from = at
      const plainEnd = byte === OPEN_BRACE ? endOfPlainLine(chunk, at) : undefined
      if (plainEnd !== undefined) {
        emit(chunk.slice(at, Math.min(plainEnd, at + maxRecordBytes + 1)), { offset: base + at, line })
        at = plainEnd
        line++
        continue
      }
      begin(at, byte === OPEN_BRACE ? 'document' : byte === OPEN_BRACKET ? 'bracket' : 'line')
      if (byte === OPEN_BRACE) follow(byte)
      else if (byte !== OPEN_BRACKET) at--
    }
    if (place !== 'between' && place !== 'array') piece.add(chunk.subarray(from))
    base += chunk.byteLength
    return records
  }

  return {
    push,
    end: () => {
      records = []
      if (place === 'document' || place === 'element') giveUp(false)
      else finish('between')
      return records
    },
  }
}

/** The first byte from `at` on that may end a text, or what is taken for one. */
function endOfPlainText(chunk: Uint8Array, at: number): number {
  for (let end = at; end < chunk.byteLength; end++) {
    const byte = chunk[end]
    if (byte === QUOTE || byte === BACKSLASH || byte === NEWLINE) return end
  }
  return chunk.byteLength
}

const LONGEST_SCALAR = 40
const LONGEST_OPENING = 64
const NO_SCALAR = { text: '', whole: false, offset: 0, line: 1 }
const isScalarByte = (byte: number): boolean => /[\w+.-]/.test(String.fromCharCode(byte))

/** `[{`, `["`, `[1,` and `[]` begin arrays; `[2026-08-21 …` and `[info]` begin lines of a log. */
const beginsArray = (byte: number, scalar: string): boolean =>
  scalar === ''
    ? byte === QUOTE || opens(byte) || byte === CLOSE_BRACKET
    : (byte === COMMA || byte === CLOSE_BRACKET) && isJson(Buffer.from(scalar))

// A byte order mark, at the beginning of the stream only.
const MARK = [0xef, 0xbb, 0xbf]
const isMark = (byte: number, offset: number): boolean => offset < 3 && byte === MARK[offset]

function linesOf(bytes: Uint8Array, first: { offset: number; line: number }): SplitRecord[] {
  const lines: SplitRecord[] = []
  let from = 0
  for (let line = first.line; from < bytes.byteLength; line++) {
    const newline = bytes.indexOf(NEWLINE, from)
    const end = newline === -1 ? bytes.byteLength : newline
    let start = from
    while (start < end && isSpace(bytes[start]!)) start++
    if (start < end) lines.push({ value: bytes.subarray(start, end), offset: first.offset + start, line })
    from = end + 1
  }
  return lines
}

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
    return true
  } catch {
    return false
  }
}

/** Collects the bytes of the record that is under way. */
function createPiece(maxBytes: number) {
  let parts: Uint8Array[] = []
  let size = 0
  return {
    size: () => size,
    add: (bytes: Uint8Array) => {
      if (size < maxBytes && bytes.byteLength > 0) parts.push(bytes.slice(0, maxBytes - size))
      size += bytes.byteLength
    },
    take: (): Uint8Array => {
      const value = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
      parts = []
      size = 0
      return value
    },
  }
}

function trimEnd(value: Uint8Array): Uint8Array {
  let end = value.byteLength
  while (end > 0 && isSpace(value[end - 1]!)) end--
  return value.subarray(0, end)
}
