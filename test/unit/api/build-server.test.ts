import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import Fastify from 'fastify'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createApiKeys, generateApiKey } from '../../../api/credentials/api-keys.ts'
import { createTokens } from '../../../api/credentials/tokens.ts'
import { installAuthentication } from '../../../api/plugins/authentication.ts'
import type { Receipt } from '../../../api/routes/ingest.ts'
import type { Alert } from '../../../core/alert.ts'
import { createManualClock } from '../../../core/clock.ts'
import { GatewatchError } from '../../../core/errors.ts'
import { EVENT, getJson, LOCAL, NOW_MS, SECRET, sessionOf, startApi } from './api-fixture.ts'

const PUBLIC = new Set(['/healthz', '/readyz', '/login'])

// These answer as OTLP says, with google.rpc.Status.
const OTLP = new Set(['/v1/logs', '/v1/metrics', '/v1/traces'])
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

describe('authentication', () => {
  it('lists the routes that the contract names', async () => {
    const paths = Object.keys((await startApi()).app.swagger().paths ?? {})
    expect(paths.sort()).toEqual([
      '/healthz',
      '/login',
      '/metrics',
      '/openapi.json',
      '/readyz',
      '/v1/access-log',
      '/v1/alerts',
      '/v1/alerts/{id}',
      '/v1/alerts/{id}/acknowledge',
      '/v1/alerts/{id}/close',
      '/v1/backfills',
      '/v1/chains',
      '/v1/dead-letters',
      '/v1/dead-letters/counts',
      '/v1/dead-letters/replay',
      '/v1/dead-letters/{dead_letter_id}',
      '/v1/deliveries',
      '/v1/events',
      '/v1/events/{event_id}',
      '/v1/facets',
      '/v1/findings',
      '/v1/findings/{id}',
      '/v1/findings/{id}/baseline',
      '/v1/health',
      '/v1/login-tickets',
      '/v1/logout',
      '/v1/logs',
      '/v1/metrics',
      '/v1/overview',
      '/v1/receiver/deliveries',
      '/v1/sources',
      '/v1/token',
      '/v1/token/revoke',
      '/v1/tool-definitions',
      '/v1/tool-definitions/changes',
      '/v1/traces',
      '/v1/volume',
    ])
  })

  it('answers 401 without a credential and 403 without the capability, on every route', async () => {
    const { app, tokenFor } = await startApi()
    const described = Object.entries(app.swagger().paths ?? {}).flatMap(([path, operations]) =>
      methods
        .filter((method) => method.toLowerCase() in (operations ?? {}))
        .map((method) => ({ method, path, url: path.replaceAll(/\{\w+\}/g, 'x') })),
    )
    expect(described.length).toBeGreaterThan(20)
    const powerless = tokenFor([])
    for (const { method, path, url } of described) {
      if (PUBLIC.has(path)) continue
      const anonymous = await app.inject({ method, url, headers: LOCAL })
      expect([path, anonymous.statusCode]).toEqual([path, 401])
      const refused = await app.inject({
        method,
        url,
        headers: { ...LOCAL, authorization: `Bearer ${powerless}` },
      })
      expect([path, refused.statusCode]).toEqual([path, 403])
      const body = OTLP.has(path) ? { code: 7 } : { code: 'forbidden', status: 403, retryable: false }
      expect(refused.json()).toMatchObject(body)
    }
  })

  it('does not take a route that names no capability', async () => {
    const { tokens, sessions } = await startApi()
    const app = Fastify()
    installAuthentication(app, {
      tokens,
      sessions,
      apiKeys: createApiKeys([]),
      sessionCookie: 'session',
      onRefusal: () => {},
    })
    expect(() => app.get('/v1/forgotten', async () => 'secret')).toThrowError(/\/v1\/forgotten/)
    expect(() => app.get('/v1/open', { config: { capability: 'public' } }, async () => 'ok')).not.toThrow()
  })

  it.each([
    ['no scheme', (token: string) => token],
    ['another scheme', (token: string) => `Basic ${token}`],
    ['a forged token', () => `Bearer v1.k1.e30.${'A'.repeat(43)}`],
    ['an unknown API key', () => `Bearer gw_${'A'.repeat(43)}`],
  ])('refuses %s', async (_name, header) => {
    const { app, tokenFor } = await startApi()
    const answer = await app.inject({
      url: '/v1/events',
      headers: { ...LOCAL, authorization: header(tokenFor(['admin'])) },
    })
    expect(answer.statusCode).toBe(401)
    expect(answer.headers['www-authenticate']).toContain('Bearer')
    expect(answer.headers['content-type']).toContain('application/problem+json')
  })

  it('refuses a token when its time is over', async () => {
    const { app, clock, tokenFor } = await startApi()
    const token = tokenFor(['events:read'])
    expect((await getJson(app, '/v1/events', token)).status).toBe(200)
    clock.advance(299_999)
    expect((await getJson(app, '/v1/events', token)).status).toBe(200)
    clock.advance(1)
    expect((await getJson(app, '/v1/events', token)).status).toBe(401)
  })

  it('takes a token back', async () => {
    const { app, apiKey, tokenFor } = await startApi()
    const token = tokenFor(['events:read'])
    const other = tokenFor(['events:read'])
    const foreign = tokenFor(['events:read'], 'globex')
    const revoke = (credential: string, text: string) =>
      app.inject({
        method: 'POST',
        url: '/v1/token/revoke',
        headers: { ...LOCAL, authorization: `Bearer ${credential}` },
        payload: { token: text },
      })
    expect((await revoke(other, token)).statusCode).toBe(403)
    expect((await revoke(tokenFor(['tokens:mint']), foreign)).statusCode).toBe(403)
    expect((await getJson(app, '/v1/events', token)).status).toBe(200)
    expect((await revoke(apiKey, token)).statusCode).toBe(204)
    expect((await getJson(app, '/v1/events', token)).status).toBe(401)
    expect((await getJson(app, '/v1/events', other)).status).toBe(200)
    // Nothing to take back is no fault.
    expect((await revoke(apiKey, token)).statusCode).toBe(204)
    expect((await revoke(apiKey, 'v1.k1.x.y')).statusCode).toBe(204)
  })

  it('gives a token the tenant of its source, and lets it do nothing there but send', async () => {
    const { app, apiKey, tokens } = await startApi({
      sourceTenants: new Map([
        ['kong', 'globex'],
        ['own', 'acme'],
      ]),
    })
    const narrow = generateApiKey({
      subject: 'ci',
      tenant: 'acme',
      capabilities: ['tokens:mint', 'events:write'],
    })
    const limited = await startApi({
      sourceTenants: new Map([['kong', 'globex']]),
      apiKeys: createApiKeys([narrow.record]),
    })
    const mint = (of: typeof app, credential: string, payload: object) =>
      of.inject({
        method: 'POST',
        url: '/v1/token',
        headers: { ...LOCAL, authorization: `Bearer ${credential}` },
        payload,
      })
    const principalOf = async (payload: object) => {
      const { token } = (await mint(app, apiKey, payload)).json() as { token: string }
      return tokens.verify(token)
    }
    expect(await principalOf({ source: 'kong', capabilities: ['events:write'] })).toMatchObject({
      principal: { tenant: 'globex', source: 'kong', capabilities: ['events:write'] },
    })
    expect(await principalOf({ source: 'own' })).toMatchObject({ principal: { tenant: 'acme' } })
    expect(await principalOf({ source: 'unknown' })).toMatchObject({ principal: { tenant: 'acme' } })
    for (const payload of [
      { source: 'kong' },
      { source: 'kong', capabilities: ['events:read'] },
      { source: 'kong', capabilities: ['events:write', 'events:read'] },
    ])
      expect((await mint(app, apiKey, payload)).statusCode).toBe(403)
    const refused = await mint(limited.app, narrow.key, { source: 'kong', capabilities: ['events:write'] })
    expect(refused.statusCode).toBe(403)
  })

  it('mints narrower tokens from an API key, and none from a token', async () => {
    const { app, apiKey, tokenFor } = await startApi()
    const mint = (credential: string, payload: object) =>
      app.inject({
        method: 'POST',
        url: '/v1/token',
        headers: { ...LOCAL, authorization: `Bearer ${credential}` },
        payload,
      })
    const minted = await mint(apiKey, { capabilities: ['events:read'], ttl_seconds: 60 })
    expect(minted.json()).toMatchObject({ expires_at: new Date(NOW_MS + 60_000).toISOString() })
    const { token } = minted.json() as { token: string }
    expect((await getJson(app, '/v1/events', token)).status).toBe(200)
    expect((await getJson(app, '/v1/alerts', token)).status).toBe(403)
    expect((await mint(tokenFor(['admin']), {})).statusCode).toBe(403)
    expect((await mint(apiKey, { ttl_seconds: 301 })).statusCode).toBe(400)
    const verify = createTokens({
      keys: [{ kid: 'k1', secret: SECRET }],
      audience: 'gatewatch',
      clock: createManualClock(NOW_MS),
    }).verify(token)
    expect(verify).toMatchObject({ principal: { tenant: 'acme', subject: 'admin' } })
  })
})

