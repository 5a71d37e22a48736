// Where the reviver kept the digits of numbers below an object or array.
const EXACT = Symbol('exact')

const INTEGER = /^-?\d+$/

/**
 * Parses JSON without losing digits. A whole number that a double does not hold is text, digit by digit, as senders
 * write it who know of the trouble; what `exactJsonText` makes of the value, or of a part of it, has every number as
 * it was written.
 * @throws SyntaxError
 */
export function parseExactly(text: string): unknown {
  if (!hasLongNumber(text)) return JSON.parse(text)
  const value = parse(text, textForLongInteger)
  keepExact(value, parse(text, rawForLongNumber))
  return value
}

/** The JSON text of a value that `parseExactly` made, or of an object or array in it. */
export const exactJsonText = (value: unknown): string =>
  JSON.stringify(typeof value === 'object' && value !== null && EXACT in value ? value[EXACT] : value)

const LONG_DIGITS = 16
const isDigit = (code: number): boolean => code >= 48 && code <= 57
const QUOTE = 34

/**
 * Whether 16 digits or more stand together and begin no text: what a double may not hold. Such a run covers one of
 * every 16th characters, so nearly all records pay for no more than those.
 */
function hasLongNumber(text: string): boolean {
  for (let at = LONG_DIGITS - 1; at < text.length; at += LONG_DIGITS) {
    if (!isDigit(text.charCodeAt(at))) continue
    let start = at
    while (start > 0 && isDigit(text.charCodeAt(start - 1))) start--
    let end = at + 1
    while (end < text.length && isDigit(text.charCodeAt(end))) end++
    if (end - start >= LONG_DIGITS && text.charCodeAt(start - 1) !== QUOTE) return true
    at = Math.max(at, end - LONG_DIGITS)
  }
  return false
}

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown

const textForLongInteger: Reviver = (_, value, { source }) =>
  typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined && INTEGER.test(source)
    ? source
    : value

const rawForLongNumber: Reviver = (_, value, { source }) =>
  typeof value === 'number' &&
  source !== undefined &&
  source.length >= LONG_DIGITS &&
  isInexact(value, source)
    ? rawJson(source)
    : value

// Every whole number that is read as text, and fractions that would come out with other digits.
const isInexact = (value: number, source: string): boolean =>
  String(value) !== source || !Number.isSafeInteger(value)

// TypeScript’s library does not know these yet; Node has them since 21.
const {
  parse,
  rawJSON: rawJson,
  isRawJSON: isRawJson,
} = JSON as unknown as {
  parse(text: string, reviver: Reviver): unknown
  rawJSON(text: string): object
  isRawJSON(value: unknown): boolean
}

/** Walks both readings of a text; says whether there was a number to keep. */
function keepExact(value: unknown, exact: unknown): boolean {
  if (isRawJson(exact)) return true
  if (typeof value !== 'object' || value === null) return false
  const other = exact as Record<string, unknown>
  let found = false
  for (const [key, item] of Object.entries(value)) if (keepExact(item, other[key])) found = true
  if (found) Object.defineProperty(value, EXACT, { value: exact })
  return found
}
