import { Type } from 'typebox'
import { type AuditEvent, AuditEventSchema, type Timestamp } from '../../core/audit-event.ts'
import type { Clock } from '../../core/clock.ts'
import { GatewatchError } from '../../core/errors.ts'
import { toMillis } from '../../core/timestamp.ts'
import type { ApiServer } from '../api-server.ts'
import { createAskingLimit } from '../asking-limit.ts'
import type { FindingSource } from '../finding-source.ts'
import { callerOf } from '../plugins/authentication.ts'
import {
  ChainQuerySchema,
  ChainSchema,
  EventPageSchema,
  EventSearchSchema,
  FacetQuerySchema,
  FacetSchema,
  type FilterQuery,
  VolumeQuerySchema,
  VolumeSchema,
} from '../schemas/events.ts'
import { given, strict } from '../schemas/query.ts'
import { openRangeOf, rangeOf } from '../time-range.ts'
import { withoutFingerprints } from '../without-fingerprints.ts'

/** Which events are meant. `from` is inclusive, `to` exclusive. */
export interface EventSelection {
  readonly tenant: string
  readonly actor?: string
  readonly server?: string
  readonly tool?: string
  readonly outcome?: string
  readonly capability?: string
  readonly chain?: string
  readonly q?: string
}

interface Range {
  readonly from: Timestamp
  readonly to: Timestamp
}

/** Where events come from: `createEventQueries` of the store. */
export interface EventSource {
  search(
    selection: EventSelection & Range,
    page: { readonly limit: number; readonly cursor?: string },
  ): Promise<{ readonly events: readonly AuditEvent[]; readonly nextCursor?: string }>
  byId(tenant: string, eventId: string): Promise<AuditEvent | undefined>
  byIds(
    tenant: string,
    ids: readonly string[],
    between: readonly [Timestamp, Timestamp],
  ): Promise<readonly AuditEvent[]>
  chain(
    selection: EventSelection & Partial<Range> & { readonly chain: string },
    page: { readonly limit: number; readonly cursor?: string },
  ): Promise<{ readonly events: readonly AuditEvent[]; readonly nextCursor?: string }>
}

export type FacetName = 'actor' | 'mcp.server.name' | 'gen_ai.tool.name' | 'outcome' | 'capability'

/** Where counts of events come from: `createOverviewQueries` of the store. */
export interface EventCounts {
  volume(
    selection: EventSelection & Range,
    stepSeconds: number,
  ): Promise<
    readonly {
      readonly start: Timestamp
      readonly calls: number
      readonly failures: number
      readonly denials: number
    }[]
  >
  facet(
    selection: EventSelection & Range,
    field: FacetName,
    limit: number,
  ): Promise<readonly { readonly value: string; readonly count: number }[]>
}

export interface EventRoutes {
  readonly events: EventSource
  readonly counts: EventCounts
  readonly findings: Pick<FindingSource, 'list'>
  readonly clock: Clock
}

const FACET_VALUES = 20
const CHAIN_FINDINGS = 1000
const MAX_BUCKETS = 2000
// An analyst opens a few a minute; a guesser needs one for each guess.
const FINGERPRINTED_PER_MINUTE = 30
const STEPS = [60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 86_400]

export function addEventRoutes(app: ApiServer, { events, counts, findings, clock }: EventRoutes): void {
  const config = { capability: 'events:read' } as const
  const compared = createAskingLimit(FINGERPRINTED_PER_MINUTE, clock)

  app.get(
    '/v1/events',
    {
      config,
      schema: {
        summary: 'Search events, newest first',
        querystring: EventSearchSchema,
        response: { 200: EventPageSchema },
      },
    },
    async (request) => {
      const { query } = request
      const page = await events.search(
        { ...selectionOf(callerOf(request).tenant, query), ...rangeOf(query, clock.now()) },
        { limit: query.limit, ...given('cursor', query.cursor) },
      )
      return {
        events: [...page.events],
        ...(page.nextCursor === undefined ? {} : { next_cursor: page.nextCursor }),
      }
    },
  )

  app.get(
    '/v1/events/:event_id',
    {
      config,
      schema: {
        summary: 'One event',
        description:
          'Alone here an event has fingerprints of its arguments and result, and only so many a minute for each caller: ' +
          'beyond, it comes without them.',
        params: Type.Object({ event_id: Type.String() }, strict),
        response: { 200: AuditEventSchema },
      },
    },
    async (request) => {
      const { tenant, subject } = callerOf(request)
      const event = await events.byId(tenant, request.params.event_id)
      if (event === undefined) throw new GatewatchError('not_found', 'There is no such event.')
      return compared.ask(`${tenant}\0${subject}`) === undefined ? event : withoutFingerprints(event)
    },
  )

  app.get(
    '/v1/chains',
    {
      config,
      schema: {
        summary: 'The calls of one chain in order of time',
        querystring: ChainQuerySchema,
        response: { 200: ChainSchema },
      },
    },
    async (request) => {
      const { query } = request
      const { tenant } = callerOf(request)
      const page = await events.chain(
        { tenant, chain: query.key, ...openRangeOf(query, clock.now()) },
        { limit: query.limit, ...given('cursor', query.cursor) },
      )
      if (page.events.length === 0) throw new GatewatchError('not_found', 'There is no such chain.')
      return {
        chain: query.key,
        events: [...page.events],
        findings: [...(await findings.list({ tenant, chain: query.key, status: 'current' }, CHAIN_FINDINGS))],
        truncated: page.nextCursor !== undefined,
        ...(page.nextCursor === undefined ? {} : { next_cursor: page.nextCursor }),
      }
    },
  )

  app.get(
    '/v1/volume',
    {
      config: { ...config, shared: true },
      schema: { summary: 'Calls over time', querystring: VolumeQuerySchema, response: { 200: VolumeSchema } },
    },
    async (request) => {
      const { query } = request
      const range = rangeOf(query, clock.now())
      const step = stepOf(range, query.step_seconds)
      const buckets = await counts.volume({ ...selectionOf(callerOf(request).tenant, query), ...range }, step)
      return { step_seconds: step, buckets: [...buckets] }
    },
  )

  app.get(
    '/v1/facets',
    {
      config: { ...config, shared: true },
      schema: {
        summary: 'Most frequent values of a field',
        querystring: FacetQuerySchema,
        response: { 200: FacetSchema },
      },
    },
    async (request) => {
      const { query } = request
      const values = await counts.facet(
        { ...selectionOf(callerOf(request).tenant, query), ...rangeOf(query, clock.now()) },
        query.field,
        FACET_VALUES,
      )
      return { field: query.field, values: [...values] }
    },
  )
}

/** The events of a tenant that a query means. */
export const selectionOf = (tenant: string, query: FilterQuery): EventSelection => ({
  tenant,
  ...given('q', query.q),
  ...given('actor', query.actor),
  ...given('server', query.server),
  ...given('tool', query.tool),
  ...given('outcome', query.outcome),
  ...given('capability', query.capability),
  ...given('chain', query.chain),
})

function stepOf({ from, to }: Range, wanted: number | undefined): number {
  const seconds = (toMillis(to) - toMillis(from)) / 1000
  const step =
    wanted ?? STEPS.find((each) => seconds / each <= 300) ?? Math.ceil(seconds / 300 / 86_400) * 86_400
  if (seconds / step > MAX_BUCKETS) {
    throw new GatewatchError(
      'request_invalid',
      `The range has more than ${MAX_BUCKETS} buckets of this width.`,
      {
        field: 'step_seconds',
        remedy: 'Ask for a wider step or a shorter range.',
      },
    )
  }
  return step
}