describe('the browser’s session', () => {
  it('signs in once with a ticket, leaving it in no URL', async () => {
    const { app, login } = await startApi()
    const { answer, ticket, cookie, session } = await login()
    expect(answer.statusCode).toBe(303)
    // In the fragment, which no server sees; the page takes it out of the address.
    expect(answer.headers['location']).toMatch(/^\/#session-key=[\w-]{43}$/)
    expect(answer.headers['set-cookie']).toMatch(/HttpOnly.*SameSite=Strict/)
    expect(answer.headers['cache-control']).toBe('no-store')
    expect((await app.inject({ url: '/v1/events', headers: { ...LOCAL, ...session } })).statusCode).toBe(200)
    // The cookie alone goes to every port of this host.
    expect((await app.inject({ url: '/v1/events', headers: { ...LOCAL, cookie } })).statusCode).toBe(401)
    const again = await app.inject({ url: `/login?ticket=${ticket}`, headers: LOCAL })
    expect(again.statusCode).toBe(401)
    expect(again.headers['set-cookie']).toBeUndefined()
  })

  it('gets a ticket from an API key, never from a token', async () => {
    const { app, apiKey, tokenFor } = await startApi()
    const ask = (credential: string) =>
      app.inject({
        method: 'POST',
        url: '/v1/login-tickets',
        headers: { ...LOCAL, authorization: `Bearer ${credential}` },
      })
    const { path, expires_at } = (await ask(apiKey)).json() as { path: string; expires_at: string }
    expect(expires_at).toBe(new Date(NOW_MS + 600_000).toISOString())
    expect((await app.inject({ url: path, headers: LOCAL })).statusCode).toBe(303)
    expect((await ask(tokenFor(['admin']))).statusCode).toBe(403)
  })

  it('ties the cookie to the host where there is HTTPS', async () => {
    const { login } = await startApi({ secure: true })
    const { answer } = await login()
    expect(answer.headers['set-cookie']).toMatch(/^__Host-gatewatch-session=.*Path=\/.*Secure/)
    expect(answer.headers['strict-transport-security']).toContain('max-age=31536000')
  })

  it('is not used up by a browser that loads ahead', async () => {
    const { app, sessions } = await startApi()
    const ticket = sessions.issueTicket({ subject: 'admin', tenant: 'acme', capabilities: ['admin'] })
    const ahead = await app.inject({
      url: `/login?ticket=${ticket}`,
      headers: { ...LOCAL, 'sec-purpose': 'prefetch;prerender' },
    })
    expect(ahead.headers['set-cookie']).toBeUndefined()
    expect((await app.inject({ url: `/login?ticket=${ticket}`, headers: LOCAL })).statusCode).toBe(303)
  })

  it.each([
    ['without the header', { 'sec-fetch-site': 'same-origin' }, 403],
    ['from another site', { 'x-gatewatch-csrf': '1', 'sec-fetch-site': 'cross-site' }, 403],
    ['from a sister domain', { 'x-gatewatch-csrf': '1', 'sec-fetch-site': 'same-site' }, 403],
    ['with another origin', { 'x-gatewatch-csrf': '1', origin: 'http://evil.example' }, 403],
    ['with an opaque origin', { 'x-gatewatch-csrf': '1', origin: 'null' }, 403],
    ['with no proof of origin', { 'x-gatewatch-csrf': '1' }, 403],
    ['from our page', { 'x-gatewatch-csrf': '1', 'sec-fetch-site': 'same-origin' }, 200],
    ['from our page, old browser', { 'x-gatewatch-csrf': '1', origin: 'http://localhost:8844' }, 200],
  ])('a change %s', async (_name, headers, status) => {
    const { app, login } = await startApi()
    const { session } = await login()
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/token',
      headers: { ...LOCAL, ...session, ...headers },
      payload: {},
    })
    expect(answer.statusCode).toBe(status)
  })

  it('ends on logout', async () => {
    const { app, login } = await startApi()
    const { session } = await login()
    const headers = { ...LOCAL, ...session, 'x-gatewatch-csrf': '1', 'sec-fetch-site': 'same-origin' }
    expect((await app.inject({ method: 'POST', url: '/v1/logout', headers })).statusCode).toBe(204)
    expect((await app.inject({ url: '/v1/events', headers })).statusCode).toBe(401)
  })

  it('takes what came from it along when it ends', async () => {
    const { app, login } = await startApi()
    const { session } = await login()
    const ask = (url: string, as: Readonly<Record<string, string>> = session) =>
      app.inject({
        method: 'POST',
        url,
        headers: { ...LOCAL, ...as, 'x-gatewatch-csrf': '1', 'sec-fetch-site': 'same-origin' },
        payload: {},
      })
    const { token } = (await ask('/v1/token')).json() as { token: string }
    const { path } = (await ask('/v1/login-tickets')).json() as { path: string }
    const unused = ((await ask('/v1/login-tickets')).json() as { path: string }).path
    const second = sessionOf((await app.inject({ url: path, headers: LOCAL })).headers).session
    expect((await getJson(app, '/v1/events', token)).status).toBe(200)
    expect((await app.inject({ url: '/v1/events', headers: { ...LOCAL, ...second } })).statusCode).toBe(200)
    expect((await ask('/v1/logout')).statusCode).toBe(204)
    expect((await getJson(app, '/v1/events', token)).status).toBe(401)
    expect((await app.inject({ url: '/v1/events', headers: { ...LOCAL, ...second } })).statusCode).toBe(401)
    expect((await app.inject({ url: unused, headers: LOCAL })).statusCode).toBe(401)
  })

  it('makes credentials for five minutes after the sign-in, also by way of another session', async () => {
    const { app, clock, login } = await startApi()
    const { session } = await login()
    const ask = (url: string, as: Readonly<Record<string, string>> = session) =>
      app.inject({
        method: 'POST',
        url,
        headers: { ...LOCAL, ...as, 'x-gatewatch-csrf': '1', 'sec-fetch-site': 'same-origin' },
        payload: {},
      })
    clock.advance(299_000)
    const { path } = (await ask('/v1/login-tickets')).json() as { path: string }
    const second = sessionOf((await app.inject({ url: path, headers: LOCAL })).headers).session
    expect((await ask('/v1/token', second)).statusCode).toBe(200)
    clock.advance(2000)
    for (const as of [session, second])
      for (const url of ['/v1/token', '/v1/login-tickets']) {
        const refused = await ask(url, as)
        expect([url, refused.statusCode]).toEqual([url, 403])
        expect(refused.json()).toMatchObject({ remedy: expect.stringContaining('Sign in again') })
      }
  })

  it('names its cookie after the instance, and sends it to the API only where there is no TLS', async () => {
    const { login } = await startApi({ instance: 'a1b2c3d4' })
    const { answer } = await login()
    expect(answer.headers['set-cookie']).toMatch(/^gatewatch-session-a1b2c3d4=.*Path=\/v1;/)
  })
})

