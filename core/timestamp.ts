import type { Timestamp } from './audit-event.ts'

/** Milliseconds since the epoch → `2026-08-21T14:03:11.482000Z`. */
export const fromMillis = (ms: number): Timestamp => `${new Date(ms).toISOString().slice(0, -1)}000Z`

/** `Timestamp` → milliseconds since the epoch; microseconds are kept as the fraction. */
export const toMillis = (timestamp: Timestamp): number =>
  Date.parse(`${timestamp.slice(0, 23)}Z`) + Number(timestamp.slice(23, 26)) / 1000

/** `Timestamp` → the text of a ClickHouse `DateTime64(6, 'UTC')`. */
export const toClickHouse = (timestamp: Timestamp): string => timestamp.slice(0, 26).replace('T', ' ')

/** The text of a ClickHouse `DateTime64(6)` → `Timestamp`. */
export const fromClickHouse = (value: string): Timestamp =>
  `${value.replace(' ', 'T').padEnd(26, value.includes('.') ? '0' : '')}`.replace(
    /^(.{19})(\.\d*)?.*$/,
    (_, seconds: string, fraction: string | undefined) =>
      `${seconds}.${(fraction ?? '.').slice(1).padEnd(6, '0')}Z`,
  )
