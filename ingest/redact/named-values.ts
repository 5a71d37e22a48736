import { createEdits, type Edits } from './edits.ts'
import { type Extent, PEEK, type ReadValue, readQuotedValue, readValue, schemeLength } from './read-value.ts'
import { isCount, looksOpaque, type Secrecy } from './secret-keys.ts'

export interface NamedValues {
  /** Replaces the values of names that say “secret” in running text. */
  replace(text: string, hide: Hide): string
}

/** The token of a secret. */
export type Hide = (secret: string) => string

const LONGEST_NAME = 80
const SHORTEST_VALUE = 4
const HEADER = /^(?:authorization|proxy-authorization|cookie|set-cookie|x-[\w-]+)$/i
const AUTHORIZATION = /auth/i
const COOKIE = /cookies?$/i
const FLAG = /(?<![\w-])--?([A-Za-z][\w-]{2,40})[ \t]{1,4}(?=[^\s-])/g
// `"name": "X-Api-Key", "value": "…"`, also as an attribute of OTLP, also escaped.
const VALUE_OF_LABEL =
  /\s{0,8}\\{0,8}["']?(?:value|val|v|content|text)\\{0,8}["']?\s{0,4}[:=]\s{0,4}(?:\{\s{0,4}\\{0,8}["']\w{1,16}\\{0,8}["']\s{0,4}:\s{0,4})?/iy

// What stands where a secret would, in templates, in messages and in code. Only for text: a field of JSON is hidden.
const PLACEHOLDER =
  /^(?:\$\{[\w.:-]{1,80}\}|\$[A-Z_][A-Z0-9_]*|\{\{[^{}]{1,80}\}\}|%[\w]+%|<[\w .-]{1,60}>|\*{3,}|\.{3,}|x{4,}|null|none|nil|true|false|undefined|str|string|int|integer|number|bool|boolean|bytes|object|array|optional|required|missing|invalid|expired|revoked|empty|unset|unknown|denied|incorrect|wrong|rejected|redacted|hidden|\[\w+\])$/i
const CODE =
  /^(?:(?:self|this|args|config|settings|cfg|env|os\.environ|process\.env|options|opts|params|request|req|ctx)\.[A-Za-z_][\w.]{0,128}|[A-Za-z_.]{1,128}[([].*)$/

// A call that gives a name its value; with the last of them, more often a message than a secret where it has words.
const SETTER = /(?:set\w{0,40}|put\w{0,40}|define)$/i
const ADDER = /(?:add|append|field|header|with\w{0,40}|insert|store|export)$/i
// The second of two columns: `["password", "email"]`.
const COLUMN = /^[A-Za-z_.$]{1,40}$/
const COLUMN_OF_TUPLE =
  /^(?:(?:user_?)?(?:name|id|email)|login|user|role|type|value|created_at|updated_at|text|varchar|char|password_?confirm\w*|confirm\w*)$/i

/**
 * Secrets that are known by their name in running text, however the text writes it: `name=value`, `"name": "value"` with
 * any escapes, header lines, cookies, query strings, flags of a command line, labelled and listed values. Looks at each
 * separator once and at no more than a name before it, so its time is in proportion to the text.
 */
export function createNamedValues(secrecyOf: (name: string) => Secrecy): NamedValues {
  return {
    replace(text, hide) {
      const edits = createEdits(text)
      for (let at = nextSeparator(text, 0); at !== -1; at = nextSeparator(text, at + 1)) {
        if (at < edits.done() || (text[at] === ',' && !isQuote(text[at - 1]))) continue
        const end = separatorEnd(text, at)
        const name = nameBefore(text, at)
        if (name === undefined) continue
        if (text[at] === ',') listed(text, at, name, edits, hide)
        else {
          const secrecy = secrecyOfEither(name)
          if (secrecy !== 'none') hideAt(text, end, name.name, secrecy, edits, hide)
        }
        at = Math.max(at, end - 1)
      }
      return edits.result()
    },
  }

  function secrecyOfEither({ name, twoWords }: Name): Secrecy {
    const secrecy = secrecyOf(name)
    return secrecy === 'none' && twoWords !== undefined ? secrecyOf(twoWords) : secrecy
  }

  function listed(
    text: string,
    comma: number,
    { name, start, quoted }: Name,
    edits: Edits,
    hide: Hide,
  ): void {
    if (!quoted) return
    const secrecy = secrecyOf(name)
    if (secrecy === 'none') return
    VALUE_OF_LABEL.lastIndex = comma + 1
    const label = VALUE_OF_LABEL.exec(text)
    if (label) hideAt(text, VALUE_OF_LABEL.lastIndex, name, secrecy, edits, hide)
    // A list of column names names secrets too: only headers and flags say that a value follows.
    else if (HEADER.test(name) || name.startsWith('-') || isPair(text, start, comma))
      hideAt(text, comma + 1, name, secrecy, edits, hide)
  }

  // `('password', '…')`, `["api_key", "…"]`, `set("password", "…")`: two texts between brackets and nothing else.
  function isPair(text: string, nameStart: number, comma: number): boolean {
    let before = nameStart
    while (before > 0 && nameStart - before < 16 && /["'`\\\s]/.test(text[before - 1] ?? '')) before--
    const bracket = text[before - 1]
    if (bracket !== '(' && bracket !== '[' && bracket !== '{') return false
    const value = readQuotedValue(text, comma + 1)
    if (
      value === undefined ||
      !/^[\\"'`]{0,16}\s{0,8}(?:[)\]}]|$)/.test(text.slice(value.end, value.end + 26))
    )
      return false
    const found = text.slice(value.start, value.end)
    if (COLUMN.test(found) && secrecyOf(found) !== 'none') return false
    if (bracket !== '(') return !COLUMN.test(found)
    const call = /[\w.]{1,80}$/.exec(text.slice(Math.max(0, before - 81), before - 1))?.[0]
    if (call === undefined) return !COLUMN_OF_TUPLE.test(found)
    return SETTER.test(call) || (ADDER.test(call) && !/\s/.test(found))
  }

  function hideAt(
    text: string,
    from: number,
    name: string,
    secrecy: Secrecy,
    edits: Edits,
    hide: Hide,
  ): void {
    const extent = extentOf(name, text[from - 1])
    const begin = afterEmphasis(text, from)
    const beginning = readValue(text, begin, extent, PEEK)
    if (beginning === undefined || beginning.start < edits.done()) return
    if (beginning.below && (extent !== 'run' || secrecy !== 'secret')) return
    if (isHarmless(text, beginning, name, secrecy)) return
    const value = beginning.cut ? (readValue(text, begin, extent) ?? beginning) : beginning
    const found = text.slice(value.start, value.end)
    const clean = hideValue(found, name, secrecy, hide)
    if (clean !== found) edits.replace(value.start, value.end, clean)
    // What is this long is not read again, whatever it is.
    else if (beginning.cut) edits.replace(value.start, value.end, hide(found))
  }

  function isHarmless(
    text: string,
    { start, end, quoted }: ReadValue,
    name: string,
    secrecy: Secrecy,
  ): boolean {
    const found = text.slice(start, end)
    if (!quoted && (CODE.test(found) || found === name)) return true
    // “Of the tokens: they are …”
    if (!quoted && secrecy === 'several' && /^[a-z]+$/.test(found)) return true
    return isPlaceholder(found) || (secrecy === 'opaque' && !looksOpaque(found))
  }
}

/** Flags with their value as the next word: `--password x`. */
export function replaceFlags(text: string, secrecyOf: (name: string) => Secrecy, hide: Hide): string {
  const edits = createEdits(text)
  for (const match of text.matchAll(FLAG)) {
    const secrecy = secrecyOf(match[1] ?? '')
    if (secrecy === 'none' || match.index < edits.done()) continue
    const value = readValue(text, match.index + match[0].length)
    if (value === undefined) continue
    const found = text.slice(value.start, value.end)
    if (isPlaceholder(found)) continue
    edits.replace(value.start, value.end, hideValue(found, match[1] ?? '', secrecy, hide))
  }
  return edits.result()
}

const isPlaceholder = (found: string): boolean => found.length < SHORTEST_VALUE || PLACEHOLDER.test(found)

/** Whether what stands where a secret would is none: too short, a template, a word of a message, the name again. */
export const standsForSecret = (found: string, name: string): boolean =>
  isPlaceholder(found) || lettersOf(found) === lettersOf(name)

const lettersOf = (text: string): string =>
  text.length > LONGEST_NAME ? text : text.toLowerCase().replace(/[^a-z0-9]/g, '')

// `**Password:** x`
const afterEmphasis = (text: string, from: number): number =>
  /^(?:\*\*|__)\s/.test(text.slice(from, from + 3)) ? from + 2 : from

/**
 * The value of a name that says “secret”, hidden. The scheme of an authorization and the names of cookies stay, so that
 * the token is the one of the bare secret. A value that its name leaves open and that does not look like a secret stays.
 */
export function hideValue(value: string, name: string, secrecy: Secrecy, hide: Hide): string {
  if (secrecy === 'several' && isCount(value)) return value
  if (secrecy === 'opaque' && !looksOpaque(value)) return value
  if (COOKIE.test(name) && value.includes('=')) return hideCookies(value, hide)
  const scheme = AUTHORIZATION.test(name) ? schemeLength(value, 0) : 0
  const secret = value.slice(scheme)
  return secret === '' ? hide(value) : value.slice(0, scheme) + hide(secret)
}

const COOKIE_ATTRIBUTE = /^\s*(?:path|domain|expires|max-age|samesite|version)$/i

function hideCookies(value: string, hide: Hide): string {
  return value
    .split(';')
    .map((part) => {
      const equals = part.indexOf('=')
      const name = part.slice(0, Math.max(equals, 0))
      if (equals === -1) return /^\s*(?:secure|httponly|partitioned)?\s*$/i.test(part) ? part : hide(part)
      if (COOKIE_ATTRIBUTE.test(name)) return part
      const secret = part.slice(equals + 1)
      return secret === '' ? part : `${name}=${hide(secret)}`
    })
    .join(';')
}

function extentOf(name: string, separator: string | undefined): Extent {
  if (AUTHORIZATION.test(name)) return 'authorization'
  return HEADER.test(name) && separator !== '=' ? 'line' : 'run'
}

interface Name {
  readonly name: string
  readonly start: number
  /** With the word before it: `api key`, `seed phrase`. */
  readonly twoWords?: string
  readonly quoted: boolean
}

const isSeparator = (code: number): boolean => code === 0x3d || code === 0x3a || code === 0x2c

function nextSeparator(text: string, from: number): number {
  for (let at = from; at < text.length; at++) if (isSeparator(text.charCodeAt(at))) return at
  return -1
}

// `=>`, `:=`, `==` and `: ` are one separator.
function separatorEnd(text: string, at: number): number {
  let end = at + 1
  if (text[at] === ',') return end
  while (end < at + 3 && (text[end] === '=' || text[end] === '>' || text[end] === ':')) end++
  return end
}

function nameBefore(text: string, separator: number): Name | undefined {
  let end = separator
  while (end > 0 && separator - end < 8 && isKind(text, end - 1, BLANK)) end--
  const beforeQuotes = end
  while (end > 0 && beforeQuotes - end < 16 && isKind(text, end - 1, AROUND_NAME)) end--
  const start = startOfName(text, end, LONGEST_NAME)
  if (start === end) return undefined
  const name = text.slice(start, end)
  const quoted = end !== beforeQuotes
  if (text[start - 1] !== ' ') return { name, start, quoted }
  // The space counts for one.
  const first = startOfName(text, start - 1, 23)
  return { name, start, twoWords: text.slice(first, end), quoted }
}

function startOfName(text: string, end: number, longest: number): number {
  let start = end
  while (start > 0 && end - start < longest && isKind(text, start - 1, OF_NAME)) start--
  return start
}

const OF_NAME = 1
const BLANK = 2
const AROUND_NAME = 4

const KINDS = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code)
  if (/[\w.$-]/.test(char)) return OF_NAME
  return /[ \t]/.test(char) ? BLANK : /["'`\\\]*]/.test(char) ? AROUND_NAME : 0
})

const isKind = (text: string, at: number, kind: number): boolean => KINDS[text.charCodeAt(at)] === kind

const isQuote = (char: string | undefined): boolean => char === '"' || char === "'" || char === '`'
