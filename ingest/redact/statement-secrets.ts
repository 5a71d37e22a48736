import { createEdits, type Edits } from './edits.ts'
import { type Hide, hideValue, standsForSecret } from './named-values.ts'
import type { Secrecy } from './secret-keys.ts'

/** Words that call for `replaceStatementSecrets`. */
export const STATEMENT_KEYWORDS: readonly string[] = [
  'identified',
  'insert into',
  'replace into',
  'set password',
]

const IDENTIFIED =
  /(?<!\w)IDENTIFIED\s{1,8}(?:WITH\s{1,8}["'`]?\w{1,64}["'`]?\s{1,8})?(?:BY|AS|USING)\s{1,8}(?:(?:PASSWORD|VALUES)\s{1,8})?/gi
// In a sentence things are “identified by” their names: a statement begins with one of these.
const ACCOUNT_STATEMENT =
  /(?<!\w)(?:create|alter|replace)\s{1,8}(?:\w{1,20}\s{1,8}){0,3}(?:user|role|login|link)\s/i
const GRANT = /(?<!\w)grant\s/i
const TO = /\sto\s/i
const LONGEST_STATEMENT = 400
const BARE = /[^\s;,()"'`\\]{4,128}/y
const NO_LITERAL = /^(?:random|externally|globally|password|values|by)$/i
const SET_PASSWORD =
  /(?<!\w)SET\s{1,8}PASSWORD\s{1,8}FOR\s{1,8}[^=;\n]{1,128}=\s{0,8}(?:(?:OLD_)?PASSWORD\s?\(\s{0,4})?[NE]?(?=\\{0,4}['"])/gi
const INSERT =
  /(?<!\w)(?:INSERT|REPLACE)\s{1,8}INTO\s{1,8}[\w."'`[\]\\]{1,128}\s{0,8}\(([^()]{1,4096})\)\s{0,16}VALUES\s{0,16}(?=\()/gi
const LONGEST_LITERAL = 65_536

/**
 * The secrets of SQL that no name stands before: `IDENTIFIED BY '…'`, `SET PASSWORD FOR u = '…'`, and the values that an
 * INSERT has for columns named like a secret. Expressions look back and ahead by bounded lengths; values are read once.
 */
export function replaceStatementSecrets(
  text: string,
  secrecyOf: (name: string) => Secrecy,
  hide: Hide,
): string {
  const clean = replaceAfter(
    text,
    IDENTIFIED,
    (match, at) => {
      const isStatement = isInStatement(text, match.index)
      if (!isStatement && !match[0].startsWith('IDENTIFIED')) return undefined
      return literalAt(text, at) ?? (isStatement ? bareAt(text, at) : undefined)
    },
    hide,
  )
  const cleaner = replaceAfter(clean, SET_PASSWORD, (_, at) => literalAt(clean, at), hide)
  return replaceInserted(cleaner, secrecyOf, hide)
}

// Whether a statement about an account is under way at `at`. Each expression passes once over the text before.
function isInStatement(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - LONGEST_STATEMENT), at)
  const statement = before.slice(before.lastIndexOf(';') + 1)
  if (ACCOUNT_STATEMENT.test(statement)) return true
  const grant = statement.search(GRANT)
  return grant !== -1 && TO.test(statement.slice(grant + 'grant '.length))
}

const PASSWORD = /(?:password|passwd|passphrase|pwd)$/i
const CAPITALS = /^[A-Z][A-Z_]{2,}$/
const BETWEEN = /^(?:like|ilike|to)$/i
const FUNCTION = /^(?:old_)?password$/i
const LONGEST_WORD = 40

/**
 * Texts in single quotes after the name of a secret with no sign between them, as SQL has them: `PASSWORD '…'`,
 * `password LIKE '…'`, `PASSWORD('…')`, `SECRET '…'`. Of names in lower case only those of passwords: `Unexpected token 'x'` is
 * an error message. Looks back from each quote by two words at most.
 */
export function replaceQuotedSecrets(text: string, secrecyOf: (name: string) => Secrecy, hide: Hide): string {
  const edits = createEdits(text)
  for (let quote = text.indexOf("'"); quote !== -1; quote = text.indexOf("'", quote + 1)) {
    if (quote < edits.done()) continue
    const name = nameBeforeQuote(text, quote)
    if (name === undefined || secrecyOf(name) !== 'secret') continue
    const open = text[quote - 1] === '\\' ? quote - 1 : quote
    const literal = literalAt(text, open)
    if (literal === undefined) continue
    replaceSpan(text, literal, name, 'secret', edits, hide)
    quote = Math.max(quote, literal.end)
  }
  return edits.result()
}

function nameBeforeQuote(text: string, quote: number): string | undefined {
  let end = quote
  while (text[end - 1] === '\\' && end > quote - 4) end--
  // `N'…'` and `E'…'`: texts with a character set, with escapes.
  if (/[NE]/.test(text[end - 1] ?? '') && /[\s(]/.test(text[end - 2] ?? '')) end--
  const word = wordBefore(text, end)
  if (word === undefined) {
    if (text[end - 1] !== '(') return undefined
    const name = wordEndingAt(text, end - 1)
    return name && FUNCTION.test(name.text) ? name.text : undefined
  }
  const name = BETWEEN.test(word.text) ? wordBefore(text, word.start) : word
  return name && (PASSWORD.test(name.text) || CAPITALS.test(name.text)) ? name.text : undefined
}

interface Word {
  readonly text: string
  readonly start: number
}

// The word before white space that ends at `end`.
function wordBefore(text: string, end: number): Word | undefined {
  let at = end
  while (at > 0 && end - at < 8 && isSpace(text.charCodeAt(at - 1))) at--
  return at === end ? undefined : wordEndingAt(text, at)
}

function wordEndingAt(text: string, end: number): Word | undefined {
  let start = end
  while (start > 0 && end - start < LONGEST_WORD && isWordChar(text.charCodeAt(start - 1))) start--
  return start === end || /[$.-]/.test(text[start - 1] ?? '')
    ? undefined
    : { text: text.slice(start, end), start }
}

const isSpace = (code: number): boolean => code === 0x20 || (code >= 0x09 && code <= 0x0d)

const isWordChar = (code: number): boolean =>
  (code >= 0x61 && code <= 0x7a) ||
  (code >= 0x41 && code <= 0x5a) ||
  (code >= 0x30 && code <= 0x39) ||
  code === 0x5f

interface Stretch {
  readonly start: number
  readonly end: number
}

function replaceAfter(
  text: string,
  expression: RegExp,
  find: (match: RegExpExecArray, at: number) => Stretch | undefined,
  hide: Hide,
): string {
  const edits = createEdits(text)
  for (const match of text.matchAll(expression)) {
    if (match.index < edits.done()) continue
    const value = find(match, match.index + match[0].length)
    if (value !== undefined) replaceSpan(text, value, match[1] ?? 'password', 'secret', edits, hide)
  }
  return edits.result()
}

function replaceSpan(
  text: string,
  { start, end }: Stretch,
  name: string,
  secrecy: Secrecy,
  edits: Edits,
  hide: Hide,
): void {
  const found = text.slice(start, end)
  if (start < edits.done() || standsForSecret(found, name)) return
  const clean = hideValue(found, name, secrecy, hide)
  if (clean !== found) edits.replace(start, end, clean)
}

/** What stands between quotes at `at`: a doubled quote belongs to it, and a text that was cut has no end. */
function literalAt(text: string, at: number): Stretch | undefined {
  let open = at
  while (text[open] === '\\' && open < at + 4) open++
  const mark = text[open]
  if (mark !== "'" && mark !== '"') return undefined
  const escapes = open - at
  const limit = Math.min(text.length, open + 1 + LONGEST_LITERAL)
  for (let end = open + 1; end < limit; end++) {
    if (text[end] === '\\' && escapes === 0) end++
    else if (text[end] === mark) {
      if (escapes > 0 || text[end + 1] !== mark) return { start: open + 1, end: end - escapes }
      end++
    }
  }
  // Cut, or an apostrophe: no further than its line.
  const line = text.indexOf('\n', open)
  return { start: open + 1, end: line === -1 ? limit : Math.min(limit, line) }
}

function bareAt(text: string, at: number): Stretch | undefined {
  BARE.lastIndex = at
  const found = BARE.exec(text)?.[0]
  return found === undefined || NO_LITERAL.test(found) ? undefined : { start: at, end: at + found.length }
}

// A row that never ends is read to the end of the text; how often that may be is bounded.
const READINGS = 8

/** `INSERT INTO users (name, password) VALUES ('bob', '…'), (…)`. */
function replaceInserted(text: string, secrecyOf: (name: string) => Secrecy, hide: Hide): string {
  const edits = createEdits(text)
  let budget = READINGS * text.length
  for (const match of text.matchAll(INSERT)) {
    const columns = (match[1] ?? '').split(',').map((column) => column.replace(/["'`[\]\\\s]/g, ''))
    const secrecies = columns.map(secrecyOf)
    if (match.index < edits.done() || secrecies.every((secrecy) => secrecy === 'none')) continue
    let from: number | undefined = match.index + match[0].length
    while (from !== undefined && budget > 0) {
      const row = readRow(text, from, (column, literal) => {
        const secrecy = secrecies[column] ?? 'none'
        if (secrecy !== 'none') replaceSpan(text, literal, columns[column] ?? '', secrecy, edits, hide)
      })
      budget -= row.end - from
      from = row.next
    }
  }
  return edits.result()
}

/** Reads the row whose bracket is at `from`, and where the next row’s is. Texts within an expression are its column’s. */
function readRow(
  text: string,
  from: number,
  take: (column: number, literal: Stretch) => void,
): { readonly end: number; readonly next?: number | undefined } {
  let depth = 0
  let column = 0
  for (let at = from; at < text.length; at++) {
    const char = text[at]
    if (char === '(') depth++
    else if (char === ')') {
      if (--depth === 0) return { end: at, next: nextRow(text, at + 1) }
    } else if (char === ',' && depth === 1) column++
    else if (char === "'" || char === '"' || (char === '\\' && /['"]/.test(text[at + 1] ?? ''))) {
      const literal = literalAt(text, at)
      if (literal === undefined) continue
      take(column, literal)
      // At the last character of the closing quote.
      at = literal.end + (char === '\\' ? 1 : 0)
    }
  }
  return { end: text.length }
}

function nextRow(text: string, from: number): number | undefined {
  const gap = /^\s{0,64},\s{0,64}(?=\()/.exec(text.slice(from, from + 130))?.[0]
  return gap === undefined ? undefined : from + gap.length
}
