import type { Baseline } from '../api-client.ts'

/** A baseline answer read member by member: what does not fit is left out rather than breaking the page. */
export type Picture =
  | {
      readonly kind: 'volume'
      readonly stepSeconds: number
      readonly points: readonly { readonly start: string; readonly calls: number }[]
      readonly expected: number | undefined
      readonly upper: number | undefined
    }
  | {
      readonly kind: 'off-hours'
      readonly offsetMinutes: number
      readonly cells: readonly (readonly number[])[]
      readonly flagged: readonly { readonly weekday: number; readonly half_hour: number }[]
    }
  | {
      readonly kind: 'new-value'
      readonly firstSeen: readonly { readonly actor: string; readonly at: string }[]
    }
  | { readonly kind: 'chain'; readonly steps: readonly Step[] }
  | { readonly kind: 'none' }

/** One matched call; several calls can belong to one step. */
export interface Step {
  readonly event_id: string
  readonly capability: string
  readonly step: number
}

const HALF_HOURS = 48
type Members = Readonly<Record<string, unknown>>

const numberOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined

const membersOf = (value: unknown): readonly Members[] =>
  Array.isArray(value)
    ? value.filter((item): item is Members => typeof item === 'object' && item !== null)
    : []

/** Seven rows of 48 numbers, from seven rows or from one row of 336. */
function cellsOf(value: unknown): readonly (readonly number[])[] {
  if (!Array.isArray(value)) return []
  const flat = value.flat().map((cell) => numberOf(cell) ?? 0)
  return Array.from({ length: 7 }, (_, day) => flat.slice(day * HALF_HOURS, (day + 1) * HALF_HOURS))
}

/** Steps of a baseline or of an explanation; `[]` when there are none. */
export const stepsOf = (value: unknown): readonly Step[] =>
  membersOf(value).map((step, at) => ({
    event_id: String(step.event_id),
    capability: String(step.capability),
    step: numberOf(step.step) ?? at + 1,
  }))

export function readBaseline(baseline: Baseline): Picture {
  switch (baseline.kind) {
    case 'volume':
      return {
        kind: 'volume',
        stepSeconds: numberOf(baseline.step_seconds) ?? 3600,
        points: membersOf(baseline.points).map((point) => ({
          start: String(point.start),
          calls: numberOf(point.calls) ?? 0,
        })),
        expected: numberOf(baseline.expected),
        upper: numberOf(baseline.upper),
      }
    case 'off-hours':
      return {
        kind: 'off-hours',
        offsetMinutes: numberOf(baseline.timezone_offset_minutes) ?? 0,
        cells: cellsOf(baseline.cells),
        flagged: membersOf(baseline.flagged).map((cell) => ({
          weekday: numberOf(cell.weekday) ?? -1,
          half_hour: numberOf(cell.half_hour) ?? -1,
        })),
      }
    case 'new-value':
      return {
        kind: 'new-value',
        firstSeen: membersOf(baseline.first_seen).map((entry) => ({
          actor: String(entry.actor),
          at: String(entry.at),
        })),
      }
    case 'chain':
      return {
        kind: 'chain',
        steps: stepsOf(baseline.steps),
      }
    default:
      return { kind: 'none' }
  }
}
