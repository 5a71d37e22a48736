/** Local dates as whole days since 1970-01-01, and the clock of time zones with their daylight saving. */

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

export type Country = 'US' | 'GB' | 'DE' | 'IN' | 'SG' | 'AU'

const formats = new Map<string, Intl.DateTimeFormat>()
const known = new Map<string, number>()
const MAX_KNOWN = 20_000

/** What the zone’s clock shows ahead of UTC at a moment, in milliseconds. Clocks change on the hour. */
export function zoneOffsetMs(zone: string, atMs: number): number {
  const hour = Math.floor(atMs / HOUR_MS)
  const key = `${zone} ${hour}`
  const before = known.get(key)
  if (before !== undefined) return before
  const offset = readOffset(zone, hour * HOUR_MS)
  if (known.size >= MAX_KNOWN) known.clear()
  known.set(key, offset)
  return offset
}

function readOffset(zone: string, atMs: number): number {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
    formats.set(zone, format)
  }
  const name = format.formatToParts(atMs).find((part) => part.type === 'timeZoneName')?.value ?? 'GMT'
  const match = /([+-])(\d\d):(\d\d)/.exec(name)
  if (match === null) return 0
  const ms = (Number(match[2]) * 60 + Number(match[3])) * 60_000
  return match[1] === '-' ? -ms : ms
}

/** The moment at which the zone’s clock shows `hours` (may be a fraction) on a local date. */
export function localTime(zone: string, date: number, hours: number): number {
  const wallMs = date * DAY_MS + hours * HOUR_MS
  return wallMs - zoneOffsetMs(zone, wallMs - zoneOffsetMs(zone, wallMs))
}

export const localDate = (zone: string, atMs: number): number =>
  Math.floor((atMs + zoneOffsetMs(zone, atMs)) / DAY_MS)

/** 0 is Sunday. */
export const weekday = (date: number): number => (((date + 4) % 7) + 7) % 7

export const isWeekend = (date: number): boolean => weekday(date) === 0 || weekday(date) === 6

/** Month and day of holidays with a fixed date, as `MM-DD`. */
const FIXED: Readonly<Record<Country, readonly string[]>> = {
  US: ['01-01', '06-19', '07-04', '11-11', '12-25'],
  GB: ['01-01', '12-25', '12-26'],
  DE: ['01-01', '05-01', '10-03', '12-25', '12-26'],
  IN: ['01-26', '08-15', '10-02', '12-25'],
  SG: ['01-01', '05-01', '08-09', '12-25'],
  AU: ['01-01', '01-26', '04-25', '12-25', '12-26'],
}

/** `[month, weekday, which]`: the which-th such weekday of the month; −1 is the last. */
const FLOATING: Readonly<Record<Country, readonly (readonly [number, number, number])[]>> = {
  US: [
    [1, 1, 3],
    [2, 1, 3],
    [5, 1, -1],
    [9, 1, 1],
    [10, 1, 2],
    [11, 4, 4],
    [11, 5, 4],
  ],
  GB: [
    [5, 1, 1],
    [5, 1, -1],
    [8, 1, -1],
  ],
  DE: [],
  IN: [],
  SG: [],
  AU: [
    [6, 1, 2],
    [10, 1, 1],
  ],
}

export function isHoliday(country: Country, date: number): boolean {
  const day = new Date(date * DAY_MS)
  if (FIXED[country].includes(day.toISOString().slice(5, 10))) return true
  return FLOATING[country].some(([month, dayOfWeek, which]) => {
    if (day.getUTCMonth() + 1 !== month || day.getUTCDay() !== dayOfWeek) return false
    if (which > 0) return Math.ceil(day.getUTCDate() / 7) === which
    return new Date((date + 7) * DAY_MS).getUTCMonth() + 1 !== month
  })
}

export const isWorkday = (country: Country, date: number): boolean =>
  !isWeekend(date) && !isHoliday(country, date)
