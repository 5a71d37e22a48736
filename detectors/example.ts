import {
  ARGUMENT_FLAGS,
  type AuditEvent,
  CAPABILITIES,
  type Capability,
  OUTCOMES,
  type Outcome,
  SENSITIVITIES,
} from '../core/audit-event.ts'
import { stableId } from '../core/hash.ts'
import { fromMillis } from '../core/timestamp.ts'
import type { Fields } from './fields.ts'
import { DAY_MS, weekdayOf } from './utc-day.ts'

/**
 * A rule’s example: calls in a short notation, and whether the rule must fire on them. Times are relative to a fixed
 * Monday, so that an example means the same on every day it is tested.
 */
export interface Example {
  readonly name: string
  readonly expected: 'firing' | 'quiet'
  readonly calls: readonly CallPattern[]
}

/** On each of these days, at each of these times, so many calls by each of these actors. */
interface CallPattern {
  readonly actors: readonly string[]
  readonly fromDay: number
  readonly throughDay: number
  readonly weekdaysOnly: boolean
  readonly at: readonly number[]
  readonly count: number
  readonly everyMs: number
  readonly server: string
  readonly tool: string
  readonly capability: Capability
  readonly outcome: Outcome
  readonly sensitivity: (typeof SENSITIVITIES)[number]
  readonly destination?: string
  readonly session?: string
  readonly more: Partial<AuditEvent>
}

/** Fields of a pattern that stand for one field of each of its events. */
const MORE = {
  address: 'client.address',
  client: 'mcp.client.name',
  credential: 'credential.id',
  definition: 'tool.definition.hash',
  resource: 'mcp.resource.uri',
} as const satisfies Readonly<Record<string, keyof AuditEvent>>

/** Day 0 of examples: Monday 2026-06-01. */
export const EXAMPLE_DAY_0 = Date.UTC(2026, 5, 1) / DAY_MS

/** Most events that one example may expand to. */
const MAX_EVENTS = 200_000

/** What is wrong with them is among the faults of the reading. */
export function readExamples(fields: Fields): readonly Example[] {
  const examples = (['firing', 'quiet'] as const).flatMap((expected) =>
    fields.list(expected, { min: 1, max: 20 }).map((example): Example => {
      const name = example.text('name')
      const calls = example.list('calls', { min: 1, max: 200 }).map(readPattern)
      example.done()
      return { name, expected, calls }
    }),
  )
  fields.done()
  return examples
}

function readPattern(fields: Fields): CallPattern {
  const [server, tool] = splitTool(fields)
  const days = daysOf(fields)
  const destination = fields.has('destination') ? fields.text('destination') : undefined
  const session = fields.has('session') ? fields.text('session') : undefined
  const pattern: CallPattern = {
    actors: fields.texts('actor'),
    ...days,
    weekdaysOnly: fields.oneOf('on', ['weekdays', 'all days'], 'weekdays') === 'weekdays',
    at: fields.texts('at').map((text) => minutesOf(fields, text)),
    count: fields.number('count', { min: 1, max: 10_000 }, 1),
    everyMs: fields.durationMs('every', { min: '1s', max: '1h' }, '10s'),
    server,
    tool,
    capability: fields.oneOf('capability', CAPABILITIES, 'read'),
    outcome: fields.oneOf('outcome', OUTCOMES, 'success'),
    sensitivity: fields.oneOf('sensitivity', SENSITIVITIES, 'none'),
    ...(destination === undefined ? {} : { destination }),
    ...(session === undefined ? {} : { session }),
    more: {
      ...Object.fromEntries(
        Object.entries(MORE).flatMap(([name, field]) =>
          fields.has(name) ? [[field, fields.text(name)]] : [],
        ),
      ),
      // `NAME:HASH`, as fingerprints are.
      ...(fields.has('argument') ? { argument_fingerprints: [...fields.texts('argument')] } : {}),
      ...(fields.has('flag') ? { argument_flags: [...fields.manyOf('flag', ARGUMENT_FLAGS)] } : {}),
    },
  }
  fields.done()
  const size =
    pattern.actors.length * (days.throughDay - days.fromDay + 1) * pattern.at.length * pattern.count
  if (size > MAX_EVENTS) fields.report('count', `makes ${size} calls`, `Keep it below ${MAX_EVENTS}.`)
  return pattern
}

function splitTool(fields: Fields): [string, string] {
  const text = fields.text('tool')
  const slash = text.indexOf('/')
  // A text that is missing has been told of.
  if (slash < 1 && text !== '') fields.report('tool', `is “${text}”`, 'Write it as server/tool.')
  return [text.slice(0, slash), text.slice(slash + 1)]
}

function daysOf(fields: Fields): { fromDay: number; throughDay: number } {
  const text = fields.text('days')
  const match = /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(text)
  const fromDay = Number(match?.[1])
  const throughDay = Number(match?.[2] ?? match?.[1])
  if (match === null || throughDay < fromDay) {
    if (text !== '')
      fields.report('days', `is “${text}”`, 'Write days as 0-20, or "21" for one day; day 0 is a Monday.')
    return { fromDay: 0, throughDay: 0 }
  }
  return { fromDay, throughDay }
}

function minutesOf(fields: Fields, text: string): number {
  const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text)
  if (match === null) {
    fields.report('at', `has “${text}”`, 'Write times as "09:30", in quotes, UTC.')
    return 0
  }
  return Number(match[1]) * 60 + Number(match[2])
}

/** The events of an example, under a tenant, in order of time. */
export function eventsOf(example: Example, tenant: string): AuditEvent[] {
  const events: AuditEvent[] = []
  for (const pattern of example.calls) {
    for (let day = pattern.fromDay; day <= pattern.throughDay; day += 1) {
      if (
        pattern.weekdaysOnly &&
        pattern.fromDay !== pattern.throughDay &&
        weekdayOf(EXAMPLE_DAY_0 + day) > 4
      )
        continue
      for (const actor of pattern.actors) {
        for (const minute of pattern.at) {
          const startMs = (EXAMPLE_DAY_0 + day) * DAY_MS + minute * 60_000
          for (let index = 0; index < pattern.count; index += 1) {
            events.push(eventOf(pattern, tenant, actor, startMs + index * pattern.everyMs, events.length))
          }
        }
      }
    }
  }
  return events.sort((a, b) => (a.occurred_at < b.occurred_at ? -1 : a.occurred_at > b.occurred_at ? 1 : 0))
}

function eventOf(
  pattern: CallPattern,
  tenant: string,
  actor: string,
  atMs: number,
  sequence: number,
): AuditEvent {
  return {
    event_id: stableId(tenant, actor, atMs, sequence),
    occurred_at: fromMillis(atMs),
    timestamp_source: 'event',
    source_format: 'example',
    tenant,
    topic: 'example',
    partition: 0,
    offset: sequence,
    record_index: 0,
    actor,
    'mcp.server.name': pattern.server,
    'mcp.method.name': 'tools/call',
    'gen_ai.tool.name': pattern.tool,
    outcome: pattern.outcome,
    chain: pattern.session === undefined ? `actor:${actor}` : `session:${pattern.session}`,
    capability: pattern.capability,
    sensitivity: pattern.sensitivity,
    ...(pattern.destination === undefined ? {} : { destination: pattern.destination }),
    ...pattern.more,
  }
}
