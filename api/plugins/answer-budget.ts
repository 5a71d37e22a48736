import type { FastifyInstance } from 'fastify'
import { GatewatchError } from '../../core/errors.ts'
import { createShares } from '../../core/shares.ts'
import { callerOf } from './authentication.ts'

// Sixteen of the largest pages for one caller, who reads or ends a connection before there are more.
const LIMIT_BYTES = 256 * 1024 ** 2
const SMALL_BYTES = 64 * 1024
const RETRY_AFTER_SECONDS = 2

/**
 * Bounds the bytes of answers that wait in the memory for somebody to read them: one caller has half, and is answered 503
 * beyond. Small answers do not count.
 */
export function installAnswerBudget(app: FastifyInstance): void {
  const unread = createShares({ limit: LIMIT_BYTES })
  app.addHook('onSend', async (request, reply, payload) => {
    if (typeof payload !== 'string' || payload.length < SMALL_BYTES) return payload
    if (request.routeOptions.config.capability === 'public') return payload
    // Nobody waits for it any more, and no `close` will come that gives back what it takes.
    if (reply.raw.closed || reply.raw.destroyed) return payload
    const { tenant, subject } = callerOf(request)
    const owner = `${tenant}\0${subject}`
    // As bytes it is in the memory once; a text would be there beside the bytes that wait for the socket.
    const bytes = Buffer.from(payload)
    if (!unread.take(owner, bytes.byteLength)) {
      throw new GatewatchError('overloaded', 'Too many bytes of answers were asked for and not read.', {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
        remedy: 'Read the answers that were asked for, or end their connections; then ask again.',
      })
    }
    reply.raw.once('close', () => unread.give(owner, bytes.byteLength))
    return bytes
  })
}
