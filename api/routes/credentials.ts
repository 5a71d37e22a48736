import { Type } from 'typebox'
import type { Clock } from '../../core/clock.ts'
import { GatewatchError } from '../../core/errors.ts'
import type { ApiServer } from '../api-server.ts'
import { API_CAPABILITIES, holds, SOURCE_NAME } from '../credentials/principal.ts'
import type { Sessions } from '../credentials/sessions.ts'
import { MAX_TOKEN_SECONDS, type Tokens } from '../credentials/tokens.ts'
import { type Caller, callerOf } from '../plugins/authentication.ts'
import { emptyBodyIsNoFields } from '../request-body.ts'
import { strict } from '../schemas/query.ts'

export interface CredentialRoutes {
  readonly clock: Clock
  readonly tokens: Tokens
  readonly sessions: Sessions
  readonly sessionCookie: string
  /** Whether browsers reach the server over HTTPS. */
  readonly secure: boolean
}

export function addCredentialRoutes(app: ApiServer, deps: CredentialRoutes): void {
  addLogin(app, deps)
  addLogout(app, deps)
  addTokenRoute(app, deps)
  addTicketRoute(app, deps)
}

function addLogin(app: ApiServer, { sessions, sessionCookie, secure }: CredentialRoutes): void {
  app.get(
    '/login',
    {
      config: { capability: 'public' },
      exposeHeadRoute: false,
      schema: {
        summary: 'Sign the browser in with a one-time ticket',
        querystring: Type.Object({ ticket: Type.String({ minLength: 1, maxLength: 256 }) }, strict),
      },
    },
    async (request, reply) => {
      // A browser that loads ahead of the click must not use the ticket up.
      if (
        /prefetch|prerender/.test(String(request.headers['sec-purpose'] ?? request.headers['purpose'] ?? ''))
      ) {
        return reply.code(204).send()
      }
      const session = sessions.login(request.query.ticket)
      if (session === undefined) {
        throw new GatewatchError('unauthenticated', 'This sign-in link was used before or is too old.', {
          remedy: 'Print a new one with `gatewatch token --login`.',
        })
      }
      return reply
        .setCookie(sessionCookie, session.sessionId, {
          httpOnly: true,
          sameSite: 'strict',
          path: '/',
          secure,
          expires: new Date(session.expiresAtMs),
        })
        .redirect('/', 303)
    },
  )
}

function addLogout(app: ApiServer, { sessions, sessionCookie, secure }: CredentialRoutes): void {
  app.post(
    '/v1/logout',
    { config: { capability: 'events:read' }, schema: { summary: 'End the browser’s session' } },
    async (request, reply) => {
      const sessionId = request.cookies[sessionCookie]
      if (sessionId !== undefined) sessions.logout(sessionId)
      return reply
        .clearCookie(sessionCookie, { httpOnly: true, sameSite: 'strict', path: '/', secure })
        .code(204)
        .send()
    },
  )
}

function addTokenRoute(app: ApiServer, { tokens }: CredentialRoutes): void {
  app.post(
    '/v1/token',
    {
      config: { capability: 'tokens:mint' },
      preValidation: emptyBodyIsNoFields,
      schema: {
        summary: 'Make a short-lived token from an API key or a session',
        body: Type.Object(
          {
            capabilities: Type.Optional(
              Type.Array(Type.Enum(API_CAPABILITIES), { maxItems: 32, uniqueItems: true }),
            ),
            source: Type.Optional(
              Type.String({
                pattern: SOURCE_NAME,
                description: 'Binds the token to a source: what it sends has the topic http-<source>',
              }),
            ),
            ttl_seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_TOKEN_SECONDS })),
          },
          strict,
        ),
        response: { 200: Type.Object({ token: Type.String(), expires_at: Type.String() }, strict) },
      },
    },
    async (request) => {
      const caller = callerOf(request)
      refuseToken(caller)
      const capabilities = request.body.capabilities ?? caller.capabilities
      const missing = capabilities.find((capability) => !holds(caller, capability))
      if (missing !== undefined) {
        throw new GatewatchError('forbidden', `The credential does not carry ${missing}.`, {
          field: 'capabilities',
        })
      }
      const source = request.body.source ?? caller.source
      if (caller.source !== undefined && source !== caller.source) {
        throw new GatewatchError('forbidden', `The credential is bound to the source ${caller.source}.`, {
          field: 'source',
        })
      }
      const { token, expiresAtMs } = tokens.mint(
        {
          subject: caller.subject,
          tenant: caller.tenant,
          capabilities,
          ...(source === undefined ? {} : { source }),
        },
        request.body.ttl_seconds ?? MAX_TOKEN_SECONDS,
      )
      return { token, expires_at: new Date(expiresAtMs).toISOString() }
    },
  )
}

function addTicketRoute(app: ApiServer, { sessions, clock }: CredentialRoutes): void {
  app.post(
    '/v1/login-tickets',
    {
      config: { capability: 'tokens:mint' },
      preValidation: emptyBodyIsNoFields,
      schema: {
        summary: 'Make a path that signs a browser in once, as the caller',
        body: Type.Object({}, strict),
        response: { 201: Type.Object({ path: Type.String(), expires_at: Type.String() }, strict) },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request)
      refuseToken(caller)
      const { by: _, ...principal } = caller
      const ticket = sessions.issueTicket(principal)
      reply.code(201)
      return {
        path: `/login?ticket=${ticket}`,
        expires_at: new Date(clock.now() + sessions.ticketMs).toISOString(),
      }
    },
  )
}

// Otherwise a stolen token could renew itself for ever.
function refuseToken({ by }: Caller): void {
  if (by !== 'token') return
  throw new GatewatchError('forbidden', 'A short-lived token cannot make credentials.', {
    remedy: 'Use the API key or the browser’s session.',
  })
}
