import { Type } from 'typebox'
import type { Clock } from '../../core/clock.ts'
import { GatewatchError } from '../../core/errors.ts'
import type { ApiServer } from '../api-server.ts'
import {
  API_CAPABILITIES,
  type ApiCapability,
  holds,
  type Principal,
  SOURCE_NAME,
} from '../credentials/principal.ts'
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
  /** The tenant that the settings give a source; absent for a source that they do not name. */
  readonly tenantOfSource: (source: string) => string | undefined
}

/** So long after signing in a session may make credentials, in milliseconds. */
export const RECENT_SIGN_IN_MS = 5 * 60_000

export function addCredentialRoutes(app: ApiServer, deps: CredentialRoutes): void {
  addLogin(app, deps)
  addLogout(app, deps)
  addTokenRoute(app, deps)
  addRevocationRoute(app, deps)
  addTicketRoute(app, deps)
}

// `__Host-` asks for the path /. Without it the cookie goes where the page asks only.
const cookieAttributes = (secure: boolean) =>
  ({ httpOnly: true, sameSite: 'strict', path: secure ? '/' : '/v1', secure }) as const

function addLogin(app: ApiServer, { sessions, sessionCookie, secure }: CredentialRoutes): void {
  app.get(
    '/login',
    {
      config: { capability: 'public', access: 'sign-in' },
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
      request.signedIn = session.principal
      return (
        reply
          .setCookie(sessionCookie, session.sessionId, {
            ...cookieAttributes(secure),
            expires: new Date(session.expiresAtMs),
          })
          // In the fragment: no server ever sees it, and the page takes it out of the address at once.
          .redirect(`/#session-key=${session.sessionKey}`, 303)
      )
    },
  )
}

function addLogout(app: ApiServer, { sessions, sessionCookie, secure }: CredentialRoutes): void {
  app.post(
    '/v1/logout',
    {
      config: { capability: 'events:read', access: 'sign-out' },
      schema: { summary: 'End the browser’s session' },
    },
    async (request, reply) => {
      const sessionId = request.cookies[sessionCookie]
      if (sessionId !== undefined) sessions.logout(sessionId)
      return reply.clearCookie(sessionCookie, cookieAttributes(secure)).code(204).send()
    },
  )
}

function addTokenRoute(app: ApiServer, deps: CredentialRoutes): void {
  app.post(
    '/v1/token',
    {
      config: { capability: 'tokens:mint', access: 'make-credential' },
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
      mayMakeCredentials(caller, deps)
      const principal = tokenPrincipal(caller, request.body, deps)
      const { token, expiresAtMs } = deps.tokens.mint(
        principal,
        request.body.ttl_seconds ?? MAX_TOKEN_SECONDS,
      )
      return { token, expires_at: new Date(expiresAtMs).toISOString() }
    },
  )
}

/** What a token made by `caller` says: nothing that the caller may not. @throws GatewatchError `forbidden` */
function tokenPrincipal(
  caller: Caller,
  wanted: { readonly capabilities?: readonly ApiCapability[]; readonly source?: string },
  { tenantOfSource }: CredentialRoutes,
): Principal {
  const capabilities = wanted.capabilities ?? caller.capabilities
  const missing = capabilities.find((capability) => !holds(caller, capability))
  if (missing !== undefined) {
    throw new GatewatchError('forbidden', `The credential does not carry ${missing}.`, {
      field: 'capabilities',
    })
  }
  const source = wanted.source ?? caller.source
  if (caller.source !== undefined && source !== caller.source) {
    throw new GatewatchError('forbidden', `The credential is bound to the source ${caller.source}.`, {
      field: 'source',
    })
  }
  const tenant = (source === undefined ? undefined : tenantOfSource(source)) ?? caller.tenant
  if (tenant !== caller.tenant) refuseMoreThanSending(caller, capabilities)
  return {
    subject: caller.subject,
    tenant,
    capabilities,
    ...(source === undefined ? {} : { source }),
    ...(caller.login === undefined ? {} : { login: caller.login }),
  }
}

// A source of another tenant: the administrator may let it send, and nobody may read there by way of it.
function refuseMoreThanSending(caller: Caller, capabilities: readonly ApiCapability[]): void {
  if (!holds(caller, 'admin')) {
    throw new GatewatchError('forbidden', 'The source belongs to another tenant.', {
      field: 'source',
      remedy: 'Use a credential of that tenant, or the administrator’s.',
    })
  }
  const [capability, ...others] = capabilities
  if (capability === 'events:write' && others.length === 0) return
  throw new GatewatchError('forbidden', 'A token for a source of another tenant may send and nothing else.', {
    field: 'capabilities',
    remedy: 'Ask for capabilities: ["events:write"].',
  })
}

function addRevocationRoute(app: ApiServer, { tokens }: CredentialRoutes): void {
  app.post(
    '/v1/token/revoke',
    {
      config: { capability: 'tokens:mint', access: 'make-credential' },
      schema: {
        summary: 'Take a token back before its end',
        body: Type.Object({ token: Type.String({ minLength: 1, maxLength: 4096 }) }, strict),
      },
    },
    async (request, reply) => {
      const { tenant, capabilities } = callerOf(request)
      const verdict = tokens.verify(request.body.token)
      // As RFC 7009 has it: what does not hold any more, or never did, needs no taking back.
      if (verdict.kind === 'refused') return reply.code(204).send()
      if (verdict.principal.tenant !== tenant && !capabilities.includes('admin')) {
        throw new GatewatchError('forbidden', 'The token is of another tenant.', { field: 'token' })
      }
      tokens.revoke(verdict)
      return reply.code(204).send()
    },
  )
}

function addTicketRoute(app: ApiServer, deps: CredentialRoutes): void {
  const { sessions, clock } = deps
  app.post(
    '/v1/login-tickets',
    {
      config: { capability: 'tokens:mint', access: 'make-credential' },
      preValidation: emptyBodyIsNoFields,
      schema: {
        summary: 'Make a path that signs a browser in once, as the caller',
        body: Type.Object({}, strict),
        response: { 201: Type.Object({ path: Type.String(), expires_at: Type.String() }, strict) },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request)
      mayMakeCredentials(caller, deps)
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

/**
 * Credentials come from a key, or from a person who has just signed in: a stolen token or session could renew itself for
 * ever otherwise. @throws GatewatchError `forbidden`
 */
function mayMakeCredentials({ by, login }: Caller, { sessions, clock }: CredentialRoutes): void {
  if (by === 'token') {
    throw new GatewatchError('forbidden', 'A short-lived token cannot make credentials.', {
      remedy: 'Use the API key or the browser’s session.',
    })
  }
  if (login === undefined) return
  const signedInAtMs = sessions.signedInAtMs(login)
  if (signedInAtMs !== undefined && clock.now() - signedInAtMs <= RECENT_SIGN_IN_MS) return
  throw new GatewatchError('forbidden', 'Making a credential needs a sign-in of the last five minutes.', {
    remedy: 'Sign in again with the URL that `gatewatch token --login` prints, or use the API key.',
  })
}
