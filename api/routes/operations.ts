import type { Registry } from 'prom-client'
import { Type } from 'typebox'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import type { ApiServer } from '../api-server.ts'
import { strict } from '../schemas/query.ts'

/** Whether the process can do its work. */
export interface Health {
  /** One entry for each thing that the process depends on; `detail` is for people and holds no secrets. */
  check(): Promise<Readonly<Record<string, { readonly ok: boolean; readonly detail?: string }>>>
}

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
      const checks = await health.check().catch((error: unknown) => {
        request.log.warn({ err: error, detail: messageOf(error) }, 'health check failed')
        return { health: { ok: false } }
      })
      // Names only: this call is open to everyone. The details are in the log and in the metrics.
      const failing = Object.entries(checks)
        .filter(([, { ok }]) => !ok)
        .map(([name]) => name)
      reply.code(failing.length === 0 ? 200 : 503)
      return { status: failing.length === 0 ? 'ready' : 'not ready', failing }
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
