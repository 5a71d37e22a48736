/** Longest text that is read. */
const MAX_LENGTH = 65_536
const MAX_NESTING = 32

/**
 * Reads what Python’s `repr` makes of dicts, lists, tuples, text, numbers, `True`, `False` and `None`: LiteLLM’s spans
 * carry maps that way. `undefined` for anything else, never an error; objects have no prototype.
 */
export function readPythonLiteral(text: string): unknown {
  if (text.length > MAX_LENGTH) return undefined
  const reader = { text, at: 0 }
  try {
    const value = readValue(reader, 0)
    skipSpace(reader)
    return reader.at === text.length ? value : undefined
  } catch (cause) {
    if (cause instanceof NotALiteral) return undefined
    throw cause
  }
}

class NotALiteral extends Error {}

interface Reader {
  readonly text: string
  at: number
}

const WORDS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['None', null],
  ['True', true],
  ['False', false],
])

function readValue(reader: Reader, nesting: number): unknown {
  if (nesting > MAX_NESTING) throw new NotALiteral()
  skipSpace(reader)
  const first = reader.text[reader.at]
  if (first === "'" || first === '"') return readText(reader, first)
  if (first === '{') return readDict(reader, nesting)
  if (first === '[') return readList(reader, ']', nesting)
  if (first === '(') return readList(reader, ')', nesting)
  const word = /[A-Za-z]+|[-+0-9.eE_]+/y
  word.lastIndex = reader.at
  const found = word.exec(reader.text)?.[0] ?? ''
  reader.at += found.length
  if (WORDS.has(found)) return WORDS.get(found)
  if (!/^[-+]?(?:\d{1,20})(?:\.\d{0,20})?(?:e[-+]?\d{1,3})?$/i.test(found)) throw new NotALiteral()
  const number = Number(found)
  return Number.isInteger(number) && !Number.isSafeInteger(number) ? found : number
}

function readDict(reader: Reader, nesting: number): unknown {
  const dict: Record<string, unknown> = Object.create(null)
  reader.at++
  while (!ends(reader, '}')) {
    const key = readValue(reader, nesting + 1)
    if (typeof key === 'object' && key !== null) throw new NotALiteral()
    skipSpace(reader)
    if (reader.text[reader.at++] !== ':') throw new NotALiteral()
    dict[String(key)] = readValue(reader, nesting + 1)
    if (!separates(reader, '}')) break
  }
  return dict
}

function readList(reader: Reader, close: string, nesting: number): unknown {
  const list: unknown[] = []
  reader.at++
  while (!ends(reader, close)) {
    list.push(readValue(reader, nesting + 1))
    if (!separates(reader, close)) break
  }
  return list
}

function ends(reader: Reader, close: string): boolean {
  skipSpace(reader)
  if (reader.text[reader.at] !== close) return false
  reader.at++
  return true
}

/** True after a comma, false after the closing bracket. */
function separates(reader: Reader, close: string): boolean {
  skipSpace(reader)
  const next = reader.text[reader.at++]
  if (next !== ',' && next !== close) throw new NotALiteral()
  return next === ','
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '\\': '\\',
  "'": "'",
  '"': '"',
}
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }

function readText(reader: Reader, quote: string): string {
  let value = ''
  for (reader.at++; reader.at < reader.text.length; ) {
    const character = reader.text[reader.at++] as string
    if (character === quote) return value
    value += character === '\\' ? readEscape(reader) : character
  }
  throw new NotALiteral()
}

function readEscape(reader: Reader): string {
  const kind = reader.text[reader.at++] ?? ''
  const plain = ESCAPES[kind]
  if (plain !== undefined) return plain
  const digits = reader.text.slice(reader.at, reader.at + (HEX_DIGITS[kind] ?? 0))
  const code = /^[0-9a-f]+$/i.test(digits) ? Number.parseInt(digits, 16) : -1
  if (digits.length !== HEX_DIGITS[kind] || code < 0 || code > 0x10ffff) throw new NotALiteral()
  reader.at += digits.length
  return String.fromCodePoint(code)
}

function skipSpace(reader: Reader): void {
  while (/\s/.test(reader.text[reader.at] ?? '')) reader.at++
}
