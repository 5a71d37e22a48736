import type { FastifyInstance, FastifyRequest } from 'fastify'
import { GatewatchError } from '../../core/errors.ts'
import { type ApiKeys, looksLikeApiKey } from '../credentials/api-keys.ts'
import { type ApiCapability, holds, type Principal } from '../credentials/principal.ts'
import type { Sessions } from '../credentials/sessions.ts'
import type { Tokens } from '../credentials/tokens.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a caller needs for this route; `public` needs nothing. A route without it does not start. */
    capability?: ApiCapability | 'public'
  }
  interface FastifyRequest {
    /** Set by `installAuthentication` before any handler of a route that is not public. */
    caller: Caller | null
  }
}

export interface Caller extends Principal {
  readonly by: 'token' | 'api_key' | 'session'
}

/**
 * The second half of a session. The browser sends the cookie to every port of the host, so whoever listens on another one
 * gets it; this half is kept by the page, whose storage only pages of the same origin (with its port) can read.
 */
export const SESSION_KEY_HEADER = 'x-gatewatch-session-key'

export interface AuthenticationOptions {
  readonly tokens: Tokens
  readonly apiKeys: ApiKeys
  readonly sessions: Sessions
  readonly sessionCookie: string
  /** Counts refusals; `reason` is from a closed list. */
  readonly onRefusal: (reason: string) => void
}

/** Deny by default: a request reaches a handler only with a credential that carries the route’s capability. */
export function installAuthentication(app: FastifyInstance, options: AuthenticationOptions): void {
  app.addHook('onRoute', (route) => {
    if (route.config?.capability === undefined) {
      throw new GatewatchError('internal', `The route ${route.url} does not say which capability it needs.`)
    }
  })
  app.decorateRequest('caller', null)
  app.decorateRequest('refusal', null)
  app.addHook('onRequest', async (request) => {
    if (request.is404) return
    const { capability } = request.routeOptions.config
    if (capability === 'public') return
    const onRefusal = (reason: string) => {
      request.refusal = reason
      options.onRefusal(reason)
    }
    const caller = authenticate(request, { ...options, onRefusal })
    if (caller === undefined) {
      throw new GatewatchError('unauthenticated', 'This call needs a valid token.', {
        remedy:
          'Send Authorization: Bearer <token>, or sign in again with the URL that `gatewatch token --login` prints.',
      })
    }
    request.caller = caller
    if (capability === undefined || !holds(caller, capability)) {
      onRefusal('capability')
      throw new GatewatchError('forbidden', `This call needs the capability ${capability}.`, {
        remedy: `Use a credential that carries ${capability}.`,
      })
    }
  })
}

/** The caller of an authenticated route. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null)
    throw new GatewatchError('internal', 'A route without authentication asked for its caller.')
  return request.caller
}

function authenticate(request: FastifyRequest, options: AuthenticationOptions): Caller | undefined {
  const header = request.headers.authorization
  if (header !== undefined) return bearer(header, options)
  const sessionId = request.cookies[options.sessionCookie]
  if (sessionId === undefined) {
    options.onRefusal('none')
    return undefined
  }
  const sessionKey = request.headers[SESSION_KEY_HEADER]
  const principal = options.sessions.verify(
    sessionId,
    typeof sessionKey === 'string' ? sessionKey : undefined,
  )
  if (principal === undefined) {
    options.onRefusal('session')
    return undefined
  }
  refuseForeignOrigin(request, options)
  return { ...principal, by: 'session' }
}

function bearer(
  header: string,
  { apiKeys, tokens, sessions, onRefusal }: AuthenticationOptions,
): Caller | undefined {
  const text = /^Bearer +(\S+)$/i.exec(header)?.[1]
  if (text === undefined) {
    onRefusal('malformed')
    return undefined
  }
  if (looksLikeApiKey(text)) {
    const principal = apiKeys.verify(text)
    if (principal === undefined) onRefusal('api_key')
    return principal && { ...principal, by: 'api_key' }
  }
  const verdict = tokens.verify(text)
  if (verdict.kind === 'refused') {
    onRefusal(verdict.reason)
    return undefined
  }
  const { login } = verdict.principal
  if (login !== undefined && sessions.signedInAtMs(login) === undefined) {
    onRefusal('signed_out')
    return undefined
  }
  return { ...verdict.principal, by: 'token' }
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Cross-site request forgery: a browser adds the cookie by itself, so a call that changes something must also prove
 * that our own page made it — by a header that a foreign page cannot set, and by where the browser says it came from.
 */
function refuseForeignOrigin(request: FastifyRequest, { onRefusal }: AuthenticationOptions): void {
  if (SAFE_METHODS.has(request.method)) return
  if (request.headers['x-gatewatch-csrf'] === '1' && isSameOrigin(request)) return
  onRefusal('csrf')
  throw new GatewatchError('forbidden', 'The call does not come from the dashboard’s own page.', {
    field: 'x-gatewatch-csrf',
    remedy: 'Send the header x-gatewatch-csrf: 1 from the same origin, or use a token.',
  })
}

function isSameOrigin({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin'
  const { origin, host } = headers
  if (origin === undefined || host === undefined) return false
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase()
}
