/**
 * The daily rhythm of an actor: on how many days it was active in each half hour of each weekday. Cells are kept in
 * UTC (7 × 48, Monday first), so that a better guess of the time zone needs no rewriting; they are turned into
 * local time when read. Counts fade with a half-life of 120 days.
 */
export interface Rhythm {
  /** 7 × 48 faded counts of days, in UTC; single precision, because many days’ profiles are kept. */
  readonly cells: Float32Array
  /** Half hours of the UTC day that were ever used. */
  readonly used: ReadonlySet<number>
  readonly activeDays: number
  readonly firstDay: number
  readonly lastDay: number
  /** From UTC, in half hours: what `offsetOf` makes of the cells. */
  readonly offset: number
}

export const HALF_HOURS = 48
const FADE_PER_DAY = 2 ** (-1 / 120)

/** Where the middle of an actor’s activity is taken to lie. */
const MIDDAY_HALF_HOUR = 26 // 13:00

const ANGLES = Array.from({ length: HALF_HOURS }, (_, index) => (2 * Math.PI * (index + 0.5)) / HALF_HOURS)
const COSINES = ANGLES.map(Math.cos)
const SINES = ANGLES.map(Math.sin)

/** The rhythm after a day with these half hours (0 … 47, UTC). */
export function learnDay(
  known: Rhythm | undefined,
  day: number,
  weekday: number,
  halfHours: readonly number[],
): Rhythm {
  const cells = new Float32Array(7 * HALF_HOURS)
  if (known !== undefined) {
    const factor = FADE_PER_DAY ** (day - known.lastDay)
    for (let cell = 0; cell < cells.length; cell += 1) cells[cell] = (known.cells[cell] ?? 0) * factor
  }
  for (const halfHour of halfHours)
    cells[weekday * HALF_HOURS + halfHour] = (cells[weekday * HALF_HOURS + halfHour] ?? 0) + 1
  return {
    cells,
    used: halfHours.every((halfHour) => known?.used.has(halfHour))
      ? (known?.used ?? new Set())
      : new Set([...(known?.used ?? []), ...halfHours]),
    activeDays: (known?.activeDays ?? 0) + 1,
    firstDay: known?.firstDay ?? day,
    lastDay: day,
    offset: offsetOf(cells),
  }
}

/** Offsets of real time zones, in half hours: UTC−12 to UTC+14. */
const FIRST_OFFSET = -24
const LAST_OFFSET = 28
/** UTC−10: west of it hardly anybody lives, so the zone on the other side of the date line is more likely. */
const LAST_POPULATED_WEST = -20

/**
 * The offset from UTC, in half hours (−24 … 28), that puts the middle of the actor’s activity at 13:00. Within an hour
 * or so of the true zone for people who work by day. Around the date line two zones have the same clock and different
 * dates (UTC−11 and UTC+13): the one in which the weekend is quieter is taken.
 */
export function offsetOf(cells: Float32Array): number {
  let x = 0
  let y = 0
  for (let cell = 0; cell < cells.length; cell += 1) {
    const count = cells[cell] ?? 0
    if (count === 0) continue
    x += count * (COSINES[cell % HALF_HOURS] ?? 0)
    y += count * (SINES[cell % HALF_HOURS] ?? 0)
  }
  const middle = (Math.atan2(y, x) / (2 * Math.PI)) * HALF_HOURS
  // Whole hours: real zones mostly are, and the guess then does not flicker.
  const offset = 2 * Math.round((MIDDAY_HALF_HOUR - middle) / 2)
  const east =
    FIRST_OFFSET + HALF_HOURS + ((((offset - FIRST_OFFSET) % HALF_HOURS) + HALF_HOURS) % HALF_HOURS)
  const west = east - HALF_HOURS
  if (east > LAST_OFFSET) return west
  const [ofWest, ofEast] = [weekendActivity(cells, west), weekendActivity(cells, east)]
  if (ofWest === ofEast) return west >= LAST_POPULATED_WEST ? west : east
  return ofWest < ofEast ? west : east
}

/** Activity on Saturdays and Sundays in local time. */
function weekendActivity(cells: Float32Array, offset: number): number {
  let sum = 0
  for (let local = 5 * HALF_HOURS; local < cells.length; local += 1)
    sum += cells[(local - offset + cells.length) % cells.length] ?? 0
  return sum
}

/** Active throughout the day: no quiet stretch of three hours, so that no hour is off. */
export function isRoundTheClock({ cells }: Rhythm): boolean {
  const perHalfHour = new Float64Array(HALF_HOURS)
  for (let cell = 0; cell < cells.length; cell += 1) {
    perHalfHour[cell % HALF_HOURS] = (perHalfHour[cell % HALF_HOURS] ?? 0) + (cells[cell] ?? 0)
  }
  const quiet = 0.05 * Math.max(...perHalfHour)
  let longest = 0
  let stretch = 0
  for (let index = 0; index < 2 * HALF_HOURS; index += 1) {
    stretch = (perHalfHour[index % HALF_HOURS] ?? 0) <= quiet ? stretch + 1 : 0
    longest = Math.max(longest, stretch)
  }
  return longest < 6
}

/** Half hours between `halfHour` and the nearest one ever used, around the clock; 24 when there is none. */
export function distanceToUsed(used: ReadonlySet<number>, halfHour: number): number {
  for (let distance = 0; distance < HALF_HOURS / 2; distance += 1) {
    if (used.has((halfHour + distance) % HALF_HOURS)) return distance
    if (used.has((halfHour - distance + HALF_HOURS) % HALF_HOURS)) return distance
  }
  return HALF_HOURS / 2
}

/** Cells in the actor’s local time: 7 × 48, Monday first. */
export function localCells(cells: Float32Array, offset: number): Float64Array {
  const local = new Float64Array(cells.length)
  for (let cell = 0; cell < cells.length; cell += 1) {
    local[(cell + offset + cells.length) % cells.length] = cells[cell] ?? 0
  }
  return local
}
