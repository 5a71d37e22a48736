import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Asker, Askers } from '../../core/asker.ts'

/** Tells the store for whom it is asked, and when nobody waits for the answer any more. */
export function installAskers(app: FastifyInstance, askers: Askers): void {
  app.addHook('onRoute', (route) => {
    const { handler } = route
    route.handler = function asked(request, reply) {
      const asker = askerOf(request, reply)
      if (asker === undefined) return handler.call(this, request, reply)
      return askers.run(asker, () => handler.call(this, request, reply))
    }
  })
}

function askerOf({ caller, method }: FastifyRequest, { raw }: FastifyReply): Asker | undefined {
  if (caller === null) return undefined
  const name = `${caller.tenant}\0${caller.subject}`
  // A change that has begun is finished, whoever waits for it.
  if (method !== 'GET') return { name }
  const controller = new AbortController()
  // Of the answer, not of the request: that one closes as soon as its body is read. Comes too when the answer is out.
  raw.once('close', () => controller.abort())
  return { name, signal: controller.signal }
}
