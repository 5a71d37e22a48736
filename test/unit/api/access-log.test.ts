import { describe, expect, it } from 'vitest'
import { type AccessEntry, createAccessLog } from '../../../api/access-log.ts'
import { createManualClock } from '../../../core/clock.ts'
import { getJson, LOCAL, NOW_MS, startApi } from './api-fixture.ts'

async function start({ broken = false } = {}) {
  const kept: AccessEntry[] = []
  const failures: unknown[] = []
  const clock = createManualClock(NOW_MS)
  const accessLog = createAccessLog({
    clock,
    required: false,
    keep: async (entry) => {
      if (broken) throw new Error('the disk is full')
      kept.push(entry)
    },
    onFailure: (error) => failures.push(error),
  })
  return { ...(await startApi({ accessLog })), kept, failures, logClock: clock }
}

describe('the access log', () => {
  it('has who read what from where', async () => {
    const { app, apiKey, kept } = await start()
    await getJson(app, '/v1/events?q=tool:vault&from=-7d', apiKey)
    expect(kept).toEqual([
      {
        ...{ atMs: NOW_MS, tenant: 'acme', subject: 'admin', by: 'api_key', address: '127.0.0.1' },
        ...{ action: 'read', call: 'GET /v1/events', allowed: true },
        parameters: expect.objectContaining({ q: 'tool:vault', from: '-7d' }),
      },
    ])
  })

  it('has the same read once a minute, and another one by itself', async () => {
    const { app, apiKey, tokenFor, kept, logClock } = await start()
    for (let time = 0; time < 5; time++) await getJson(app, '/v1/events?q=a', apiKey)
    await getJson(app, '/v1/events?q=b', apiKey)
    await getJson(app, '/v1/events?q=a', tokenFor(['events:read']))
    expect(kept.map(({ subject, parameters }) => [subject, parameters['q']])).toEqual([
      ['admin', 'a'],
      ['admin', 'b'],
      ['alice', 'a'],
    ])
    logClock.advance(60_000)
    await getJson(app, '/v1/events?q=a', apiKey)
    expect(kept).toHaveLength(4)
  })

  it('has who was refused, and why', async () => {
    const { app, tokenFor, kept } = await start()
    await app.inject({ url: '/v1/events', headers: LOCAL })
    await getJson(app, '/v1/events', `gw_${'A'.repeat(43)}`)
    await getJson(app, '/v1/alerts', tokenFor(['events:read']))
    await app.inject({ url: '/login?ticket=wrong', headers: LOCAL })
    expect(kept.map(({ allowed, reason, subject, call }) => [allowed, reason, subject, call])).toEqual([
      [false, 'none', undefined, 'GET /v1/events'],
      [false, 'api_key', undefined, 'GET /v1/events'],
      [false, 'capability', 'alice', 'GET /v1/alerts'],
      [false, 'ticket', undefined, 'GET /login'],
    ])
    expect(JSON.stringify(kept)).not.toContain('wrong')
  })

  it('has who signed in and out, and never the ticket', async () => {
    const { app, login, kept } = await start()
    const { session, ticket } = await login()
    const headers = { ...LOCAL, ...session, 'x-gatewatch-csrf': '1', 'sec-fetch-site': 'same-origin' }
    await app.inject({ method: 'POST', url: '/v1/token', headers, payload: {} })
    await app.inject({ method: 'POST', url: '/v1/logout', headers })
    expect(kept.map(({ action, subject, by }) => [action, subject, by])).toEqual([
      ['sign-in', 'admin', 'session'],
      ['make-credential', 'admin', 'session'],
      ['sign-out', 'admin', 'session'],
    ])
    for (const secret of [ticket, session.cookie, session['x-gatewatch-session-key']])
      expect(JSON.stringify(kept)).not.toContain(secret)
  })

  it('is not filled by callers whom nobody knows', async () => {
    const { app, kept } = await start()
    for (let count = 0; count < 700; count++)
      await app.inject({
        url: '/v1/events',
        headers: { ...LOCAL },
        remoteAddress: `10.0.${count >> 8}.${count & 255}`,
      })
    expect(kept).toHaveLength(600)
    expect(kept.at(-1)).toMatchObject({ reason: 'more_refusals_this_minute', address: 'many' })
  })

  it('does not have machines at work', async () => {
    const { app, tokenFor, kept } = await start()
    await app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: { ...LOCAL, authorization: `Bearer ${tokenFor(['events:write'])}` },
      payload: '{}',
    })
    await getJson(app, '/metrics', tokenFor(['metrics:read'])).catch(() => {})
    await app.inject({ url: '/healthz', headers: LOCAL })
    expect(kept).toEqual([])
  })

  it('answers without a record unless one is required', async () => {
    const { app, apiKey, failures } = await start({ broken: true })
    expect((await getJson(app, '/v1/events', apiKey)).status).toBe(200)
    expect(failures).toHaveLength(1)
  })

  it('answers, changes and signs in nothing without a required record', async () => {
    let isBroken = true
    const changes: string[] = []
    const kept: AccessEntry[] = []
    const clock = createManualClock(NOW_MS)
    const accessLog = createAccessLog({
      clock,
      required: true,
      keep: async (entry) => {
        if (isBroken) throw new Error('the disk is full')
        kept.push(entry)
      },
      onFailure: () => {},
    })
    const { app, apiKey, login, tokenFor } = await startApi({
      accessLog,
      backfills: {
        request: async ({ by }: { by: string }) => {
          changes.push(by)
          return '2026-08-21T00:00:00.000000Z'
        },
        left: async () => ({ work: [], waiting: 0 }),
      } as never,
    })
    const read = await getJson(app, '/v1/events', apiKey)
    expect([read.status, read.body['code'], read.body['retryable']]).toEqual([503, 'access_unrecorded', true])
    expect(read.headers['retry-after']).toBe('2')
    const change = await app.inject({
      method: 'POST',
      url: '/v1/backfills',
      headers: { ...LOCAL, authorization: `Bearer ${apiKey}` },
      payload: { from: '-7d' },
    })
    expect([change.statusCode, changes]).toEqual([503, []])
    const { answer } = await login()
    expect([answer.statusCode, answer.headers['set-cookie'], answer.headers['location']]).toEqual([
      503,
      undefined,
      undefined,
    ])
    expect((await getJson(app, '/v1/alerts', tokenFor(['events:read']))).status).toBe(503)
    isBroken = false
    expect((await getJson(app, '/v1/events', apiKey)).status).toBe(200)
    expect(kept).toHaveLength(1)
  })
})
