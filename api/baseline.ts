import type { Static } from 'typebox'
import type { AuditEvent, Timestamp } from '../core/audit-event.ts'
import type { Finding } from '../core/finding.ts'
import { fromMillis } from '../core/timestamp.ts'
import type { BaselineSchema } from './schemas/findings.ts'

/** The numbers of a finding’s picture: `createBaselineQueries` of the store. */
export interface BaselineSource {
  /** Dense calls of an actor. `from` and `to` are whole multiples of the step since 1970. */
  calls(
    of: { readonly tenant: string; readonly actor: string; readonly from: Timestamp; readonly to: Timestamp },
    stepSeconds: number,
  ): Promise<readonly { readonly start: Timestamp; readonly calls: number }[]>
  /** Distinct days with calls by weekday (0 = Monday) and half hour (0–47) of the shifted clock. */
  habits(
    of: { readonly tenant: string; readonly actor: string; readonly from: Timestamp; readonly to: Timestamp },
    offsetMinutes: number,
  ): Promise<readonly { readonly weekday: number; readonly halfHour: number; readonly days: number }[]>
  /** First use of a tool by each actor, earliest first. */
  firstUses(
    of: { readonly tenant: string; readonly server: string; readonly tool: string },
    limit: number,
  ): Promise<readonly { readonly actor: string; readonly at: Timestamp }[]>
}

interface EventLookup {
  byIds(
    tenant: string,
    ids: readonly string[],
    between: readonly [Timestamp, Timestamp],
  ): Promise<readonly AuditEvent[]>
}

export type Baseline = Static<typeof BaselineSchema>

const HISTORY_DAYS = 28
const DAY_MS = 86_400_000
const HALF_HOUR_MS = 1_800_000
const ADOPTERS = 50

/**
 * What a finding was measured against, from the store and the finding’s own explanation. A detector whose picture is
 * not drawn yet answers `{kind: 'none'}`.
 */
export async function baselineOf(
  finding: Finding,
  source: BaselineSource,
  events: EventLookup,
): Promise<Baseline> {
  switch (finding.detector) {
    case 'volume':
      return volumeBaseline(finding, source)
    case 'off-hours':
      return offHoursBaseline(finding, source, await eventsOf(finding, events))
    case 'new-value':
      return newValueBaseline(finding, source, await eventsOf(finding, events))
    case 'chain':
      return chainBaseline(finding, await eventsOf(finding, events))
    default:
      return { kind: 'none' }
  }
}

const eventsOf = (finding: Finding, events: EventLookup) =>
  events.byIds(finding.tenant, finding.event_ids, [finding.first_event_at, finding.last_event_at])

async function volumeBaseline(finding: Finding, source: BaselineSource): Promise<Baseline> {
  const startMs = Date.parse(finding.window.start)
  const endMs = Date.parse(finding.window.end)
  const stepMs = Math.max(300_000, endMs - startMs)
  const firstMs = Math.floor((startMs - 7 * DAY_MS) / stepMs) * stepMs
  const points = await source.calls(
    {
      tenant: finding.tenant,
      actor: finding.actor,
      from: fromMillis(Math.max(0, firstMs)),
      to: fromMillis(Math.ceil((endMs + DAY_MS / 4) / stepMs) * stepMs),
    },
    stepMs / 1000,
  )
  const { expected } = finding.explanation
  return {
    kind: 'volume',
    step_seconds: stepMs / 1000,
    points: points.map(({ start, calls }) => ({ start, calls })),
    expected: numberIn(expected, ['mean_when_active', 'mean', 'calls']),
    upper: numberIn(expected, ['at_most', 'upper']),
  }
}

async function offHoursBaseline(
  finding: Finding,
  source: BaselineSource,
  events: readonly AuditEvent[],
): Promise<Baseline> {
  const offset = Math.round(numberIn(finding.explanation.expected, ['timezone_offset_minutes']) ?? 0)
  const dayStartMs = Math.floor(Date.parse(finding.window.start) / DAY_MS) * DAY_MS
  const habits = await source.habits(
    {
      tenant: finding.tenant,
      actor: finding.actor,
      from: fromMillis(Math.max(0, dayStartMs - HISTORY_DAYS * DAY_MS)),
      to: fromMillis(dayStartMs),
    },
    offset,
  )
  const days = new Map(habits.map((habit) => [habit.weekday * 48 + habit.halfHour, habit.days]))
  const outside = told(finding, 'flagged').flatMap(({ weekday, half_hour }) =>
    typeof weekday === 'number' && typeof half_hour === 'number' ? [weekday * 48 + half_hour] : [],
  )
  const flagged = new Set(
    outside.length > 0 ? outside : events.map(({ occurred_at }) => cellOf(Date.parse(occurred_at), offset)),
  )
  return {
    kind: 'off-hours',
    timezone_offset_minutes: offset,
    cells: Array.from({ length: 7 }, (_, weekday) =>
      Array.from({ length: 48 }, (_, halfHour) => days.get(weekday * 48 + halfHour) ?? 0),
    ),
    flagged: [...flagged]
      .sort((a, b) => a - b)
      .map((cell) => ({ weekday: Math.floor(cell / 48), half_hour: cell % 48 })),
  }
}

/** Weekday (0 = Monday) × 48 + half hour. 1970-01-01 was a Thursday. */
function cellOf(ms: number, offsetMinutes: number): number {
  const localMs = ms + offsetMinutes * 60_000
  const weekday = (((Math.floor(localMs / DAY_MS) + 3) % 7) + 7) % 7
  return weekday * 48 + Math.floor((((localMs % DAY_MS) + DAY_MS) % DAY_MS) / HALF_HOUR_MS)
}

async function newValueBaseline(
  finding: Finding,
  source: BaselineSource,
  events: readonly AuditEvent[],
): Promise<Baseline> {
  const [event] = events
  const observed = recordOf(finding.explanation.observed)
  const server = textOf(observed['server']) ?? event?.['mcp.server.name'] ?? ''
  const tool = textOf(observed['tool']) ?? event?.['gen_ai.tool.name'] ?? ''
  const uses = await source.firstUses({ tenant: finding.tenant, server, tool }, ADOPTERS)
  return { kind: 'new-value', server, tool, first_seen: uses.map(({ actor, at }) => ({ actor, at })) }
}

function chainBaseline(finding: Finding, events: readonly AuditEvent[]): Baseline {
  const capabilities = new Map<string, string>(events.map((event) => [event.event_id, event.capability]))
  const steps = told(finding, 'steps').flatMap(({ event_id, capability, step }) =>
    typeof event_id === 'string' && typeof step === 'number'
      ? [{ event_id, capability: textOf(capability) ?? capabilities.get(event_id) ?? 'unknown', step }]
      : [],
  )
  return {
    kind: 'chain',
    steps:
      steps.length > 0
        ? steps
        : events.map(({ event_id, capability }, index) => ({ event_id, capability, step: index + 1 })),
  }
}

/** A list of records in the explanation. What a detector tells is read with care: older versions told it differently. */
function told(finding: Finding, key: string): Readonly<Record<string, unknown>>[] {
  const list = recordOf(finding.explanation)[key]
  return Array.isArray(list) ? list.map(recordOf) : []
}

const recordOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** The value itself where it is a number, else the first of the keys that holds one. */
function numberIn(value: unknown, keys: readonly string[]): number | null {
  if (typeof value === 'number') return value
  const record = recordOf(value)
  const key = keys.find((each) => typeof record[each] === 'number')
  return key === undefined ? null : (record[key] as number)
}
