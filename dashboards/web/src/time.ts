/** Times as analysts read them: in the viewer's zone, said which, with the exact ISO text at hand. */

const UNITS_S: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/** `now`, `-24h` or an ISO time → milliseconds since the epoch; `undefined` when it is none of these. */
export function resolveTime(text: string, nowMs: number): number | undefined {
  const trimmed = text.trim()
  if (trimmed === '' || trimmed === 'now') return nowMs
  const relative = /^-(\d{1,6})([smhdw])$/.exec(trimmed)
  if (relative) return nowMs - Number(relative[1]) * (UNITS_S[relative[2] ?? 's'] ?? 1) * 1000
  const parsed = /^\d{4}-\d\d-\d\dT/.test(trimmed) ? Date.parse(trimmed) : Number.NaN
  return Number.isNaN(parsed) ? undefined : parsed
}

/** Whether a range moves with the clock. */
export const isRelative = (from: string, to: string): boolean => from.startsWith('-') && to === 'now'

/** Steps that people think in, in seconds; the store keeps five-minute buckets. */
const STEPS_S = [300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800]

/** The finest such step that gives at most `maxBuckets` buckets. */
export function chooseStepSeconds(rangeMs: number, maxBuckets = 120): number {
  return STEPS_S.find((step) => rangeMs / 1000 / step <= maxBuckets) ?? 604_800
}

/** `PT24H` in words: `24 h`, `7 d`, `1 h 30 min`. */
export function formatDuration(ms: number): string {
  const absolute = Math.abs(ms)
  if (absolute < 1000) return `${Math.round(absolute)} ms`
  if (absolute < 60_000) return `${Number((absolute / 1000).toFixed(absolute < 10_000 ? 1 : 0))} s`
  const minutes = Math.round(absolute / 60_000)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  const days = Math.floor(hours / 24)
  return hours % 24 === 0 || days > 6 ? `${days} d` : `${days} d ${hours % 24} h`
}

/** Time since the start of something, by the clock: `0:07.2`, `12:05`, `3:12:05`. */
export function formatElapsed(ms: number): string {
  const seconds = ms / 1000
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0')
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor(seconds / 60) % 60
  if (hours > 0) return `${hours}:${two(minutes)}:${two(seconds % 60)}`
  const tenths = seconds < 60 ? `.${Math.floor((seconds * 10) % 10)}` : ''
  return `${minutes}:${two(seconds % 60)}${tenths}`
}

/** How long ago, in one unit. */
export function formatAgo(thenMs: number, nowMs: number): string {
  const ms = nowMs - thenMs
  if (ms < -60_000) return `in ${formatDuration(ms)}`
  if (ms < 10_000) return 'just now'
  if (ms < 60_000) return `${Math.round(ms / 1000)} s ago`
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min ago`
  if (ms < 48 * 3_600_000) return `${Math.round(ms / 3_600_000)} h ago`
  return `${Math.round(ms / 86_400_000)} d ago`
}

const dayAndTime = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
})
const withSeconds = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
})
const clockOnly = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
})
const dayOnly = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short' })

const guarded =
  (format: Intl.DateTimeFormat) =>
  (ms: number): string =>
    Number.isFinite(ms) ? format.format(ms) : '–'

export const formatDayTime = guarded(dayAndTime)
export const formatDayTimeSeconds = guarded(withSeconds)
export const formatClock = guarded(clockOnly)
export const formatDay = guarded(dayOnly)

/** Start and end, the day said once where both are on the same. */
export function formatWindow(startMs: number, endMs: number): string {
  const sameDay = formatDay(startMs) === formatDay(endMs)
  return sameDay
    ? `${formatDay(startMs)}, ${formatClock(startMs)}–${formatClock(endMs)}`
    : `${formatDayTime(startMs)} – ${formatDayTime(endMs)}`
}

/** `UTC+02:00` for an offset in minutes east of Greenwich. */
export function formatOffset(minutes: number): string {
  const absolute = Math.abs(minutes)
  const clock = `${String(Math.floor(absolute / 60)).padStart(2, '0')}:${String(absolute % 60).padStart(2, '0')}`
  return minutes === 0 ? 'UTC' : `UTC${minutes < 0 ? '−' : '+'}${clock}`
}

/** The viewer's zone in words: `Europe/Berlin, UTC+02:00`. */
export function viewerZone(atMs: number): string {
  const name = new Intl.DateTimeFormat().resolvedOptions().timeZone
  const offset = formatOffset(-new Date(atMs).getTimezoneOffset())
  return name === 'UTC' || name === undefined ? offset : `${name}, ${offset}`
}