describe('every answer', () => {
  it('carries the protective headers, refusals too', async () => {
    const { app } = await startApi()
    for (const url of ['/healthz', '/v1/events', '/nowhere']) {
      const { headers } = await app.inject({ url, headers: LOCAL })
      expect(headers['content-security-policy']).toContain("default-src 'none'")
      expect(headers['content-security-policy']).toContain("require-trusted-types-for 'script'")
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
      })
    }
  })

  it.each([
    ['localhost:8844', 200],
    ['127.0.0.1:8844', 200],
    ['[::1]:8844', 200],
    ['Gatewatch.Example:443', 200],
    ['evil.example', 403],
    ['10.42.3.17:8844', 200],
    ['[fd00:10:42::17]:8844', 200],
    ['gw.monitoring.svc:8844', 403],
    ['10.42.3.17.evil.example', 403],
    ['localhost.evil.example', 403],
    ['127.0.0.1.evil.example:8844', 403],
  ])('Host %j → %i', async (host, status) => {
    const { app, apiKey } = await startApi({ allowedHosts: ['gatewatch.example'] })
    const answer = await app.inject({
      url: '/v1/events',
      headers: { host, authorization: `Bearer ${apiKey}` },
    })
    expect(answer.statusCode).toBe(status)
  })
})

describe('problems', () => {
  it.each([
    ['an unknown parameter', '/v1/events?actr=alice', 'actr'],
    ['a limit that is too large', '/v1/events?limit=1001', 'limit'],
    ['a limit that is no number', '/v1/events?limit=many', 'limit'],
    ['a parameter given twice', '/v1/events?actor=a&actor=b', 'actor'],
    ['a time that is none', '/v1/events?from=soon', 'from'],
    ['an outcome that is none', '/v1/events?outcome=good', 'outcome'],
    ['a facet over any column', '/v1/facets?field=tenant', 'field'],
    ['too many buckets', '/v1/volume?from=-365d&step_seconds=1', 'step_seconds'],
  ])('%s is 400 with the field', async (_name, url, field) => {
    const { app, apiKey } = await startApi()
    const { status, body } = await getJson(app, url, apiKey)
    expect(status).toBe(400)
    expect(body).toMatchObject({ code: 'request_invalid', field, status: 400, retryable: false })
  })

  it('tells nothing about what broke inside', async () => {
    const { app, apiKey } = await startApi({
      deadLetters: {
        list: () => Promise.reject(new Error('password hunter2 at 10.0.0.7')),
        byIds: async () => [],
        counts: async () => [],
        countsBy: async () => [],
      },
      deliveries: {
        newest: () => Promise.reject(new GatewatchError('store_unavailable', 'connect 10.0.0.7:8123')),
        ofAlerts: async () => [],
      },
    })
    const broken = await getJson(app, '/v1/dead-letters', apiKey)
    expect(broken.status).toBe(500)
    expect(broken.body).toMatchObject({ code: 'internal', detail: 'A fault of ours.' })
    const away = await getJson(app, '/v1/deliveries', apiKey)
    expect(away.status).toBe(503)
    expect(away.headers['retry-after']).toBe('2')
    expect(away.body).toMatchObject({ code: 'store_unavailable', retryable: true })
    expect(JSON.stringify([broken.body, away.body])).not.toMatch(/hunter2|10\.0\.0\.7/)
  })

  it('is 404 for what is not there', async () => {
    const { app, apiKey } = await startApi()
    for (const url of ['/nowhere', '/v1/events/x', '/v1/findings/x', '/v1/alerts/x', '/v1/chains?key=x']) {
      expect(await getJson(app, url, apiKey)).toMatchObject({ status: 404, body: { code: 'not_found' } })
    }
  })
})

