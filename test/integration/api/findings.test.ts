import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Alert } from '../../../core/alert.ts'
import type { Finding } from '../../../core/finding.ts'
import { smallEvent } from '../../helpers/events.ts'
import { findingOf } from '../../helpers/findings.ts'
import { getJson, LOCAL } from '../../unit/api/api-fixture.ts'
import { startStoredApi } from './store-fixture.ts'

type Api = Awaited<ReturnType<typeof startStoredApi>>

const TENANT = 'acme'
const WINDOW = { start: '2026-08-21T13:00:00.000000Z', end: '2026-08-21T14:00:00.000000Z' }

let api: Api
let found: Record<'volume' | 'off-hours' | 'new-value' | 'chain', Finding>

const events = Array.from({ length: 3 }, (_, index) =>
  smallEvent({
    tenant: TENANT,
    offset: index,
    actor: 'carol@example.com',
    occurred_at: `2026-08-21T13:0${index}:30.000000Z`,
  }),
)

/** Every Monday of July at nine, so that there are habits. */
const habit = [6, 13, 20, 27].map((day, index) =>
  smallEvent({
    tenant: TENANT,
    offset: 100 + index,
    actor: 'carol@example.com',
    occurred_at: `2026-07-${String(day).padStart(2, '0')}T09:10:00.000000Z`,
  }),
)

beforeAll(async () => {
  api = await startStoredApi()
  await api.insert([...events, ...habit])
  await api.insert([smallEvent({ tenant: 'other', offset: 1, occurred_at: '2026-08-21T13:10:00.000000Z' })])
  const base = {
    tenant: TENANT,
    window: WINDOW,
    event_ids: events.map(({ event_id }) => event_id),
    event_count: 3,
    first_event_at: '2026-08-21T13:00:30.000000Z',
    last_event_at: '2026-08-21T13:02:30.000000Z',
  }
  const make = (detector: keyof typeof found, explanation: object): Finding =>
    findingOf({
      ...base,
      rule: `rule-${detector}`,
      detector,
      explanation: { ...findingOf().explanation, ...explanation },
    })
  found = {
    volume: make('volume', { expected: { at_most: 31, mean_when_active: 9.25 } }),
    'off-hours': make('off-hours', {
      expected: { timezone_offset_minutes: 120 },
      flagged: [{ weekday: 4, half_hour: 30 }],
    }),
    'new-value': make('new-value', { observed: { server: 'github', tool: 'search_issues' } }),
    chain: make('chain', {
      steps: [
        { step: 1, event_id: events[0]?.event_id, capability: 'read' },
        { step: 2, event_id: events[2]?.event_id, capability: 'read' },
      ],
    }),
  }
  await api.find(Object.values(found))
})
afterAll(() => api.close())

const get = (url: string, tenant = TENANT) => getJson(api.app, url, api.tokenFor(['admin'], tenant))

const post = (url: string, payload: object, headers: Record<string, string> = {}, tenant = TENANT) =>
  api.app.inject({
    method: 'POST',
    url,
    headers: { ...LOCAL, authorization: `Bearer ${api.tokenFor(['admin'], tenant)}`, ...headers },
    payload,
  })

const idsOf = (body: Record<string, unknown>) =>
  (body['findings'] as Finding[]).map(({ finding_id }) => finding_id)

