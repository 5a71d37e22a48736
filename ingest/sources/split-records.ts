/** A record cut out of a stream of bytes. */
export interface SplitRecord {
  readonly value: Uint8Array
  /** Byte offset of its first byte in the stream. */
  readonly offset: number
  /** Line of its first byte, from 1. */
  readonly line: number
}

/**
 * Cuts a stream of bytes into records without knowing their format: lines (NDJSON, text logs), the elements of a JSON
 * array, or JSON documents that span lines. Which of the three is seen from the first bytes. Memory is bounded by
 * `maxRecordBytes`: of a longer record only so much is kept (and too large it stays, so it becomes a dead letter).
 */
export interface RecordSplitter {
  push(chunk: Uint8Array): SplitRecord[]
  /** The rest; a record that is cut off at the end of the stream comes as it is. */
  end(): SplitRecord[]
}

type Shape = 'lines' | 'array' | 'documents'

const HEAD_BYTES = 64 * 1024
const [NEWLINE, QUOTE, BACKSLASH, COMMA] = [10, 34, 92, 44]
const [OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [91, 93, 123, 125]
const isSpace = (byte: number): boolean => byte === 32 || (byte >= 9 && byte <= 13)

export function createRecordSplitter(maxRecordBytes = 8 * 1024 * 1024): RecordSplitter {
  let head: Uint8Array = new Uint8Array(0)
  let cutter: Cutter | undefined
  const start = () => {
    const bom = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0
    const body = head.subarray(bom)
    const shape = shapeOf(body)
    cutter = shape === 'lines' ? cutLines(bom, maxRecordBytes) : cutJson(shape, bom, maxRecordBytes)
    head = new Uint8Array(0)
    return cutter.push(body)
  }
  return {
    push: (chunk) => {
      if (cutter !== undefined) return cutter.push(chunk)
      head = Buffer.concat([head, chunk])
      return head.byteLength >= HEAD_BYTES ? start() : []
    },
    end: () => {
      const first = cutter === undefined ? start() : []
      return [...first, ...(cutter?.end() ?? [])]
    },
  }
}

/** Lines, unless the stream opens an array, or an object that its first line does not close. */
function shapeOf(head: Uint8Array): Shape {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('utf8').trimStart()
  if (text[0] === '[') return isJson(firstLine(text)) && text.trim().includes('\n') ? 'lines' : 'array'
  if (text[0] !== '{' || isJson(firstLine(text))) return 'lines'
  // A broken first line of NDJSON is followed by a whole one; the second line of a document is not an object.
  const second = firstLine(text.slice(firstLine(text).length).trimStart())
  return second.startsWith('{') && isJson(second) ? 'lines' : 'documents'
}

const firstLine = (text: string): string => /^[^\n]*/.exec(text)?.[0] ?? ''

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

type Cutter = RecordSplitter

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

function cutLines(startOffset: number, maxBytes: number): Cutter {
  const piece = createPiece(maxBytes)
  let offset = startOffset
  let line = 1
  const take = (): SplitRecord[] => {
    const length = piece.size()
    let value = piece.take()
    if (value.at(-1) === 13) value = value.subarray(0, -1)
    const blank = value.every(isSpace)
    const record = { value, offset, line }
    offset += length
    return blank ? [] : [record]
  }
  return {
    push: (chunk) => {
      const records: SplitRecord[] = []
      let from = 0
      for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
        piece.add(chunk.subarray(from, end))
        records.push(...take())
        offset++
        line++
        from = end + 1
      }
      piece.add(chunk.subarray(from))
      return records
    },
    end: () => take(),
  }
}

function cutJson(shape: 'array' | 'documents', startOffset: number, maxBytes: number): Cutter {
  const piece = createPiece(maxBytes)
  const outer = shape === 'array' ? 1 : 0
  let depth = 0
  let inText = false
  let escaped = false
  let offset = startOffset
  let line = 1
  let first: { offset: number; line: number } | undefined

  return {
    push: (chunk) => {
      const records: SplitRecord[] = []
      let from = 0
      const finish = (end: number) => {
        if (first === undefined) return
        piece.add(chunk.subarray(from, end))
        records.push({ value: trimEnd(piece.take()), ...first })
        first = undefined
      }
      for (let at = 0; at < chunk.byteLength; at++) {
        const byte = chunk[at]!
        if (byte === NEWLINE) line++
        if (inText) {
          if (escaped) escaped = false
          else if (byte === BACKSLASH) escaped = true
          else if (byte === QUOTE) inText = false
          continue
        }
        const closes = byte === CLOSE_BRACKET || byte === CLOSE_BRACE
        if (depth === outer && outer === 1 && (byte === COMMA || closes)) {
          finish(at)
          if (closes) depth--
          continue
        }
        const opensOuter = depth < outer && byte === OPEN_BRACKET
        if (first === undefined && !opensOuter && !isSpace(byte)) {
          first = { offset: offset + at, line }
          from = at
        }
        if (byte === QUOTE) inText = true
        else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
        else if (closes) {
          depth = Math.max(depth - 1, 0)
          if (depth === 0 && outer === 0) finish(at + 1)
        }
      }
      if (first !== undefined) piece.add(chunk.subarray(Math.max(from, 0)))
      offset += chunk.byteLength
      return records
    },
    end: () => {
      if (first === undefined) return []
      const record = { value: trimEnd(piece.take()), ...first }
      first = undefined
      return record.value.byteLength === 0 ? [] : [record]
    },
  }
}

function trimEnd(value: Uint8Array): Uint8Array {
  let end = value.byteLength
  while (end > 0 && isSpace(value[end - 1]!)) end--
  return value.subarray(0, end)
}
