import type { FastifyBaseLogger } from 'fastify'
import type { Registry } from 'prom-client'
import { Type } from 'typebox'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import { inertText } from '../../core/text.ts'
import type { ApiServer } from '../api-server.ts'
import { strict } from '../schemas/query.ts'

/** Whether the process can do its work. */
export interface Health {
  /** One entry for each thing that the process depends on; `detail` is for people and holds no secrets. */
  check(): Promise<Readonly<Record<string, { readonly ok: boolean; readonly detail?: string }>>>
}

const ChecksSchema = Type.Object(
  {
    status: Type.Enum(['ready', 'not ready']),
    checks: Type.Record(
      Type.String(),
      Type.Object({ ok: Type.Boolean(), detail: Type.Optional(Type.String()) }, strict),
    ),
  },
  strict,
)

const ReadinessSchema = Type.Object({ status: Type.String(), failing: Type.Array(Type.String()) }, strict)

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
        summary: 'The process can do its work',
        response: { 200: ReadinessSchema, 503: ReadinessSchema },
      },
    },
    async (request, reply) => {
      // Names only: this call is open to everyone. /v1/health has the details.
      const failing = failingOf(await checksOf(health, request.log))
      reply.code(failing.length === 0 ? 200 : 503)
      return { status: failing.length === 0 ? 'ready' : 'not ready', failing }
    },
  )

  app.get(
    '/v1/health',
    {
      config: { capability: 'metrics:read' },
      schema: {
        summary: 'What the process depends on, and what is wrong with it',
        response: { 200: ChecksSchema },
      },
    },
    async (request) => {
      const checks = await checksOf(health, request.log)
      return {
        status: failingOf(checks).length === 0 ? ('ready' as const) : ('not ready' as const),
        checks: Object.fromEntries(
          Object.entries(checks).map(([name, { ok, detail }]) => [
            name,
            { ok, ...(detail === undefined ? {} : { detail: inertText(detail, MAX_DETAIL) }) },
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

type Checks = Awaited<ReturnType<Health['check']>>

const MAX_DETAIL = 1000

const checksOf = (health: Health, log: FastifyBaseLogger): Promise<Checks> =>
  health.check().catch((error: unknown) => {
    log.warn({ err: error, detail: messageOf(error) }, 'health check failed')
    return { health: { ok: false } }
  })

const failingOf = (checks: Checks): string[] =>
  Object.entries(checks)
    .filter(([, { ok }]) => !ok)
    .map(([name]) => name)
