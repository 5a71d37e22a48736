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
  for (const made of lastMade) if (made?.text === text) return made.value
  if (!hasLongNumber(text)) return JSON.parse(text)
  const value = parse(text, textForLongInteger)
  keepExact(value, parse(text, rawForLongNumber))
  return value
}

/** The JSON text of a value that `parseExactly` made, or of an object or array in it. */
export function exactJsonText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const text = JSON.stringify(EXACT in value ? value[EXACT] : value)
  if (isAsParsed(value, 0)) {
    lastMade[next] = { text, value }
    next = (next + 1) % lastMade.length
  }
  return text
}

/**
 * The values of the texts that were made last: a format writes the arguments and the result of a call as text, and
 * the next step reads them. To look here costs far less than to parse.
 */
const lastMade: ({ readonly text: string; readonly value: unknown } | undefined)[] = [undefined, undefined]
let next = 0

const DEEPEST_LOOK = 64

/** Whether `parseExactly` makes the same value of the JSON text of a value. */
function isAsParsed(value: unknown, depth: number): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true
  // The text of these says something else: `null`, `0`, and digits that are read as text.
  if (typeof value === 'number')
    return Number.isInteger(value)
      ? Number.isSafeInteger(value) && !Object.is(value, -0)
      : Number.isFinite(value)
  if (typeof value !== 'object' || depth === DEEPEST_LOOK) return false
  if (Array.isArray(value)) return value.every((item) => isAsParsed(item, depth + 1))
  if (Object.getPrototypeOf(value) !== Object.prototype) return false
  for (const key in value)
    if (!isAsParsed((value as Readonly<Record<string, unknown>>)[key], depth + 1)) return false
  return true
}

const LONG_DIGITS = 16
const isDigit = (code: number): boolean => code >= 48 && code <= 57
const BACKSLASH = 92

/**
 * Whether 16 digits or more stand together in a number: what a double may not hold. Such a run covers one of every 16th
 * characters, so nearly all records pay for no more than those. Linear in the text.
 */
function hasLongNumber(text: string): boolean {
  // Whether what stands before the next quote is within a text. Quotes are looked for once, and only where digits are.
  let isInText = false
  let quote = -1
  for (let at = LONG_DIGITS - 1; at < text.length; at += LONG_DIGITS) {
    if (!isDigit(text.charCodeAt(at))) continue
    let start = at
    while (start > 0 && isDigit(text.charCodeAt(start - 1))) start--
    let end = at + 1
    while (end < text.length && isDigit(text.charCodeAt(end))) end++
    if (end - start >= LONG_DIGITS) {
      if (quote === -1) quote = nextQuote(text, 0)
      for (; quote < start; quote = nextQuote(text, quote + 1))
        if (!(isInText && isEscaped(text, quote))) isInText = !isInText
      if (!isInText) return true
    }
    at = Math.max(at, end - LONG_DIGITS)
  }
  return false
}

function nextQuote(text: string, from: number): number {
  const at = text.indexOf('"', from)
  return at === -1 ? text.length : at
}

function isEscaped(text: string, at: number): boolean {
  let escapes = 0
  while (text.charCodeAt(at - 1 - escapes) === BACKSLASH) escapes++
  return escapes % 2 === 1
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