describe('dead letters', () => {
  it.each(['/v1/dead-letters', '/v1/dead-letters/counts'])(
    '%s refuses a reason that is none',
    async (url) => {
      const { app, apiKey } = await startApi()
      const refused = await getJson(app, `${url}?reason=record_not_jsn`, apiKey)
      expect(refused).toMatchObject({ status: 400, body: { code: 'request_invalid', field: 'reason' } })
      expect(refused.body['remedy']).toMatch(
        /^Did you mean record_not_json\? Reasons are record_empty, .*internal\.$/,
      )
      expect((await getJson(app, `${url}?reason=unauthenticated`, apiKey)).status).toBe(400)
      for (const reason of ['record_not_json', 'store_rejected', ''])
        expect((await getJson(app, `${url}?reason=${reason}`, apiKey)).status).toBe(200)
    },
  )

  it('replays none for a reason that is none', async () => {
    const { app, apiKey } = await startApi()
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/dead-letters/replay',
      headers: { ...LOCAL, authorization: `Bearer ${apiKey}` },
      payload: { reason: 'foo' },
    })
    expect([answer.statusCode, answer.json().field]).toEqual([400, 'reason'])
  })
})

describe('operations', () => {
  const degraded = (reason: string, detail: string) => ({ state: 'degraded' as const, reason, detail })

  it('says which checks fail, by name and reason only', async () => {
    const { app } = await startApi({
      health: {
        check: async () => ({
          store: [],
          broker: [
            { state: 'failing', reason: 'kafka_not_joined', detail: 'kafka-1 away' },
            degraded('topic_missing', 'payments-audit'),
          ],
        }),
      },
    })
    const answer = await app.inject({ url: '/readyz' })
    expect(answer.statusCode).toBe(503)
    expect(answer.json()).toEqual({
      status: 'not ready',
      failing: ['broker'],
      degraded: [],
      reasons: [
        { check: 'broker', state: 'failing', reason: 'kafka_not_joined' },
        { check: 'broker', state: 'degraded', reason: 'topic_missing' },
      ],
    })
    expect((await app.inject({ url: '/healthz' })).json()).toEqual({ status: 'ok' })
  })

  it('is ready but degraded when a part of the work is not done, and says each reason once', async () => {
    const { app, tokenFor } = await startApi({
      health: {
        check: async () => ({
          store: [],
          kafka: [degraded('topic_missing', 'no topic a'), degraded('topic_missing', 'no topic b')],
        }),
      },
    })
    const answer = await app.inject({ url: '/readyz' })
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      {
        status: 'degraded',
        failing: [],
        degraded: ['kafka'],
        reasons: [{ check: 'kafka', state: 'degraded', reason: 'topic_missing' }],
      },
    ])
    const { body } = await getJson(app, '/v1/health', tokenFor(['metrics:read']))
    expect(body).toMatchObject({
      status: 'degraded',
      checks: {
        store: { state: 'ok', troubles: [] },
        kafka: { state: 'degraded', troubles: [{ detail: 'no topic a' }, { detail: 'no topic b' }] },
      },
    })
  })

  it('tells whoever may see metrics what is wrong, so that it acts on no terminal', async () => {
    const { app, tokenFor } = await startApi({
      health: {
        check: async () => ({
          store: [],
          segments: [{ state: 'failing', reason: 'segment_stuck', detail: '/d/07.*: \u001b[2Jno' }],
        }),
      },
    })
    const health = await getJson(app, '/v1/health', tokenFor(['metrics:read']))
    expect(health).toMatchObject({
      status: 200,
      body: {
        status: 'not ready',
        checks: {
          store: { state: 'ok' },
          segments: { state: 'failing', troubles: [{ detail: '/d/07.*: \\u{1b}[2Jno' }] },
        },
      },
    })
  })

  it('counts requests by pattern, never by what a caller sent', async () => {
    const { app, apiKey } = await startApi()
    await getJson(app, '/v1/events/attacker-text-1', apiKey)
    await getJson(app, '/attacker-text-2', apiKey)
    const metrics = await app.inject({
      url: '/metrics',
      headers: { ...LOCAL, authorization: `Bearer ${apiKey}` },
    })
    expect(metrics.payload).toContain('route="/v1/events/:event_id"')
    expect(metrics.payload).not.toContain('attacker-text')
  })

  it('describes itself as OpenAPI 3.1', async () => {
    const { app, apiKey } = await startApi()
    const { body } = await getJson(app, '/openapi.json', apiKey)
    expect(body['openapi']).toBe('3.1.0')
  })
})

