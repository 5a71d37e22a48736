import type { FastifyInstance } from 'fastify'
import { Counter, Histogram, type Registry } from 'prom-client'

export interface ApiTelemetry {
  /** @param reason from the closed lists of `authentication.ts`, never text of the caller */
  refused(reason: string): void
  /** Measures every answer of `app` and logs those that change something or fail. */
  observe(app: FastifyInstance): void
}

/** Counters and log lines of the API. Labels are route patterns and closed lists, never what a caller sent. */
export function createApiTelemetry(registry: Registry): ApiTelemetry {
  const duration = new Histogram({
    name: 'gatewatch_http_request_duration_seconds',
    help: 'Time from a request to its answer',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [registry],
  })
  const refusals = new Counter({
    name: 'gatewatch_http_refusals_total',
    help: 'Requests refused for want of a valid credential or capability',
    labelNames: ['reason'],
    registers: [registry],
  })
  return {
    refused: (reason) => refusals.inc({ reason }),
    observe: (app) => {
      app.addHook('onResponse', async (request, reply) => {
        const route = request.routeOptions.url ?? '(none)'
        const method = app.supportedMethods.includes(request.method) ? request.method : 'other'
        const status = `${Math.floor(reply.statusCode / 100)}xx`
        duration.observe({ method, route, status }, reply.elapsedTime / 1000)
        const line = {
          method,
          route,
          status: reply.statusCode,
          ms: Math.round(reply.elapsedTime),
          subject: request.caller?.subject,
        }
        // Reads are the dashboard's polling; the path is a pattern, so no ticket or filter text gets into the log.
        if (method === 'GET' && reply.statusCode < 400) request.log.debug(line, 'request')
        else request.log.info(line, 'request')
      })
    },
  }
}
