/**
 * The daily rhythm of an actor: on how many days it was active in each half hour of each weekday. Half hours are kept in
 * UTC, so that a better guess of the time zone needs no rewriting; they are turned into local time when read. Counts
 * fade with a half-life of 120 days.
 */
export interface Rhythm {
  /**
   * By weekday, 48 weights of half hours in UTC; undefined for a weekday without any. A day counts 2^(n/120), n days after
   * `baseDay`: so nothing fades in place, and the profiles of many days share all weekdays but the one that a day changes.
   */
  readonly weekdays: readonly (Float32Array | undefined)[]
  readonly baseDay: number
  /** Half hours of the UTC day that were ever used. */
  readonly used: ReadonlySet<number>
  readonly activeDays: number
  readonly firstDay: number
  readonly lastDay: number
  /** From UTC, in half hours: what `offsetOf` makes of the weights. */
  readonly offset: number
}

export const HALF_HOURS = 48
export const WEEK_CELLS = 7 * HALF_HOURS
const HALF_LIFE_DAYS = 120
/** Weights stay within single precision however long an actor lives. */
const MOST_HALF_LIVES = 16

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
  const { baseDay, weekdays: before } = rebased(known, day)
  const own = Float32Array.from(before[weekday] ?? NO_WEIGHTS)
  const weight = 2 ** ((day - baseDay) / HALF_LIFE_DAYS)
  for (const halfHour of halfHours) own[halfHour] = (own[halfHour] ?? 0) + weight
  const weekdays = before.with(weekday, own)
  return {
    ...{ weekdays, baseDay },
    used: halfHours.every((halfHour) => known?.used.has(halfHour))
      ? (known?.used ?? new Set())
      : new Set([...(known?.used ?? []), ...halfHours]),
    activeDays: (known?.activeDays ?? 0) + 1,
    firstDay: known?.firstDay ?? day,
    lastDay: day,
    offset: offsetOf(weekdays),
  }
}

const NO_WEIGHTS = new Float32Array(HALF_HOURS)
const NO_WEEKDAYS: Rhythm['weekdays'] = Array.from({ length: 7 }, () => undefined)

/** The weights seen from a base that is not too far back. Whole half-lives are powers of two: nothing is rounded. */
function rebased(known: Rhythm | undefined, day: number): Pick<Rhythm, 'weekdays' | 'baseDay'> {
  if (known === undefined) return { weekdays: NO_WEEKDAYS, baseDay: day }
  const halfLives = Math.floor((day - known.baseDay) / HALF_LIFE_DAYS)
  if (halfLives < MOST_HALF_LIVES) return known
  return {
    weekdays: known.weekdays.map((weights) => weights?.map((weight) => weight * 2 ** -halfLives)),
    baseDay: known.baseDay + halfLives * HALF_LIFE_DAYS,
  }
}

/** What a weight counts as of the last day. */
export const fadeOf = ({ lastDay, baseDay }: Rhythm): number => 2 ** ((baseDay - lastDay) / HALF_LIFE_DAYS)

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
export function offsetOf(weekdays: Rhythm['weekdays']): number {
  let x = 0
  let y = 0
  for (const weights of weekdays) {
    if (weights === undefined) continue
    for (let halfHour = 0; halfHour < HALF_HOURS; halfHour += 1) {
      const weight = weights[halfHour] ?? 0
      if (weight === 0) continue
      x += weight * (COSINES[halfHour] ?? 0)
      y += weight * (SINES[halfHour] ?? 0)
    }
  }
  const middle = (Math.atan2(y, x) / (2 * Math.PI)) * HALF_HOURS
  // Whole hours: real zones mostly are, and the guess then does not flicker.
  const offset = 2 * Math.round((MIDDAY_HALF_HOUR - middle) / 2)
  const east =
    FIRST_OFFSET + HALF_HOURS + ((((offset - FIRST_OFFSET) % HALF_HOURS) + HALF_HOURS) % HALF_HOURS)
  const west = east - HALF_HOURS
  if (east > LAST_OFFSET) return west
  const [ofWest, ofEast] = [weekendActivity(weekdays, west), weekendActivity(weekdays, east)]
  if (ofWest === ofEast) return west >= LAST_POPULATED_WEST ? west : east
  return ofWest < ofEast ? west : east
}

/** Activity on Saturdays and Sundays in local time. */
function weekendActivity(weekdays: Rhythm['weekdays'], offset: number): number {
  let sum = 0
  for (let local = 5 * HALF_HOURS; local < WEEK_CELLS; local += 1) sum += weightAt(weekdays, local - offset)
  return sum
}

/** The weight of a cell of the week in UTC; cells before Monday and after Sunday are those of the other end. */
function weightAt(weekdays: Rhythm['weekdays'], cell: number): number {
  const within = (cell + WEEK_CELLS) % WEEK_CELLS
  return weekdays[Math.floor(within / HALF_HOURS)]?.[within % HALF_HOURS] ?? 0
}

/** Active throughout the day: no quiet stretch of three hours, so that no hour is off. */
export function isRoundTheClock({ weekdays }: Rhythm): boolean {
  const perHalfHour = new Float64Array(HALF_HOURS)
  for (const weights of weekdays) {
    if (weights === undefined) continue
    for (let halfHour = 0; halfHour < HALF_HOURS; halfHour += 1)
      perHalfHour[halfHour] = (perHalfHour[halfHour] ?? 0) + (weights[halfHour] ?? 0)
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

/** Counts as of the last day by cell of the week in the actor’s local time: 7 × 48, Monday first. */
export function localCells(rhythm: Rhythm): Float64Array {
  const local = new Float64Array(WEEK_CELLS)
  const fade = fadeOf(rhythm)
  for (let cell = 0; cell < WEEK_CELLS; cell += 1)
    local[cell] = fade * weightAt(rhythm.weekdays, cell - rhythm.offset)
  return local
}
