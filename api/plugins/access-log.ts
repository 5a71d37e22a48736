import type { FastifyInstance, FastifyRequest } from 'fastify'
import { GatewatchError } from '../../core/errors.ts'
import type { AccessAction, AccessEntry, AccessLog } from '../access-log.ts'
import type { Principal } from '../credentials/principal.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a call of this route is in the access log; otherwise a GET is a `read` and all else a `change`. */
    access?: AccessAction
  }
  interface FastifyRequest {
    /** Why `installAuthentication` refused the request, from its closed list. */
    refusal: string | null
    /** Whom `/login` signed in. */
    signedIn: Principal | null
  }
}

// Machines at work: that they send and measure is no access to what is stored. Their refusals are noted all the same.
const NOT_NOTED = new Set(['events:write', 'metrics:read', 'public'])
// They may be credentials, or lead to one.
const SECRET_PARAMETERS = new Set(['ticket'])

/**
 * Notes who reads, changes, signs in and out, and who is refused. A call is noted before its handler runs, so that where
 * records are required nothing is read or changed without one; a sign-in and a refusal are noted before they are answered.
 */
export function installAccessLog(app: FastifyInstance, log: AccessLog): void {
  app.decorateRequest('signedIn', null)
  app.addHook('preHandler', async (request) => {
    const { caller } = request
    if (caller === null || NOT_NOTED.has(request.routeOptions.config.capability ?? 'public')) return
    await noteOrRefuse(log, { ...entryOf(request), ...whoIs(caller, caller.by), allowed: true })
  })
  app.addHook('onSend', async (request, reply, payload) => {
    const entry = answeredEntry(request, reply.statusCode)
    if (entry === undefined) return payload
    try {
      await log.note(entry)
      return payload
    } catch {
      reply.removeHeader('set-cookie').removeHeader('location').removeHeader('content-length')
      const { code, place } = unrecorded()
      reply.code(503).header('retry-after', '2').type('application/problem+json')
      return JSON.stringify({
        ...{ type: `urn:gatewatch:error:${code}`, title: UNRECORDED, status: 503, detail: UNRECORDED },
        ...{ code, retryable: true, remedy: place.remedy },
      })
    }
  })
}

const UNRECORDED = 'The access could not be recorded, and nothing is answered without a record.'

const unrecorded = (cause?: unknown) =>
  new GatewatchError('access_unrecorded', UNRECORDED, { cause, remedy: 'Try again, and look at /readyz.' })

async function noteOrRefuse(log: AccessLog, entry: Omit<AccessEntry, 'atMs'>): Promise<void> {
  try {
    await log.note(entry)
  } catch (cause) {
    throw unrecorded(cause)
  }
}

/** Of an answer: a sign-in, or a refusal. Anything else was noted before. */
function answeredEntry(request: FastifyRequest, status: number): Omit<AccessEntry, 'atMs'> | undefined {
  if (request.signedIn !== null)
    return { ...entryOf(request), ...whoIs(request.signedIn, 'session'), allowed: true }
  if (status !== 401 && status !== 403) return undefined
  const { caller } = request
  return {
    ...entryOf(request),
    ...(caller === null ? {} : whoIs(caller, caller.by)),
    allowed: false,
    reason: request.refusal ?? (status === 401 ? 'ticket' : 'forbidden'),
  }
}

const whoIs = ({ tenant, subject }: Principal, by: string) => ({ tenant, subject, by })

function entryOf(request: FastifyRequest): Omit<AccessEntry, 'atMs' | 'allowed'> {
  const { method, routeOptions, query, params, ip } = request
  const given = { ...(query as object), ...(params as object) } as Record<string, unknown>
  const parameters = Object.fromEntries(
    Object.entries(given).filter(([name]) => !SECRET_PARAMETERS.has(name)),
  )
  return {
    address: ip,
    action: routeOptions.config.access ?? (method === 'GET' || method === 'HEAD' ? 'read' : 'change'),
    call: `${method} ${routeOptions.url ?? '(none)'}`,
    // Of what nobody knows nothing is kept but the route: it could be anything.
    parameters: routeOptions.url === undefined ? {} : parameters,
  }
}
