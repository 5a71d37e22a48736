import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'

/**
 * Gives every JSON answer to a GET an entity tag, and answers 304 without a body to who has it already (RFC 9110,
 * section 13.1.2). Nothing is kept by caches on the way: the tag is for pages that ask every few seconds.
 */
export function installEntityTags(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (request.method !== 'GET' || reply.statusCode !== 200 || typeof payload !== 'string') return payload
    if (!request.url.startsWith('/v1/')) return payload
    const own = reply.getHeader('etag')
    const tag =
      typeof own === 'string' ? own : `W/"${createHash('sha1').update(payload).digest('base64url')}"`
    reply.header('etag', tag)
    if (!matches(request.headers['if-none-match'], tag)) return payload
    reply.code(304).removeHeader('content-type')
    return ''
  })
}

// Compared weakly, as the RFC asks for: the prefix does not count.
function matches(given: string | undefined, tag: string): boolean {
  if (given === undefined) return false
  const opaque = tag.replace(/^W\//, '')
  return given.split(',').some((each) => each.trim() === '*' || each.trim().replace(/^W\//, '') === opaque)
}
