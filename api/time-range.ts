import type { Timestamp } from '../core/audit-event.ts'
import { GatewatchError } from '../core/errors.ts'
import { parseTimeSpan } from '../core/filter/time-value.ts'
import { fromMillis } from '../core/timestamp.ts'

/** `from` inclusive, `to` exclusive. */
export interface TimeRange {
  readonly from: Timestamp
  readonly to: Timestamp
}

const DEFAULT_RANGE = '-24h'
const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const
const RELATIVE = /^(?:now)?-(\d{1,6})([smhdw])$/
/**
 * The time a text means: `now`, `-24h`, `now-7d` (units s, m, h, d, w), or ISO 8601; UTC where no offset is given.
 * Microseconds are kept.
 * @returns `undefined` when it means none, or one before 1970 or after 2261
 */
export function parseTime(text: string, nowMs: number): Timestamp | undefined {
  if (text === 'now') return fromMillis(nowMs)
  const relative = RELATIVE.exec(text)
  if (relative !== null) {
    const ms = nowMs - Number(relative[1]) * UNIT_MS[relative[2] as keyof typeof UNIT_MS]
    return ms >= 0 ? fromMillis(ms) : undefined
  }
  return parseTimeSpan(text)?.start
}

/**
 * The range of a query; the last 24 hours where none is given.
 * @throws GatewatchError `request_invalid` with the field
 */
export function rangeOf(
  query: { readonly from?: string | undefined; readonly to?: string | undefined },
  nowMs: number,
): TimeRange {
  const from = timeOf('from', query.from ?? DEFAULT_RANGE, nowMs)
  const to = timeOf('to', query.to ?? 'now', nowMs)
  if (from >= to) {
    throw new GatewatchError('request_invalid', '`from` must be before `to`.', { field: 'from' })
  }
  return { from, to }
}

/** The range of a query that is about everything unless it says otherwise. */
export function openRangeOf(
  query: { readonly from?: string | undefined; readonly to?: string | undefined },
  nowMs: number,
): { from?: Timestamp; to?: Timestamp } {
  return {
    ...(query.from === undefined ? {} : { from: timeOf('from', query.from, nowMs) }),
    ...(query.to === undefined ? {} : { to: timeOf('to', query.to, nowMs) }),
  }
}

function timeOf(field: string, text: string, nowMs: number): Timestamp {
  const time = parseTime(text, nowMs)
  if (time !== undefined) return time
  throw new GatewatchError('request_invalid', `\`${field}\` is not a time.`, {
    field,
    remedy: 'Give ISO 8601 (2026-08-21T14:00:00Z) or a time before now (-24h, -7d, now); from 1970 to 2261.',
  })
}
