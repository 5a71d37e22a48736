import { fromMillis } from '../timestamp.ts'

/** A time as written covers a stretch: `2026-08-21` a day, `…T14:00` a minute. `end` is exclusive. */
export interface TimeSpan {
  readonly start: string
  readonly end: string
}

const TIME =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?(Z|[+-]\d\d:?\d\d)?)?$/i

/**
 * ISO 8601, UTC unless it says otherwise, years 1970 to 2261 (what the store's time type surely holds).
 * @returns `undefined` when the text is no such time
 */
export function parseTimeSpan(text: string): TimeSpan | undefined {
  const match = TIME.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, fraction, zone] = match
  const wholeMs = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour ?? 0),
    Number(minute ?? 0),
    Number(second ?? 0),
  )
  const back = new Date(wholeMs).toISOString()
  const written = `${year}-${month}-${day}T${hour ?? '00'}:${minute ?? '00'}:${second ?? '00'}`
  if (!back.startsWith(written)) return undefined
  const startMs = wholeMs - zoneMs(zone)
  if (startMs < 0 || startMs >= Date.UTC(2262, 0, 1)) return undefined
  const micros = Number((fraction ?? '').padEnd(6, '0'))
  const stepMicros =
    hour === undefined
      ? 86_400_000_000
      : minute === undefined
        ? 3_600_000_000
        : second === undefined
          ? 60_000_000
          : 10 ** (6 - (fraction ?? '').length)
  return { start: at(startMs, micros), end: at(startMs, micros + stepMicros) }
}

function zoneMs(zone: string | undefined): number {
  if (zone === undefined || zone.toUpperCase() === 'Z') return 0
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))
  return (zone[0] === '-' ? -minutes : minutes) * 60_000
}

function at(wholeMs: number, micros: number): string {
  const seconds = fromMillis(wholeMs + Math.floor(micros / 1_000_000) * 1000).slice(0, 20)
  return `${seconds}${String(micros % 1_000_000).padStart(6, '0')}Z`
}