describe('POST /v1/events', () => {
  const fault = { line: 2, index: 1, reason: 'record_not_json', message: 'why' } as const
  const receipt: Receipt = {
    read: 2,
    stored: 1,
    deadLettered: 1,
    duplicate: 0,
    conflict: 0,
    compared: true,
    errors: [fault],
  }

  async function post(payload: Buffer | string, headers: Record<string, string> = {}, answered = receipt) {
    const accepted: { bytes: Uint8Array; headers: Readonly<Record<string, string>>; tenant: string }[] = []
    const { app, apiKey } = await startApi({
      intake: {
        accept: async (body) => {
          accepted.push(body)
          return answered
        },
      },
    })
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: { ...LOCAL, authorization: `Bearer ${apiKey}`, ...headers },
      payload,
    })
    return { answer, accepted }
  }

  it.each(['application/json', 'application/x-ndjson', 'text/plain', 'application/octet-stream'])(
    'takes the bytes as they are: %s',
    async (type) => {
      const { answer, accepted } = await post('{"a":1}\n{"b":', { 'content-type': type })
      expect(answer.statusCode).toBe(202)
      expect(answer.json()).toEqual({
        ...{ read: 2, stored: 1, dead_lettered: 1, duplicate: 0, conflict: 0, compared: true },
        ...{ errors: [{ line: 2, index: 1, reason: 'record_not_json', message: 'why' }], errors_left_out: 0 },
      })
      expect(Buffer.from(accepted[0]?.bytes ?? []).toString()).toBe('{"a":1}\n{"b":')
      expect(accepted[0]?.tenant).toBe('acme')
    },
  )

  it('says how many faults the answer has no room for', async () => {
    const errors = Array.from({ length: 100 }, (_, index) => ({ ...fault, line: index + 1, index }))
    const { answer } = await post('x', {}, { ...receipt, read: 20_000, deadLettered: 20_000, errors })
    expect(answer.json()).toMatchObject({ dead_lettered: 20_000, errors_left_out: 19_980 })
    expect(answer.json().errors).toHaveLength(20)
  })

  it('passes no credential on', async () => {
    const { accepted } = await post('{}', {
      'content-type': 'application/json',
      'x-gatewatch-format': 'native',
      cookie: 'gatewatch-session=s',
    })
    expect(accepted[0]?.headers).toEqual({
      'content-type': 'application/json',
      'x-gatewatch-format': 'native',
    })
  })

  it('unpacks gzip', async () => {
    const { accepted } = await post(gzipSync('{"a":1}'), {
      'content-type': 'application/json',
      'content-encoding': 'gzip',
    })
    expect(Buffer.from(accepted[0]?.bytes ?? []).toString()).toBe('{"a":1}')
  })

  it('unpacks zstd', async () => {
    const { accepted } = await post(zstdCompressSync('{"a":1}'), {
      'content-type': 'application/json',
      'content-encoding': 'zstd',
    })
    expect(Buffer.from(accepted[0]?.bytes ?? []).toString()).toBe('{"a":1}')
  })

  it('refuses zstd that asks for a window beyond what HTTP allows', async () => {
    const params = { [constants.ZSTD_c_windowLog]: 25, [constants.ZSTD_c_contentSizeFlag]: 0 }
    const { answer } = await post(zstdCompressSync(Buffer.alloc(40 * 1024 ** 2, 'abc'), { params }), {
      'content-type': 'application/json',
      'content-encoding': 'zstd',
    })
    expect(answer.json()).toMatchObject({ status: 400, field: 'content-encoding' })
  })

  it.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ] as const)('stops a small body of %s that unpacks to a huge one', async (encoding, compress) => {
    const bomb = compress(Buffer.alloc(65 * 1024 ** 2))
    expect(bomb.length).toBeLessThan(100_000)
    const { answer, accepted } = await post(bomb, {
      'content-type': 'application/json',
      'content-encoding': encoding,
    })
    expect(answer.statusCode).toBe(413)
    expect(answer.json()).toMatchObject({ code: 'payload_too_large' })
    expect(accepted).toEqual([])
  })

  it('refuses broken gzip, other encodings and bodies over the limit', async () => {
    const broken = await post('not gzip', { 'content-type': 'text/plain', 'content-encoding': 'gzip' })
    expect(broken.answer.json()).toMatchObject({ status: 400, field: 'content-encoding' })
    const brotli = await post('x', { 'content-type': 'text/plain', 'content-encoding': 'br' })
    expect(brotli.answer.statusCode).toBe(415)
    expect(brotli.answer.headers['accept-encoding']).toBe('gzip, zstd, deflate')
    expect(brotli.answer.json()).toMatchObject({ code: 'encoding_unsupported', field: 'content-encoding' })
    const large = await post(Buffer.alloc(16 * 1024 ** 2 + 1), { 'content-type': 'text/plain' })
    expect(large.answer.statusCode).toBe(413)
  })

  it('passes the key on, quoted or not, and refuses what is none', async () => {
    for (const key of ['abc-123', '"abc-123"']) {
      const { accepted } = await post('{"a":1}', { 'content-type': 'text/plain', 'idempotency-key': key })
      expect(accepted[0]).toMatchObject({ idempotencyKey: 'abc-123', subject: 'admin' })
    }
    for (const key of ['', '""', 'a b', 'a"b', 'x'.repeat(256), 'é']) {
      const { answer, accepted } = await post('{"a":1}', {
        'content-type': 'text/plain',
        'idempotency-key': key,
      })
      expect([answer.statusCode, accepted]).toEqual([400, []])
    }
  })

  it('says how long to wait when a source is too fast', async () => {
    const refusal = new GatewatchError('rate_limited', 'too fast', { retryAfterSeconds: 17 })
    const { app, apiKey } = await startApi({ intake: { accept: () => Promise.reject(refusal) } })
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: { ...LOCAL, authorization: `Bearer ${apiKey}`, 'content-type': 'text/plain' },
      payload: 'x',
    })
    expect([answer.statusCode, answer.headers['retry-after'], answer.json().retryable]).toEqual([
      429,
      '17',
      true,
    ])
  })

  it('binds a token to a source, and lets nobody shake it off', async () => {
    const { app, apiKey, tokens } = await startApi()
    const ask = (url: string, credential: string, payload: object) =>
      app.inject({
        method: 'POST',
        url,
        headers: { ...LOCAL, authorization: `Bearer ${credential}` },
        payload,
      })
    const { token } = (
      await ask('/v1/token', apiKey, { source: 'kong', capabilities: ['events:write'] })
    ).json()
    const verdict = tokens.verify(token)
    expect(verdict).toMatchObject({ kind: 'accepted', principal: { source: 'kong' } })
    expect((await ask('/v1/token', apiKey, { source: 'Kong/..' })).statusCode).toBe(400)

    const bound = generateApiKey({
      subject: 's',
      tenant: 'acme',
      capabilities: ['tokens:mint'],
      source: 'kong',
    })
    const other = await startApi({ apiKeys: createApiKeys([bound.record]) })
    const mint = (payload: object) =>
      other.app.inject({
        method: 'POST',
        url: '/v1/token',
        headers: { ...LOCAL, authorization: `Bearer ${bound.key}` },
        payload,
      })
    expect((await mint({ source: 'other' })).statusCode).toBe(403)
    expect(other.tokens.verify((await mint({})).json().token)).toMatchObject({
      principal: { source: 'kong' },
    })
  })

  it('asks to come back later when too much is waiting', async () => {
    const { app, apiKey } = await startApi({
      intake: { accept: () => Promise.reject(new GatewatchError('overloaded', 'segment log is full')) },
    })
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: { ...LOCAL, authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      payload: '{}',
    })
    expect(answer.statusCode).toBe(503)
    expect(answer.headers['retry-after']).toBe('2')
    expect(answer.json()).toMatchObject({ code: 'overloaded', retryable: true })
  })

  it('asks to come back later when too many questions wait', async () => {
    const full = new GatewatchError('query_queue_full', 'Too many wait.', { retryAfterSeconds: 5 })
    const events = { search: () => Promise.reject(full) } as never
    const { app, apiKey } = await startApi({ events })
    const answer = await app.inject({
      url: '/v1/events',
      headers: { ...LOCAL, authorization: `Bearer ${apiKey}` },
    })
    expect(answer.statusCode).toBe(503)
    expect(answer.headers['retry-after']).toBe('5')
    expect(answer.json()).toMatchObject({ code: 'query_queue_full', retryable: true })
  })
})

