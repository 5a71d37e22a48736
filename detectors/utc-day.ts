/** Days are counted from 1970-01-01 in UTC. Half hours and hours of a day are numbered from 0. */
export const DAY_MS = 86_400_000
export const HOUR_MS = 3_600_000
export const HALF_HOUR_MS = 1_800_000

export const dayOf = (ms: number): number => Math.floor(ms / DAY_MS)

export const startOfDay = (day: number): number => day * DAY_MS

/** `2026-08-21`. */
export const isoDay = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10)

/** 0 = Monday … 6 = Sunday. */
export const weekdayOf = (day: number): number => (((day + 3) % 7) + 7) % 7

/** `14:05`. */
export const clockTime = (ms: number): string => new Date(ms).toISOString().slice(11, 16)

/** The text of a ClickHouse `DateTime64(6)` parameter. */
export const clickHouseTime = (ms: number): string =>
  new Date(ms).toISOString().slice(0, 23).replace('T', ' ')
