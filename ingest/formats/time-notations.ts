import { isObject } from './field-values.ts'

/**
 * The notations of time that programs use beside ISO 8601 and the epoch, each of which can mean one moment only; one that
 * leaves day and month, or the zone, to be guessed is not among them:
 *
 * | given | written by |
 * | --- | --- |
 * | `2026-11-20 04:12:01.25 +0100 CET m=+12.3` | Go, where a time is printed as text |
 * | `2026-11-20T04:12:01+01:00[Europe/Berlin]` | Java |
 * | `20/Nov/2026:03:12:01 +0000` | web servers (Common Log Format) |
 * | `Fri, 20 Nov 2026 03:12:01 GMT` | HTTP and mail |
 * | `Fri Nov 20 03:12:01 UTC 2026`, `… 2026` | `date`, C and Python |
 * | `20261120T031201Z` | ISO 8601 without separators |
 * | `2026/11/20 03:12:01.25` | Go’s logger, nginx |
 * | `/Date(1795144321250)/` | .NET |
 * | `{"seconds": 1795144321, "nanos": 250000000}` | Protobuf as JSON |
 * | `{"$date": …}`, `{"$numberLong": …}` | MongoDB |
 *
 * @returns ISO 8601, or an epoch where the notation wraps one; `undefined` for what is none of these
 */
export function isoOfOtherNotation(value: unknown): string | undefined {
  if (typeof value === 'string') return value.length > LONGEST ? undefined : isoOfText(value)
  if (!isObject(value)) return undefined
  const date = value['$date'] ?? value['$numberLong']
  if (typeof date === 'string' || typeof date === 'number') return String(date)
  if (isObject(date)) return textOfDigits(date['$numberLong'])
  const seconds = textOfDigits(value['seconds'])
  const nanos = textOfDigits(value['nanos'] ?? value['nanoseconds'] ?? 0)
  return seconds === undefined || nanos === undefined ? undefined : `${seconds}.${nanos.padStart(9, '0')}`
}

const LONGEST = 100

const textOfDigits = (value: unknown): string | undefined =>
  (typeof value === 'string' || typeof value === 'number') && /^\d{1,16}$/.test(String(value))
    ? String(value)
    : undefined

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const CLOCK = String.raw`(\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)`
const ZONE = String.raw`(Z|UTC|GMT|[+-]\d\d:?\d\d)`

interface Parts {
  readonly year: string
  readonly month: string
  readonly day: string
  readonly clock: string
  readonly zone?: string | undefined
}

const NOTATIONS: readonly (readonly [pattern: RegExp, order: readonly (keyof Parts)[]])[] = [
  // The offset counts; the name of the zone and the monotonic clock say the same again.
  [
    new RegExp(
      `^(\\d{4})-(\\d\\d)-(\\d\\d) ${CLOCK} ([+-]\\d{4}) (?:[A-Z]{1,5}|[+-]\\d\\d(?:\\d\\d)?)(?: m=[+-][\\d.]{1,24})?$`,
    ),
    ['year', 'month', 'day', 'clock', 'zone'],
  ],
  [
    new RegExp(`^(\\d{4})-(\\d\\d)-(\\d\\d)T${CLOCK}${ZONE}\\[[\\w/+-]{1,48}\\]$`),
    ['year', 'month', 'day', 'clock', 'zone'],
  ],
  [
    new RegExp(`^(\\d\\d)/([A-Z][a-z]{2})/(\\d{4}):${CLOCK} ${ZONE}$`),
    ['day', 'month', 'year', 'clock', 'zone'],
  ],
  [
    new RegExp(`^[A-Z][a-z]{2}, (\\d{1,2}) ([A-Z][a-z]{2}) (\\d{4}) ${CLOCK} ${ZONE}$`),
    ['day', 'month', 'year', 'clock', 'zone'],
  ],
  [
    new RegExp(`^[A-Z][a-z]{2} ([A-Z][a-z]{2}) {1,2}(\\d{1,2}) ${CLOCK} (?:${ZONE} )?(\\d{4})$`),
    ['month', 'day', 'clock', 'zone', 'year'],
  ],
  [
    new RegExp(`^(\\d{4})/(\\d\\d)/(\\d\\d)[ T]${CLOCK} ?${ZONE}?$`),
    ['year', 'month', 'day', 'clock', 'zone'],
  ],
]

const BASIC = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)([.,]\d{1,9})?(Z|[+-]\d\d:?\d\d)?$/
const DOT_NET = /^\/Date\((\d{12,14})(?:[+-]\d{4})?\)\/$/

function isoOfText(text: string): string | undefined {
  const basic = BASIC.exec(text)
  if (basic !== null) {
    const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = basic
    return `${year}-${month}-${day}T${hour}:${minute}:${second}${fraction}${zone}`
  }
  const millis = DOT_NET.exec(text)?.[1]
  if (millis !== undefined) return new Date(Number(millis)).toISOString()
  for (const [pattern, order] of NOTATIONS) {
    const match = pattern.exec(text)
    if (match === null) continue
    return isoOf(Object.fromEntries(order.map((part, at) => [part, match[at + 1]])) as unknown as Parts)
  }
  return undefined
}

function isoOf({ year, month, day, clock, zone = 'Z' }: Parts): string {
  const named = MONTHS.indexOf(month) + 1
  const digits = named === 0 ? month : String(named).padStart(2, '0')
  return `${year}-${digits}-${day.padStart(2, '0')}T${clock}${zone === 'GMT' ? 'Z' : zone}`
}