describe('hostile text', () => {
  it('comes back as JSON text, byte for byte', async () => {
    const hostile = '</script><img src=x onerror=alert(1)>\u202Eevil\u0000\u001b[31m"\\\u2028'
    const { app, apiKey } = await startApi({
      events: {
        search: async () => ({ events: [{ ...EVENT, 'gen_ai.tool.name': hostile, actor: hostile }] }),
        byId: async () => undefined,
        byIds: async () => [],
        chain: async () => ({ events: [] }),
      },
    })
    const { headers, body } = await getJson(app, '/v1/events', apiKey)
    expect(headers['content-type']).toMatch(/^application\/json/)
    expect(body).toMatchObject({ events: [{ 'gen_ai.tool.name': hostile, actor: hostile }] })
  })
})

describe('changes to alerts', () => {
  const alert: Alert = {
    alert_id: 'a1',
    fingerprint: 'f1',
    tenant: 'acme',
    status: 'open',
    severity: 'high',
    rule: 'r',
    detector: 'volume',
    entity: { type: 'actor', id: 'alice' },
    actor: 'alice',
    title: 't',
    finding_ids: ['x'],
    finding_count: 1,
    superseded_finding_ids: [],
    started_at: '2026-08-21T12:00:00.000Z',
    last_event_at: '2026-08-21T12:00:00.000Z',
    notified: {},
    opened_at: '2026-08-21T13:00:00.000Z',
    updated_at: '2026-08-21T13:00:00.000Z',
    revision: 3,
  }

  async function startWithAlert() {
    const changes: unknown[] = []
    const change = async (wanted: { expectedRevision?: number }) => {
      changes.push(wanted)
      if (wanted.expectedRevision !== undefined && wanted.expectedRevision !== alert.revision) {
        throw new GatewatchError('conflict', 'The alert changed.')
      }
      return { ...alert, revision: 4 }
    }
    const { app, apiKey } = await startApi({
      alerts: {
        list: async () => ({ alerts: [alert] }),
        withActions: async (tenant, id) =>
          tenant === 'acme' && id === 'a1' ? { alert, actions: [] } : undefined,
        ofFinding: async () => 'a1',
        openBySeverity: async () => ({ high: 1 }),
      },
      alertChanges: { acknowledge: change, close: change },
    })
    const post = (action: string, headers: Record<string, string> = {}, payload?: object) =>
      app.inject({
        method: 'POST',
        url: `/v1/alerts/a1/${action}`,
        headers: { ...LOCAL, authorization: `Bearer ${apiKey}`, ...headers },
        ...(payload === undefined ? {} : { payload }),
      })
    return { app, apiKey, post, changes }
  }

  it('gives the revision as ETag and honours If-Match', async () => {
    const { app, apiKey, post, changes } = await startWithAlert()
    expect((await getJson(app, '/v1/alerts/a1', apiKey)).headers['etag']).toBe('"3"')
    const changed = await post('acknowledge', { 'if-match': '"3"' }, { note: 'mine' })
    expect(changed.statusCode).toBe(200)
    expect(changed.headers['etag']).toBe('"4"')
    expect(changes).toEqual([
      { tenant: 'acme', alertId: 'a1', by: 'admin', note: 'mine', expectedRevision: 3 },
    ])
    const stale = await post('close', { 'if-match': '"2"' }, { reason: 'false_positive' })
    expect(stale.statusCode).toBe(412)
    expect(stale.json()).toMatchObject({ code: 'conflict' })
    expect((await post('acknowledge', { 'if-match': 'three' }, {})).statusCode).toBe(400)
  })

  it('acknowledges without a body, closes only with a known reason', async () => {
    const { post } = await startWithAlert()
    expect((await post('acknowledge')).statusCode).toBe(200)
    expect((await post('close', {}, { reason: 'boring' })).statusCode).toBe(400)
    expect((await post('close')).statusCode).toBe(400)
  })
})