describe('findings', () => {
  it('are listed with filters and walked by cursor', async () => {
    const all = await get('/v1/findings')
    expect(idsOf(all.body).toSorted()).toEqual(
      Object.values(found)
        .map(({ finding_id }) => finding_id)
        .toSorted(),
    )
    expect(idsOf((await get('/v1/findings?detector=chain')).body)).toEqual([found.chain.finding_id])
    expect(idsOf((await get('/v1/findings?actor=nobody')).body)).toEqual([])
    expect(idsOf((await get('/v1/findings?to=2026-08-21T13:00:00Z')).body)).toEqual([])
    const walked: string[] = []
    let cursor = ''
    do {
      const { body } = await get(`/v1/findings?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`)
      walked.push(...idsOf(body))
      cursor = (body['next_cursor'] as string | undefined) ?? ''
    } while (cursor !== '')
    expect(walked).toEqual(idsOf(all.body))
  })

  it('come with events, alert and deliveries', async () => {
    const { body } = await get(`/v1/findings/${found.volume.finding_id}`)
    expect(body['finding']).toMatchObject({ ...found.volume, status: 'current' })
    expect((body['events'] as { event_id: string }[]).map(({ event_id }) => event_id)).toEqual(
      found.volume.event_ids,
    )
    expect(body['alert_id']).toEqual(expect.any(String))
    expect(body['deliveries']).toMatchObject([
      { receiver: 'soc', kind: 'webhook', status: 'due', notice: 'opened' },
    ])
  })

  it('have the numbers of their picture', async () => {
    const volume = (await get(`/v1/findings/${found.volume.finding_id}/baseline`)).body
    expect(volume).toMatchObject({ kind: 'volume', step_seconds: 3600, expected: 9.25, upper: 31 })
    const points = volume['points'] as { start: string; calls: number }[]
    expect(points.find(({ start }) => start === WINDOW.start)).toEqual({ start: WINDOW.start, calls: 3 })
    expect(points.length).toBeGreaterThan(7 * 24)

    const offHours = (await get(`/v1/findings/${found['off-hours'].finding_id}/baseline`)).body
    const cells = offHours['cells'] as number[][]
    expect(offHours).toMatchObject({
      timezone_offset_minutes: 120,
      flagged: [{ weekday: 4, half_hour: 30 }],
    })
    // Mondays 09:10 UTC are 11:10 local; the 20th and 27th are within 28 days of the finding.
    expect(cells[0]?.[22]).toBe(1)
    expect(cells.flat().reduce((sum, days) => sum + days, 0)).toBe(1)

    const newValue = (await get(`/v1/findings/${found['new-value'].finding_id}/baseline`)).body
    expect(newValue).toEqual({
      kind: 'new-value',
      server: 'github',
      tool: 'search_issues',
      first_seen: [{ actor: 'carol@example.com', at: '2026-07-06T09:10:00.000000Z' }],
    })
    const chain = (await get(`/v1/findings/${found.chain.finding_id}/baseline`)).body
    expect(chain['steps']).toEqual([
      { event_id: events[0]?.event_id, capability: 'read', step: 1 },
      { event_id: events[2]?.event_id, capability: 'read', step: 2 },
    ])
  })

  it('are counted on the first page', async () => {
    expect((await get('/v1/overview')).body).toMatchObject({
      findings_by_detector: { volume: 1, 'off-hours': 1, 'new-value': 1, chain: 1 },
      open_alerts_by_severity: { medium: 4 },
      top_actors: [{ actor: 'carol@example.com', calls: 3, findings: 4 }],
    })
  })
})

describe('alerts', () => {
  it('are acknowledged and closed, without losing a change', async () => {
    const { body } = await get('/v1/alerts?status=open')
    const [alert] = body['alerts'] as (Alert & { deliveries_summary: object })[]
    expect(alert?.deliveries_summary).toEqual({ delivered: 0, due: 1, failed: 0, digested: 0 })
    const url = `/v1/alerts/${alert?.alert_id}`
    const { headers } = await get(url)
    const etag = String(headers['etag'])
    const acknowledged = await post(`${url}/acknowledge`, { note: 'looking' }, { 'if-match': etag })
    expect(acknowledged.json()).toMatchObject({ status: 'acknowledged', acknowledged_by: 'alice' })
    const stale = await post(`${url}/close`, { reason: 'other' }, { 'if-match': etag })
    expect([stale.statusCode, stale.json()['code']]).toEqual([412, 'conflict'])
    expect((await post(`${url}/close`, { reason: 'benign_positive' })).json()).toMatchObject({
      status: 'closed',
      closed_reason: 'benign_positive',
    })
    expect((await post(`${url}/acknowledge`, {})).statusCode).toBe(409)
    const detail = await get(url)
    expect((detail.body['actions'] as { kind: string }[]).map(({ kind }) => kind)).toEqual([
      'opened',
      'acknowledged',
      'closed',
    ])
    expect(detail.body['findings']).toHaveLength(1)
  })
})

