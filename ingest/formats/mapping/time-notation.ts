import type { Timestamp } from '../../../core/audit-event.ts'
import { padFraction } from '../agentgateway.ts'
import { numberOf } from '../field-values.ts'
import { fromMicros, readTime } from '../read-time.ts'
import { type Given, shown } from './mapping-source.ts'

export type ReadTime = (value: unknown) => Timestamp | undefined

const EPOCH_MICROS = { s: 1e6, ms: 1e3, us: 1, ns: 1e-3 } as const
const NAMES = ['auto', 'unpadded', 's', 'ms', 'us', 'ns'] as const
const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')
const LONG_MONTHS =
  'january february march april may june july august september october november december'.split(' ')
const REMEDY = `Write one of ${NAMES.join(', ')}, or a pattern such as '%d/%b/%Y:%H:%M:%S %z'.`
const WITHOUT_ZONE = /[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,12})?)?$/

/**
 * How times are written: `auto` (ISO 8601, or the epoch in whatever unit), `unpadded` (ISO 8601 whose fraction is a number
 * of microseconds without leading zeros), the epoch in one unit, or a pattern as of strptime. `zone` is the offset of
 * times that say none.
 */
export function timeNotationIn(notation: Given, zone: Given): ReadTime | undefined {
  const offset = zoneIn(zone)
  const { value } = notation
  if (value === undefined || value === 'auto') {
    if (offset === 'Z') return readTime
    return (time) => readTime(typeof time === 'string' && WITHOUT_ZONE.test(time) ? `${time}${offset}` : time)
  }
  if (value === 'unpadded') return (time) => readTime(typeof time === 'string' ? padFraction(time) : time)
  if (typeof value === 'string' && Object.hasOwn(EPOCH_MICROS, value)) {
    const micros = EPOCH_MICROS[value as keyof typeof EPOCH_MICROS]
    return (time) => {
      // Nanoseconds as text have more digits than a number holds.
      if (value === 'ns' && typeof time === 'string' && /^\d{4,19}$/.test(time))
        return fromMicros(Number(time.slice(0, -3)))
      const number = numberOf(time)
      return number === undefined ? undefined : fromMicros(Math.round(number * micros))
    }
  }
  if (typeof value !== 'string' || !value.includes('%'))
    return notation.refuse(`is not a notation of times: ${shown(value)}.`, REMEDY)
  const compiled = compileTimePattern(value, offset)
  return typeof compiled === 'function' ? compiled : notation.refuse(compiled.wrong, compiled.remedy)
}

/** A notation in words, for messages about times that are not written in it. */
export function notationText({ value }: Given): string {
  if (typeof value !== 'string' || value === 'auto') return 'ISO 8601 or epoch'
  if (value === 'unpadded') return 'ISO 8601, unpadded'
  return Object.hasOwn(EPOCH_MICROS, value) ? `epoch in ${value}` : value
}

function zoneIn(zone: Given): string {
  const { value } = zone
  if (value === undefined || value === 'UTC' || value === 'Z') return 'Z'
  if (typeof value === 'string' && /^[+-]\d\d:\d\d$/.test(value)) return value
  zone.refuse(`must be the offset from UTC, not ${shown(value)}.`, "Write for example: '+02:00'")
  return 'Z'
}

// What each letter reads; the name of the part it fills.
const LETTERS: Readonly<Record<string, readonly [part: string, expression: string]>> = {
  Y: ['year', '\\d{4}'],
  y: ['shortYear', '\\d\\d'],
  m: ['month', '\\d\\d?'],
  d: ['day', '\\d\\d?'],
  e: ['day', ' ?\\d\\d?'],
  b: ['monthName', '[A-Za-z]{3}'],
  B: ['monthName', '[A-Za-z]{3,9}'],
  H: ['hour', '\\d\\d?'],
  I: ['hour', '\\d\\d?'],
  p: ['half', '[AaPp]\\.?[Mm]\\.?'],
  M: ['minute', '\\d\\d'],
  S: ['second', '\\d\\d'],
  f: ['fraction', '\\d{1,12}'],
  z: ['zone', '(?:Z|[+-]\\d\\d:?\\d\\d)'],
  Z: ['', '(?:UTC|GMT|Z)'],
  a: ['', '[A-Za-z]{3}'],
  A: ['', '[A-Za-z]{6,9}'],
}

/** Patterns that logs use, for guesses. */
export const USUAL_PATTERNS: readonly string[] = [
  '%d/%b/%Y:%H:%M:%S %z',
  '%Y/%m/%d %H:%M:%S',
  '%a, %d %b %Y %H:%M:%S %Z',
  '%d %b %Y %H:%M:%S',
  '%m/%d/%Y %I:%M:%S %p',
]

/** A pattern as of strptime, compiled; what is wrong with it and a remedy, if something is. */
export function compileTimePattern(
  pattern: string,
  offset = 'Z',
): ReadTime | { readonly wrong: string; readonly remedy: string } {
  const parts: string[] = []
  let expression = ''
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] ?? ''
    const letter = character === '%' ? (pattern[++at] ?? '') : ''
    if (character !== '%' || letter === '%') {
      expression += character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&')
      continue
    }
    const [part, reads] = LETTERS[letter] ?? []
    if (part === undefined) {
      const known = Object.keys(LETTERS).map((name) => `%${name}`)
      return { wrong: `has %${letter}, which is not known.`, remedy: `Known: ${known.join(' ')} %%.` }
    }
    if (part !== '' && parts.includes(part)) return { wrong: `says the ${part} twice.`, remedy: REMEDY }
    if (part !== '') parts.push(part)
    expression += part === '' ? reads : `(${reads})`
  }
  const needed = [['year', 'shortYear'], ['month', 'monthName'], ['day'], ['hour']]
  const missing = needed.find((ways) => !ways.some((part) => parts.includes(part)))
  if (missing)
    return { wrong: `does not say the ${missing[0]}.`, remedy: 'A time needs year, month, day and hour.' }
  // Every directive has a bounded length and nothing repeats: a text that does not match costs a step a character.
  const compiled = new RegExp(`^${expression}$`)
  return (value) => {
    const match = typeof value === 'string' && value.length <= 100 ? compiled.exec(value.trim()) : null
    if (match === null) return undefined
    const found: Record<string, string | undefined> = {}
    parts.forEach((part, index) => {
      found[part] = match[index + 1]?.trim()
    })
    return assemble(found, offset)
  }
}

function assemble(
  found: Readonly<Record<string, string | undefined>>,
  offset: string,
): Timestamp | undefined {
  const { year, shortYear, month, monthName, day = '', hour = '', half, minute = '00', second = '00' } = found
  const name = monthName?.toLowerCase() ?? ''
  const named = Math.max(MONTHS.indexOf(name), LONG_MONTHS.indexOf(name)) + 1
  const two = (text: string | number) => String(text).padStart(2, '0')
  const clock = half === undefined ? Number(hour) : (Number(hour) % 12) + (/^p/i.test(half) ? 12 : 0)
  if (half !== undefined && (Number(hour) < 1 || Number(hour) > 12)) return undefined
  const date = `${year ?? `20${shortYear}`}-${two(month ?? named)}-${two(day)}`
  return readTime(
    `${date}T${two(clock)}:${minute}:${second}${found['fraction'] === undefined ? '' : `.${found['fraction']}`}${found['zone'] ?? offset}`,
  )
}
