import type { Timestamp } from '../../core/audit-event.ts'
import { isoOfOtherNotation } from './time-notations.ts'

const LATEST: Timestamp = '9999-12-31T23:59:59.999999Z'
const EARLIEST: Timestamp = '0000-01-01T00:00:00.000000Z'
const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const EPOCH_TEXT = /^-?\d{1,19}(?:[.,]\d{1,12})?(?:[Ee]\+?\d{1,2})?$/
const ISO =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?\s?([Zz]|UTC|[+-]\d\d(?::?\d\d)?)?$/

/**
 * A time in the notations that gateways use: ISO 8601 (any fraction, any offset; without one it is UTC) and the
 * epoch in seconds, milliseconds, microseconds or nanoseconds, as a number or as text, told apart by size (the
 * four do not overlap between 1973 and 5138). Other notations that cannot be mistaken (`isoOfOtherNotation`) are read too.
 * `undefined` when it is no time. A time outside years 0–9999 comes back as the first or last one, so that the range check
 * names it.
 */
export function readTime(value: unknown): Timestamp | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? fromEpoch(value) : undefined
  if (typeof value !== 'string') {
    const other = isoOfOtherNotation(value)
    return other === undefined ? undefined : readTime(other)
  }
  const usual = readUsual(value)
  if (usual !== undefined) return usual
  const text = value.trim()
  if (EPOCH_TEXT.test(text)) {
    // 19 digits are nanoseconds; as a number they would lose the microseconds.
    return /^\d{19}$/.test(text)
      ? fromMicros(Number(text.slice(0, -3)))
      : fromEpoch(Number(text.replace(',', '.')))
  }
  const time = fromIso(text)
  if (time !== undefined) return time
  const other = isoOfOtherNotation(text)
  return other === undefined ? undefined : fromIso(other)
}

/** Nanoseconds since the epoch, as OTLP sends them (text in JSON); `undefined` for absent and zero. */
export function readNanos(value: unknown): Timestamp | undefined {
  const text = typeof value === 'number' ? value.toFixed(0) : value
  if (typeof text !== 'string' || !/^\d{1,20}$/.test(text)) return undefined
  const micros = Number(text.slice(0, -3))
  return micros > 0 ? fromMicros(micros) : undefined
}

/** Microseconds since the epoch → `Timestamp`. */
export function fromMicros(micros: number): Timestamp {
  if (micros >= 253_402_300_800_000_000) return LATEST
  if (micros < -62_167_219_200_000_000) return EARLIEST
  const rest = ((micros % 1e6) + 1e6) % 1e6
  const second = Math.round((micros - rest) / 1e6)
  const day = Math.floor(second / 86_400)
  const ofDay = second - day * 86_400
  const hour = Math.floor(ofDay / 3600)
  const minute = Math.floor(ofDay / 60) - hour * 60
  return `${dateOf(day)}T${twoDigits(hour)}:${twoDigits(minute)}:${twoDigits(ofDay % 60)}.${String(Math.floor(rest)).padStart(6, '0')}Z`
}

/**
 * The date of a day counted from 1970 on, in the calendar of ISO 8601: the algorithm `civil_from_days` of Howard Hinnant
 * ("chrono-compatible low-level date algorithms", 2013), whose years begin in March so that leap days come last. Making a
 * `Date` and its text takes four times as long, and every record of some sources needs one.
 */
function dateOf(daysSince1970: number): string {
  const days = daysSince1970 + 719_468
  const era = Math.floor(days / 146_097)
  const dayOfEra = days - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
  const year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
  return `${String(year).padStart(4, '0')}-${twoDigits(month)}-${twoDigits(day)}`
}

const twoDigits = (number: number): string => (number < 10 ? `0${number}` : String(number))

function fromEpoch(value: number): Timestamp {
  const size = Math.abs(value)
  if (size < 1e11) return fromMicros(Math.round(value * 1e6))
  if (size < 1e14) return fromMicros(Math.round(value * 1e3))
  return fromMicros(size < 1e17 ? Math.round(value) : Math.round(value / 1e3))
}

function fromIso(text: string): Timestamp | undefined {
  const match = ISO.exec(text)
  if (!match) return undefined
  const [, year, month, day, hour, minute, second = '00', fraction = '', zone = 'Z'] = match
  if (!isDay(Number(year), Number(month), Number(day))) return undefined
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined
  const micros = Number(fraction.slice(0, 6).padEnd(6, '0'))
  // A leap second has no place in the count of seconds: it is the last microsecond before the next one.
  const leap = second === '60'
  const base = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${leap ? '59' : second}Z`)
  const offset = /^[+-]/.test(zone) ? offsetMinutes(zone) : 0
  if (offset === undefined) return undefined
  return fromMicros((base - offset * 60_000) * 1000 + (leap ? 999_999 : micros))
}

function offsetMinutes(zone: string): number | undefined {
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(3).replace(':', '') || '0')
  if (hours > 18 || minutes > 59) return undefined
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes)
}

function isDay(year: number, month: number, day: number): boolean {
  const days = DAYS[month - 1]
  if (days === undefined || day < 1 || day > days) return false
  return month !== 2 || day !== 29 || (year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0))
}

// UTC with no, three or six digits of fraction, checked without a regular expression: nearly all records have it.
function readUsual(text: string): Timestamp | undefined {
  const { length } = text
  if ((length !== 24 && length !== 20 && length !== 27) || text.charCodeAt(length - 1) !== 90)
    return undefined
  for (let at = 0; at < length - 1; at++) {
    const code = text.charCodeAt(at)
    const wanted =
      at === 4 || at === 7 ? 45 : at === 10 ? 84 : at === 13 || at === 16 ? 58 : at === 19 ? 46 : 0
    if (wanted === 0 ? code < 48 || code > 57 : code !== wanted) return undefined
  }
  const real =
    two(text, 11) < 24 &&
    two(text, 14) < 60 &&
    two(text, 17) < 60 &&
    isDay(two(text, 0) * 100 + two(text, 2), two(text, 5), two(text, 8))
  if (!real) return undefined
  return length === 27 ? text : `${text.slice(0, length - 1)}${length === 24 ? '000Z' : '.000000Z'}`
}

const two = (text: string, at: number): number =>
  (text.charCodeAt(at) - 48) * 10 + text.charCodeAt(at + 1) - 48