describe('another tenant', () => {
  it('sees nothing and changes nothing, on every route', async () => {
    const { body } = await get('/v1/alerts')
    const alertId = (body['alerts'] as Alert[])[0]?.alert_id ?? ''
    for (const url of [
      `/v1/events/${events[0]?.event_id}`,
      `/v1/findings/${found.volume.finding_id}`,
      `/v1/findings/${found.volume.finding_id}/baseline`,
      `/v1/alerts/${alertId}`,
      `/v1/chains?key=${events[0]?.chain}x`,
    ]) {
      expect([url, (await get(url, 'stranger')).status]).toEqual([url, 404])
    }
    for (const url of [
      '/v1/events?from=-60d',
      '/v1/events?from=-60d&tenant=acme',
      `/v1/events?from=-60d&q=${encodeURIComponent('actor:carol@example.com OR actor:*')}`,
      '/v1/findings',
      '/v1/alerts',
      '/v1/deliveries',
      '/v1/dead-letters',
      '/v1/dead-letters/counts',
      '/v1/facets?from=-60d&field=actor',
      '/v1/overview?from=-60d',
      '/v1/volume?from=-60d',
    ]) {
      const answer = await get(url, 'stranger')
      const text = JSON.stringify(answer.body)
      expect([url, /carol|github|rule-|session:s1|"calls":[1-9]/.test(text)]).toEqual([url, false])
    }
    expect((await post(`/v1/alerts/${alertId}/acknowledge`, {}, {}, 'stranger')).statusCode).toBe(404)
  })
})

describe('the description', () => {
  it('fits what is answered', async () => {
    const description = (await get('/openapi.json')).body as {
      paths: Record<
        string,
        { get?: { responses: Record<string, { content: Record<string, { schema: object }> }> } }
      >
    }
    const { body: alerts } = await get('/v1/alerts')
    const alertId = (alerts['alerts'] as Alert[])[0]?.alert_id
    const finding = found.volume.finding_id
    const cases: [path: string, url: string][] = [
      ['/v1/events', '/v1/events'],
      ['/v1/events/{event_id}', `/v1/events/${events[0]?.event_id}`],
      ['/v1/chains', '/v1/chains?key=session:s1'],
      ['/v1/volume', '/v1/volume'],
      ['/v1/facets', '/v1/facets?field=actor'],
      ['/v1/overview', '/v1/overview'],
      ['/v1/findings', '/v1/findings'],
      ['/v1/findings/{id}', `/v1/findings/${finding}`],
      ...Object.values(found).map(({ finding_id }): [string, string] => [
        '/v1/findings/{id}/baseline',
        `/v1/findings/${finding_id}/baseline`,
      ]),
      ['/v1/alerts', '/v1/alerts'],
      ['/v1/alerts/{id}', `/v1/alerts/${alertId}`],
      ['/v1/deliveries', '/v1/deliveries'],
      ['/v1/dead-letters', '/v1/dead-letters'],
      ['/v1/dead-letters/counts', '/v1/dead-letters/counts'],
      ['/readyz', '/readyz'],
    ]
    const ajv = new Ajv2020({ strict: false, allErrors: true })
    for (const [path, url] of cases) {
      const schema = description.paths[path]?.get?.responses['200']?.content['application/json']?.schema
      expect([path, schema === undefined]).toEqual([path, false])
      const validate = ajv.compile(schema ?? false)
      validate((await get(url)).body)
      expect([url, validate.errors]).toEqual([url, null])
    }
  })
})
