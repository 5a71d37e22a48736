import type { FastifyInstance } from 'fastify'
import type { Askers } from '../../core/asker.ts'
import type { SharedAnswers } from '../shared-answers.ts'
import { callerOf } from './authentication.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The answer depends on the tenant and the address of the request only, and may be a moment old. */
    shared?: boolean
  }
}

/**
 * Gives browsers of one tenant that ask the same at the same time one answer. Whoever changes something sees it: a
 * request that is not a GET drops what is known of its tenant.
 */
export function installSharedAnswers(app: FastifyInstance, answers: SharedAnswers, askers?: Askers): void {
  app.addHook('onRoute', (route) => {
    // Not the HEAD route that follows each GET: it has the handler of that GET, which is wrapped already.
    if (route.config?.shared !== true || route.method !== 'GET') return
    const { handler } = route
    route.handler = function shared(request, reply) {
      const { tenant, by } = callerOf(request)
      // A program that has just written asks once, and is told what is.
      if (by !== 'session') return handler.call(this, request, reply)
      const asker = askers?.current()
      return answers.of(
        tenant,
        `${tenant}\0${request.url}`,
        async (signal) =>
          askers === undefined || asker === undefined
            ? handler.call(this, request, reply)
            : askers.run({ ...asker, signal }, () => handler.call(this, request, reply)),
        asker?.signal,
      )
    }
  })
  app.addHook('preSerialization', async (request, reply, payload) => {
    // Events that come in are no reason: they do so all the time, and nobody waits for his own.
    const changes = request.method !== 'GET' && request.routeOptions.config.capability !== 'events:write'
    if (changes && reply.statusCode < 400 && request.caller !== null) answers.forget(request.caller.tenant)
    return payload
  })
}
