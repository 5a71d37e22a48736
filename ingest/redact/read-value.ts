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
  /** On the line below the name, not indented: by its look it is a value. */
  readonly below?: true
}

const LONGEST = 65_536
const QUOTES = '"\'`'

// Ends a value that stands without quotes. Other separators are looked at afterwards: passwords hold them too.
const RUN = /[^\s"'`<>\\]{1,65536}/y
// A header’s line; the quoted values of cookies and of `Digest` belong to it, the quote around the whole does not.
const LINE = /(?:=\\{0,4}"[^"\r\n\\]{0,4096}\\{0,4}"|[^\r\n"'`\\]){1,65536}/y
const LINE_SCHEME = /^(?:digest|hawk|aws4|oauth|negotiate)/i
// The next setting of a list: `Password=x;Server=y`, `token=x&page=2`, `{password: x, user: y}`.
const NEXT_SETTING = /[,;&|](?=\s{0,4}[\w.-]{1,64}\s{0,4}(?:[=:]|$))|[,;](?=\s|$)/
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
 * end in a text that was cut —, or between brackets, or as far as `extent` says.
 */
export function readValue(text: string, from: number, extent: Extent = 'run'): ReadValue | undefined {
  const spaced = skipSpace(text, from)
  WRAPPER.lastIndex = spaced
  const at = spaced + (WRAPPER.exec(text)?.[0].length ?? 0)
  let quote = at
  while (text[quote] === '\\' && quote < at + 16) quote++
  const mark = text[quote]
  if (mark !== undefined && QUOTES.includes(mark)) return readQuoted(text, quote, quote - at, mark)
  if (mark === '{' || mark === '[') return readBracketed(text, quote)
  if ((mark === '|' || mark === '>') && /^[|>][+-]?\r?\n/.test(text.slice(quote, quote + 4)))
    return readBlock(text, quote)
  if (mark === '\r' || mark === '\n' || mark === undefined)
    return readNextLine(text, quote, ':*_'.includes(text[from - 1] ?? ' '))
  return readBare(text, at, extent)
}

/** Length of the name of an authentication scheme (`Bearer `) at `at`; 0 when there is none. */
export function schemeLength(text: string, at: number): number {
  SCHEME.lastIndex = at
  return SCHEME.exec(text)?.[0].length ?? 0
}

function readQuoted(text: string, quote: number, escapes: number, mark: string): ReadValue {
  const fence = text.startsWith(mark.repeat(3), quote) ? mark.repeat(3) : mark
  const start = quote + fence.length
  const limit = Math.min(text.length, start + LONGEST)
  for (let end = text.indexOf(fence, start); end !== -1 && end < limit; end = text.indexOf(fence, end + 1)) {
    let before = 0
    while (end - before > start && text[end - before - 1] === '\\') before++
    // As many escapes as the opening quote has, or fewer: the JSON around it ends.
    if (before <= escapes || (before - escapes) % 2 === 0)
      return { start, end: end - Math.min(before, escapes), quoted: true }
  }
  return { start, end: limit, quoted: true }
}

function readBracketed(text: string, from: number): ReadValue {
  let depth = 0
  const limit = Math.min(text.length, from + LONGEST)
  for (let at = from; at < limit; at++) {
    const char = text[at]
    if (char === '{' || char === '[') depth++
    else if (char === '}' || char === ']') {
      if (--depth === 0) return { start: from, end: at + 1, quoted: false }
    }
  }
  return { start: from, end: limit, quoted: false }
}

// A block of YAML: the lines that are indented.
function readBlock(text: string, from: number): ReadValue | undefined {
  const start = text.indexOf('\n', from) + 1
  const block = /^(?:[ \t]+[^\n]{0,4096}(?:\n|$)){1,512}/.exec(text.slice(start, start + LONGEST))?.[0]
  return block === undefined ? undefined : trimmed(text, start, start + block.length)
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
  const value = isQuoted ? readQuoted(text, at, 0, mark) : readBare(text, at, 'run')
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

function readBare(text: string, from: number, extent: Extent): ReadValue | undefined {
  const start = extent === 'authorization' ? from + anySchemeLength(text, from) : from
  const line = extent === 'line' || (start > from && LINE_SCHEME.test(text.slice(from, start)))
  const pattern = line ? LINE : RUN
  pattern.lastIndex = start
  const run = pattern.exec(text)?.[0]
  if (run === undefined) return undefined
  if (line) return { start, end: start + run.trimEnd().length, quoted: false }
  const next = run.search(NEXT_SETTING)
  let end = next === -1 ? run.length : next
  while (end > 0 && isTrailing(run, end)) end--
  return { start, end: start + end, quoted: false }
}

// A bracket that closes what began before the value, and the end of a sentence or of an item.
function isTrailing(run: string, end: number): boolean {
  const last = run[end - 1] ?? ''
  const closes = ')]}'.indexOf(last)
  return closes === -1 ? ',;.'.includes(last) : !run.slice(0, end).includes('([{'[closes] ?? '')
}
