import { entriesOf, type Given, isMapping } from './mapping-source.ts'
import { patternIn } from './pattern.ts'

/** A line of text as keys and values; `undefined` when it is none of these lines. */
export type ReadText = (text: string) => Readonly<Record<string, unknown>> | undefined

const REMEDY =
  'Write text: logfmt (key=value pairs), or text: { match: … } with a named group for each value.'
const MAX_PAIRS = 256

/** `text`: how records that are no JSON are read. */
export function textRecordIn(given: Given): ReadText | undefined {
  if (given.value === 'logfmt') return readPairs
  if (!isMapping(given.value)) return given.refuse('is not known.', REMEDY)
  entriesOf(given, ['match'], 'here')
  const pattern = patternIn(given.at('match'))
  if (pattern === undefined) return undefined
  if (pattern.names.length === 0)
    return given.at('match').refuse('has no named groups.', 'Name what it finds: (?P<tool>\\S+)')
  return pattern.groups
}

/** `key=value key="quoted \"value\""`; words without `=` are passed over. */
function readPairs(text: string): Readonly<Record<string, unknown>> | undefined {
  const pairs: Record<string, unknown> = Object.create(null)
  let found = 0
  for (let at = 0; at < text.length && found < MAX_PAIRS; ) {
    const equals = text.indexOf('=', at)
    if (equals === -1) break
    const key = text.slice(Math.max(at, lastSpace(text, at, equals) + 1), equals)
    const quoted = text[equals + 1] === '"'
    const end = quoted ? endOfQuoted(text, equals + 2) : endOfWord(text, equals + 1)
    if (key !== '') {
      pairs[key] = quoted ? unquote(text.slice(equals + 1, end)) : text.slice(equals + 1, end)
      found++
    }
    at = end
  }
  return found > 0 ? pairs : undefined
}

function lastSpace(text: string, from: number, to: number): number {
  for (let at = to - 1; at >= from; at--) if (isSpace(text.charCodeAt(at))) return at
  return from - 1
}

function endOfWord(text: string, from: number): number {
  let at = from
  while (at < text.length && !isSpace(text.charCodeAt(at))) at++
  return at
}

function endOfQuoted(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
  return text.length
}

const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13)

function unquote(text: string): string {
  try {
    return String(JSON.parse(text))
  } catch {
    return text.slice(1, text.endsWith('"') && text.length > 1 ? -1 : undefined)
  }
}