describe('the dashboard', () => {
  async function startWithPages() {
    const folder = await mkdtemp(join(tmpdir(), 'gatewatch-pages-'))
    await mkdir(join(folder, 'assets'))
    await writeFile(join(folder, 'index.html'), '<!doctype html><title>gatewatch</title>')
    await writeFile(join(folder, 'assets', 'index-abc.js'), 'export {}')
    await writeFile(join(folder, 'secret.txt'), 'secret')
    onTestFinished(() => rm(folder, { recursive: true }))
    const { app } = await startApi({ dashboardFolder: folder })
    return (url: string) => app.inject({ url, headers: LOCAL })
  }

  it('is served without a credential, the page fresh and its assets for ever', async () => {
    const get = await startWithPages()
    const page = await get('/')
    expect([page.statusCode, page.headers['cache-control']]).toEqual([200, 'no-cache'])
    expect(page.headers['content-type']).toContain('text/html')
    expect(page.headers['content-security-policy']).toContain("script-src 'self'")
    const asset = await get('/assets/index-abc.js')
    expect([asset.statusCode, asset.headers['cache-control']]).toEqual([
      200,
      'public, max-age=31536000, immutable',
    ])
    expect(asset.headers['content-type']).toContain('javascript')
  })

  it.each([
    '/secret.txt',
    '/assets/../secret.txt',
    '/assets/%2e%2e/secret.txt',
    '/assets/..%2fsecret.txt',
    '/assets/%2e%2e%5csecret.txt',
    '/assets/missing.js',
    '/assets/',
  ])('gives nothing else: %s', async (url) => {
    const get = await startWithPages()
    const answer = await get(url)
    expect(answer.statusCode).toBeGreaterThanOrEqual(400)
    expect(answer.statusCode).toBeLessThan(500)
    expect(answer.payload).not.toBe('secret')
    expect(answer.headers['cache-control']).not.toContain('immutable')
  })
})
