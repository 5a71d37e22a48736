import type { FastifyBaseLogger } from 'fastify'
import type { Registry } from 'prom-client'
import { Type } from 'typebox'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import { type HealthReport, stateOf, type Trouble } from '../../core/health.ts'
import { inertText } from '../../core/text.ts'
import type { ApiServer } from '../api-server.ts'
import { strict } from '../schemas/query.ts'

/** Whether the process can do its work. */
export interface Health {
  /** What each check found, every check named; the details are for people. */
  check(): Promise<HealthReport>
}

const STATUS = { ok: 'ready', degraded: 'degraded', failing: 'not ready' } as const
const StatusSchema = Type.Enum(Object.values(STATUS))
const StateSchema = Type.Enum(Object.keys(STATUS) as (keyof typeof STATUS)[])
const TroubleStateSchema = Type.Enum(['degraded', 'failing'])

const HealthSchema = Type.Object(
  {
    status: StatusSchema,
    checks: Type.Record(
      Type.String(),
      Type.Object(
        {
          state: StateSchema,
          troubles: Type.Array(
            Type.Object({ state: TroubleStateSchema, reason: Type.String(), detail: Type.String() }, strict),
          ),
        },
        strict,
      ),
    ),
  },
  strict,
)

const ReadinessSchema = Type.Object(
  {
    status: StatusSchema,
    failing: Type.Array(Type.String({ description: 'Names of checks' })),
    degraded: Type.Array(Type.String({ description: 'Names of checks' })),
    reasons: Type.Array(
      Type.Object({ check: Type.String(), state: TroubleStateSchema, reason: Type.String() }, strict),
    ),
  },
  strict,
)

export interface OperationRoutes {
  readonly health: Health
  readonly registry: Registry
}

export function addOperationRoutes(app: ApiServer, { health, registry }: OperationRoutes): void {
  app.get(
    '/healthz',
    {
      config: { capability: 'public' },
      schema: {
        summary: 'The process lives',
        response: { 200: Type.Object({ status: Type.Literal('ok') }, strict) },
      },
    },
    async () => ({ status: 'ok' as const }),
  )

  app.get(
    '/readyz',
    {
      config: { capability: 'public' },
      schema: {
        summary: 'The process can do its work, or which part of it is not done',
        response: { 200: ReadinessSchema, 503: ReadinessSchema },
      },
    },
    async (request, reply) => {
      // Names and reasons only: this call is open to everyone. /v1/health has the details.
      const report = await reportOf(health, request.log)
      const state = stateOf(Object.values(report).flat())
      reply.code(state === 'failing' ? 503 : 200)
      return {
        status: STATUS[state],
        failing: checksThatAre('failing', report),
        degraded: checksThatAre('degraded', report),
        reasons: Object.entries(report).flatMap(([check, troubles]) => reasonsOf(check, troubles)),
      }
    },
  )

  app.get(
    '/v1/health',
    {
      config: { capability: 'metrics:read' },
      schema: {
        summary: 'What the process depends on, and what is wrong with it',
        response: { 200: HealthSchema },
      },
    },
    async (request) => {
      const report = await reportOf(health, request.log)
      return {
        status: STATUS[stateOf(Object.values(report).flat())],
        checks: Object.fromEntries(
          Object.entries(report).map(([name, troubles]) => [
            name,
            {
              state: stateOf(troubles),
              troubles: troubles.map((each) => ({ ...each, detail: inertText(each.detail, MAX_DETAIL) })),
            },
          ]),
        ),
      }
    },
  )

  app.get(
    '/metrics',
    { config: { capability: 'metrics:read' }, schema: { summary: 'Prometheus metrics' } },
    async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
  )

  app.get(
    '/openapi.json',
    { config: { capability: 'events:read' }, schema: { summary: 'This description' } },
    async (_request, reply) => {
      const description = app.swagger()
      if (description === undefined) throw new GatewatchError('internal', 'There is no description.')
      return reply.type('application/json').send(JSON.stringify(description))
    },
  )
}

const MAX_DETAIL = 1000

const reportOf = (health: Health, log: FastifyBaseLogger): Promise<HealthReport> =>
  health.check().catch((error: unknown) => {
    log.warn({ err: error, detail: messageOf(error) }, 'health check failed')
    return {
      health: [
        { state: 'failing', reason: 'check_failed', detail: 'The check itself failed; the log says why.' },
      ],
    }
  })

const checksThatAre = (state: Trouble['state'], report: HealthReport): string[] =>
  Object.entries(report)
    .filter(([, troubles]) => stateOf(troubles) === state)
    .map(([name]) => name)

// Twenty topics that are missing are one reason.
const reasonsOf = (check: string, troubles: readonly Trouble[]) => [
  ...new Map(troubles.map(({ state, reason }) => [`${state} ${reason}`, { check, state, reason }])).values(),
]
