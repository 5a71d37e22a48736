/** A stretch of a text: from `start` up to, not including, `end`. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** How far a value without quotes goes: a run without white space, after an authentication scheme, or the line. */
export type Extent = 'run' | 'authorization' | 'line'

/** What stands after a name and its separator. `quoted`: between quotes, which are not part of the span. */
export interface ReadValue extends Span {
  readonly quoted: boolean
  /** Only the beginning: it is longer than was to be read. */
  readonly cut?: true
  /** On the line below the name, not indented: by its look it is a value. */
  readonly below?: true
}

const LONGEST = 65_536
/**
 * How much of a value is looked at to say that it is no secret. Only what is replaced is read to its end: no separator is
 * in it again, so that each character is read once. What is left as it is may hold as many separators as it likes.
 */
export const PEEK = 128
const QUOTES = '"\'`'

// Ends a value that stands without quotes: white space and these. Other separators may belong to it: passwords hold them
// too. As a table, because every character of every value is looked at.
const LAST_ASCII = 127
const SPACE = /\s/
const asciiTable = (test: (char: string) => boolean): Uint8Array =>
  Uint8Array.from({ length: LAST_ASCII + 1 }, (_, code) => (test(String.fromCharCode(code)) ? 1 : 0))
const ENDS_RUN = asciiTable((char) => SPACE.test(char) || '"\'`<>\\'.includes(char))
const BEGINS_SETTING = asciiTable((char) => ',;&|'.includes(char))
// A header’s line; the quoted values of cookies and of `Digest` belong to it, the quote around the whole does not.
const LINE = /(?:=\\{0,4}"[^"\r\n\\]{0,4096}\\{0,4}"|[^\r\n"'`\\]){1,65536}/y
const LINE_SCHEME = /^(?:digest|hawk|aws4|oauth|negotiate)/i
// The next setting of a list: `Password=x;Server=y`, `token=x&page=2`, `{password: x, user: y}`.
const NEXT_SETTING = /[,;&|](?=[\w.-]{1,64}(?:[=:\s"'`<>\\]|$))|[,;](?=[\s"'`<>\\]|$)/y
const SCHEME =
  /(?:bearer|basic|token|apikey|negotiate|ntlm|digest|hawk|bot|aws4-hmac-sha256|sharedkey|sharedkeylite|googlelogin|oauth|key)[ \t]{1,8}/iy

// A scheme that nobody listed, before something with a digit in it.
const OTHER_SCHEME = /[A-Z][A-Za-z0-9-]{1,24}[ \t]{1,8}(?=[^\s"'`<>\\]{6})(?=[^\s"'`<>\\]{0,200}\d)/y
// What languages write before the quote: `b'…'`, `u"…"`, `N'…'`, `SecretStr('…')`, `Some("…")`.
const WRAPPER =
  /(?:[bBuUrRfFnNeE]{1,2}|(?:SecretStr|Secret|Some|Just|str|bytes|md5|sha1|sha256|quote)\()(?=\\{0,8}["'`])/y

/** Skips white space, but no line end. */
export function skipSpace(text: string, from: number): number {
  let at = from
  while (at < text.length && at < from + 32 && (text[at] === ' ' || text[at] === '\t')) at++
  return at
}

/**
 * Reads the value that begins at `from`: between quotes — escaped ones too, as in JSON inside text, and without their
 * end in a text that was cut —, or between brackets, or as far as `extent` says; no more than `longest` of it.
 */
export function readValue(
  text: string,
  from: number,
  extent: Extent = 'run',
  longest = LONGEST,
): ReadValue | undefined {
  const { at, quote, mark } = openingOf(text, from)
  if (mark !== undefined && QUOTES.includes(mark)) return readQuoted(text, quote, quote - at, mark, longest)
  if (mark === '{' || mark === '[') return readBracketed(text, quote, longest)
  if ((mark === '|' || mark === '>') && /^[|>][+-]?\r?\n/.test(text.slice(quote, quote + 4)))
    return readBlock(text, quote, longest)
  if (mark === '\r' || mark === '\n' || mark === undefined)
    return readNextLine(text, quote, ':*_'.includes(text[from - 1] ?? ' '))
  return readBare(text, at, extent, longest)
}

/**
 * The value that begins at `from` if it stands between quotes. An opening quote ends the value of the one before that is
 * like it, so however many are read, a character is in few of the values.
 */
export function readQuotedValue(text: string, from: number): ReadValue | undefined {
  const { at, quote, mark } = openingOf(text, from)
  return mark !== undefined && QUOTES.includes(mark)
    ? readQuoted(text, quote, quote - at, mark, LONGEST)
    : undefined
}

function openingOf(text: string, from: number) {
  const spaced = skipSpace(text, from)
  WRAPPER.lastIndex = spaced
  const at = spaced + (WRAPPER.exec(text)?.[0].length ?? 0)
  let quote = at
  while (text[quote] === '\\' && quote < at + 16) quote++
  return { at, quote, mark: text[quote] }
}

/** Length of the name of an authentication scheme (`Bearer `) at `at`; 0 when there is none. */
export function schemeLength(text: string, at: number): number {
  SCHEME.lastIndex = at
  return SCHEME.exec(text)?.[0].length ?? 0
}

function readQuoted(text: string, quote: number, escapes: number, mark: string, longest: number): ReadValue {
  const fence = text.startsWith(mark.repeat(3), quote) ? mark.repeat(3) : mark
  const start = quote + fence.length
  const limit = Math.min(text.length, start + longest)
  const near = text.slice(0, limit + fence.length)
  for (let end = near.indexOf(fence, start); end !== -1 && end < limit; end = near.indexOf(fence, end + 1)) {
    let before = 0
    while (end - before > start && text[end - before - 1] === '\\') before++
    // As many escapes as the opening quote has, or fewer: the JSON around it ends.
    if (before <= escapes || (before - escapes) % 2 === 0)
      return { start, end: end - Math.min(before, escapes), quoted: true }
  }
  return { start, end: limit, quoted: true, ...cutIf(limit < text.length) }
}

const cutIf = (isCut: boolean): Pick<ReadValue, 'cut'> => (isCut ? { cut: true } : {})

function readBracketed(text: string, from: number, longest: number): ReadValue {
  let depth = 0
  const limit = Math.min(text.length, from + longest)
  for (let at = from; at < limit; at++) {
    const char = text[at]
    if (char === '{' || char === '[') depth++
    else if (char === '}' || char === ']') {
      if (--depth === 0) return { start: from, end: at + 1, quoted: false }
    }
  }
  return { start: from, end: limit, quoted: false, ...cutIf(limit < text.length) }
}

// A block of YAML: the lines that are indented.
function readBlock(text: string, from: number, longest: number): ReadValue | undefined {
  const start = text.indexOf('\n', from) + 1
  const block = /^(?:[ \t][^\n]{0,4096}(?:\n|$)){1,512}/.exec(text.slice(start, start + longest))?.[0]
  if (block === undefined) return undefined
  return { ...trimmed(text, start, start + block.length), ...cutIf(block.length >= longest) }
}

const NEXT_LINE = /^\r?\n([ \t]{0,32})(?![ \t])/
// Nothing but a comment after it.
const ALONE = /^["'`)\]};,.]{0,4}[ \t]{0,32}(?:$|\r?\n|\s#)/
const STATEMENT = /^(?:return|pass|continue|break|raise|throw|yield|else|try|end|done|then|print)$/
const SETTING = /^[\w.-]{1,64}[:=]|:\/\/|^[./~]|[$#%>]$/

// `password:` and the value on the line below. Indented it belongs to the name; else it has to look like one.
function readNextLine(text: string, from: number, mayBeBelow: boolean): ReadValue | undefined {
  const [line, indent] = NEXT_LINE.exec(text.slice(from, from + 40)) ?? []
  if (line === undefined || (indent === '' && !mayBeBelow)) return undefined
  const at = from + line.length
  const mark = text[at]
  // Three quotes begin the description of a function; three backticks a block of Markdown.
  if (/^(?:'''|""")/.test(text.slice(at, at + 3))) return undefined
  const isQuoted = mayBeBelow && mark !== undefined && QUOTES.includes(mark)
  // Always to its end: no other name has its value on the same line.
  const value = isQuoted ? readQuoted(text, at, 0, mark, LONGEST) : readBare(text, at, 'run', LONGEST)
  if (value === undefined || !ALONE.test(text.slice(value.end, value.end + 48))) return undefined
  const found = text.slice(value.start, value.end)
  // A list or a setting of its own below the name is looked at by itself.
  if (/[:=]$/.test(found) || /[\r\n]/.test(found.trim()) || STATEMENT.test(found)) return undefined
  if (indent !== '') return value
  return SETTING.test(found) || !looksChosen(found) ? undefined : { ...value, below: true }
}

// Not a word: with a digit, a capital or a sign within, or long.
const looksChosen = (found: string): boolean =>
  !/\s/.test(found) && (found.length >= 16 || /\d|[a-z][A-Z]|\w[^\w\s.,-]\w/.test(found))

function trimmed(text: string, start: number, end: number): ReadValue {
  const value = text.slice(start, end)
  return {
    start: start + (value.length - value.trimStart().length),
    end: start + value.trimEnd().length,
    quoted: false,
  }
}

function anySchemeLength(text: string, at: number): number {
  const known = schemeLength(text, at)
  if (known > 0) return known
  OTHER_SCHEME.lastIndex = at
  return OTHER_SCHEME.exec(text)?.[0].length ?? 0
}

function readBare(text: string, from: number, extent: Extent, longest: number): ReadValue | undefined {
  const start = extent === 'authorization' ? from + anySchemeLength(text, from) : from
  const line = extent === 'line' || (start > from && LINE_SCHEME.test(text.slice(from, start)))
  if (!line) return readRun(text, start, Math.min(text.length, start + longest))
  LINE.lastIndex = 0
  const found = LINE.exec(text.slice(start, start + longest))?.[0]
  if (found === undefined) return undefined
  const end = start + found.length
  // A quote that ends within what was read may have its partner behind it.
  const cut = end < text.length && (found.length >= longest || text[end] === '"')
  return { start, end: start + found.trimEnd().length, quoted: false, ...cutIf(cut) }
}

/** Up to the end of the run or to the next setting in it, and not a character further. */
function readRun(text: string, start: number, limit: number): ReadValue | undefined {
  let end = start
  for (; end < limit; end++) {
    const code = text.charCodeAt(end)
    if (code > LAST_ASCII ? SPACE.test(text.charAt(end)) : ENDS_RUN[code] === 1) break
    if (code > LAST_ASCII || BEGINS_SETTING[code] === 0) continue
    NEXT_SETTING.lastIndex = end
    if (NEXT_SETTING.test(text)) break
  }
  if (end === start && (end === text.length || ENDS_RUN[text.charCodeAt(end)] === 1)) return undefined
  const cut = cutIf(end === limit && limit < text.length)
  return { start, end: start + withoutTrailing(text.slice(start, end)), quoted: false, ...cut }
}

// Brackets that close what began before the value, and the end of a sentence or of an item.
function withoutTrailing(run: string): number {
  let opened: readonly number[] | undefined
  let end = run.length
  for (; end > 0; end--) {
    const last = run[end - 1] ?? ''
    const closes = ')]}'.indexOf(last)
    if (closes === -1) {
      if (!',;.'.includes(last)) break
      continue
    }
    opened ??= ['(', '[', '{'].map((bracket) => run.indexOf(bracket))
    const opener = opened[closes] ?? -1
    if (opener !== -1 && opener < end) break
  }
  return end
}
