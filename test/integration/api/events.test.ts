import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AuditEvent } from '../../../core/audit-event.ts'
import { fromMillis } from '../../../core/timestamp.ts'
import { smallEvent } from '../../helpers/events.ts'
import { getJson, LOCAL, NOW_MS } from '../../unit/api/api-fixture.ts'
import { startStoredApi } from './store-fixture.ts'

type Api = Awaited<ReturnType<typeof startStoredApi>>

let api: Api
let counter = 0

beforeAll(async () => {
  api = await startStoredApi()
})
afterAll(() => api.close())

/** Minutes before the API's now. */
const ago = (minutes: number, micros = 0) =>
  fromMillis(NOW_MS - minutes * 60_000).replace('000Z', `${String(micros).padStart(3, '0')}Z`)

const event = (tenant: string, minutes: number, fields: Partial<AuditEvent> = {}): AuditEvent => {
  counter += 1
  return smallEvent({ tenant, offset: counter, occurred_at: ago(minutes), ...fields })
}

const get = (url: string, tenant: string) => getJson(api.app, url, api.tokenFor(['admin'], tenant))

const eventsOf = (body: Record<string, unknown>) => body['events'] as AuditEvent[]

async function walk(tenant: string, query: string, betweenPages: (page: number) => Promise<void>) {
  const seen: string[] = []
  let cursor: string | undefined
  for (let page = 0; page < 1000; page += 1) {
    const { status, body } = await get(
      `/v1/events?${query}${cursor === undefined ? '' : `&cursor=${cursor}`}`,
      tenant,
    )
    expect(status).toBe(200)
    seen.push(...eventsOf(body).map(({ event_id }) => event_id))
    cursor = body['next_cursor'] as string | undefined
    if (cursor === undefined) return seen
    await betweenPages(page)
  }
  throw new Error('the walk does not end')
}

describe('GET /v1/events', () => {
  it('walks all events exactly once while others are inserted, through ties and slices of time', async () => {
    const tenant = 'walk'
    const first = [
      ...Array.from({ length: 40 }, () => event(tenant, 5)),
      ...Array.from({ length: 60 }, (_, index) => event(tenant, 6 + index)),
      ...Array.from({ length: 60 }, (_, index) => event(tenant, 60 * 24 * (1 + index / 3))),
    ]
    await api.insert(first)
    const seen = await walk(tenant, 'from=-30d&limit=7', async (page) => {
      if (page % 5 === 0) await api.insert([event(tenant, 1), event(tenant, 0.5)])
    })
    expect(new Set(seen).size).toBe(seen.length)
    const ids = new Set(seen)
    expect(first.filter(({ event_id }) => !ids.has(event_id))).toEqual([])
    const byTime = new Map(first.map(({ event_id, occurred_at }) => [event_id, occurred_at]))
    const times = seen.flatMap((id) => byTime.get(id) ?? [])
    expect(times).toEqual(times.toSorted().reverse())
  })

  it('gives a fat chain in pages of bounded size, every call exactly once', async () => {
    const tenant = 'fat'
    const calls = Array.from({ length: 45 }, (_, index) =>
      event(tenant, 5 + Math.floor(index / 30), {
        'mcp.session.id': 'fat',
        'gen_ai.tool.call.arguments': JSON.stringify({ text: 'x'.repeat(400_000) }),
      }),
    )
    await api.insert(calls)
    const seen: string[] = []
    let cursor: string | undefined
    for (let page = 0; page < 10; page += 1) {
      const { status, body } = await get(
        `/v1/chains?key=session:fat${cursor === undefined ? '' : `&cursor=${cursor}`}`,
        tenant,
      )
      expect(status).toBe(200)
      const events = eventsOf(body)
      expect(events.length * 400_000).toBeLessThanOrEqual(8 * 1024 ** 2)
      seen.unshift(...events.map(({ event_id }) => event_id))
      cursor = body['next_cursor'] as string | undefined
      expect(body['truncated']).toBe(cursor !== undefined)
      if (cursor === undefined) break
    }
    expect(seen.toSorted()).toEqual(calls.map(({ event_id }) => event_id).toSorted())
    const timeOf = new Map(calls.map(({ event_id, occurred_at }) => [event_id, occurred_at]))
    const times = seen.map((id) => timeOf.get(id))
    expect(times).toEqual(times.toSorted())
  })

  it('shows the corrected version of an event once, and counts it once', async () => {
    const tenant = 'corrected'
    const before = event(tenant, 10, { outcome: 'unknown', actor: 'someone' })
    const after = { ...before, outcome: 'denied' as const, actor: 'dora' }
    await api.insert([before, event(tenant, 11)])
    await api.correct(before, after)
    const { body } = await get('/v1/events', tenant)
    expect(eventsOf(body).map(({ actor }) => actor)).toEqual(['dora', 'alice@example.com'])
    expect((await get('/v1/events?actor=someone', tenant)).body).toEqual({ events: [] })
    expect((await get(`/v1/events/${before.event_id}`, tenant)).body).toMatchObject({ outcome: 'denied' })
    expect(eventsOf((await get('/v1/chains?key=session:s1', tenant)).body)).toHaveLength(2)
    const { body: overview } = await get('/v1/overview', tenant)
    expect(overview).toMatchObject({ calls: 2, denials: 1, active_actors: 2 })
    const { body: facet } = await get('/v1/facets?field=actor', tenant)
    expect(facet['values']).toEqual([
      { value: 'alice@example.com', count: 1 },
      { value: 'dora', count: 1 },
    ])
  })

  it('filters by every parameter and by the filter language', async () => {
    const tenant = 'filters'
    const wanted = event(tenant, 3, {
      actor: 'eve',
      'mcp.server.name': 'vault',
      'gen_ai.tool.name': 'read_secret',
      outcome: 'denied',
      capability: 'read-credential',
      'mcp.session.id': 'eve',
    })
    await api.insert([wanted, event(tenant, 3), event(tenant, 2000, { actor: 'eve' })])
    for (const query of [
      'actor=eve',
      'server=vault',
      'tool=read_secret',
      'outcome=denied',
      'capability=read-credential',
      'chain=session:eve',
      `q=${encodeURIComponent('actor:eve tool:vault/*')}`,
      `q=${encodeURIComponent('-outcome:success')}&actor=&server=`,
    ]) {
      const { body } = await get(`/v1/events?${query}`, tenant)
      expect([query, eventsOf(body).map(({ event_id }) => event_id)]).toEqual([query, [wanted.event_id]])
    }
    const { body } = await get(`/v1/volume?q=${encodeURIComponent('actor:eve')}&step_seconds=3600`, tenant)
    const buckets = body['buckets'] as { calls: number; denials: number }[]
    expect(buckets.reduce((sum, { calls }) => sum + calls, 0)).toBe(1)
    expect(buckets.reduce((sum, { denials }) => sum + denials, 0)).toBe(1)
  })

  it('says where a filter is wrong', async () => {
    const { status, body } = await get(`/v1/events?q=${encodeURIComponent('actor:alice OR )')}`, 'x')
    expect(status).toBe(400)
    expect(body).toMatchObject({ code: 'filter_syntax', field: 'q', column: 16 })
  })

  it('refuses cursors that are not ours', async () => {
    for (const key of [['x', 'y'], ['2026-08-21T14:00:00.000000Z'], { a: 1 }, "';DROP TABLE events"]) {
      const cursor = Buffer.from(JSON.stringify(key)).toString('base64url')
      const { status, body } = await get(`/v1/events?cursor=${cursor}`, 'x')
      expect([status, body['field']]).toEqual([400, 'cursor'])
    }
  })

  it('gives hostile text back as it came', async () => {
    const tenant = 'hostile'
    const text = `</script><img src=x onerror=alert(1)>‮ '; DROP TABLE events; -- \u001b[31m {x:String} \\N`
    const hostile = event(tenant, 4, { actor: text, 'gen_ai.tool.name': text, 'mcp.session.id': text })
    await api.insert([hostile])
    for (const url of [
      `/v1/events?actor=${encodeURIComponent(text)}`,
      `/v1/events?tool=${encodeURIComponent(text)}`,
      `/v1/chains?key=${encodeURIComponent(`session:${text}`)}`,
    ]) {
      expect(eventsOf((await get(url, tenant)).body)).toMatchObject([
        { actor: text, chain: `session:${text}` },
      ])
    }
  })
})

describe('GET /v1/volume', () => {
  it('is dense and the same from rollups as from events', async () => {
    const tenant = 'volume'
    await api.insert([
      event(tenant, 61),
      event(tenant, 62, { outcome: 'failure' }),
      event(tenant, 63, { outcome: 'timeout' }),
      event(tenant, 200, { outcome: 'denied' }),
    ])
    const range = `from=${ago(600)}&to=${ago(0)}&step_seconds=3600`
    const { body } = await get(`/v1/volume?${range}`, tenant)
    const buckets = body['buckets'] as { start: string; calls: number; failures: number; denials: number }[]
    expect(buckets).toHaveLength(10)
    expect(buckets[8]).toEqual({ start: ago(120), calls: 3, failures: 2, denials: 0 })
    expect(buckets[6]).toMatchObject({ calls: 1, denials: 1 })
    const fromEvents = await get(`/v1/volume?${range}&q=${encodeURIComponent('tool:*')}`, tenant)
    expect(fromEvents.body).toEqual(body)
    const minutes = await get(`/v1/volume?from=${ago(65)}&to=${ago(60)}&step_seconds=60`, tenant)
    expect((minutes.body['buckets'] as { calls: number }[]).map(({ calls }) => calls)).toEqual([
      0, 0, 1, 1, 1,
    ])
  })
})

describe('GET /v1/overview', () => {
  it('says how far ingest is', async () => {
    const tenant = 'overview'
    expect((await get('/v1/overview', tenant)).body).toMatchObject({
      calls: 0,
      ingest: { lag_seconds: 0, events_total: 0, dead_letters_total: 0 },
    })
    await api.insert([
      event(tenant, 2, { 'mcp.server.name': 'a' }),
      event(tenant, 3000, { 'mcp.server.name': 'b' }),
    ])
    await api.writer.write(
      api.encodeBatch({
        events: [],
        parts: [],
        deadLetters: [1, 2, 3].map((offset) => ({
          tenant,
          topic: 'http',
          partition: 0,
          offset,
          recordIndex: 0,
          sourceFormat: '',
          reason: offset === 1 ? 'record_empty' : 'record_not_json',
          message: 'The record is not valid JSON.',
          field: '',
          record: '{',
          recordEncoding: 'utf8',
          recordBytes: 1,
        })),
      }),
      'dead-letters-of-overview',
    )
    const { body } = await get('/v1/overview', tenant)
    expect(body).toMatchObject({
      calls: 1,
      servers: 1,
      active_tools: 1,
      top_actors: [{ actor: 'alice@example.com', calls: 1, findings: 0 }],
      ingest: { last_occurred_at: ago(2), events_total: 2, dead_letters_total: 3 },
    })
    const page = await get('/v1/dead-letters?limit=2', tenant)
    expect(page.body['counts']).toEqual({ record_empty: 1, record_not_json: 2 })
    const rest = await get(`/v1/dead-letters?limit=2&cursor=${String(page.body['next_cursor'])}`, tenant)
    const ids = [page, rest].flatMap(({ body: { dead_letters } }) =>
      (dead_letters as { dead_letter_id: string }[]).map(({ dead_letter_id }) => dead_letter_id),
    )
    expect(new Set(ids).size).toBe(3)
    expect(rest.body['next_cursor']).toBeUndefined()
    expect((await get('/v1/dead-letters?reason=record_empty', tenant)).body['dead_letters']).toHaveLength(1)
  })
})

describe('any query', () => {
  it('is answered or refused, never a fault of ours', async () => {
    const token = api.tokenFor(['admin'], 'walk')
    const names = [
      'from',
      'to',
      'q',
      'actor',
      'tool',
      'chain',
      'limit',
      'cursor',
      'step_seconds',
      'field',
      'key',
    ]
    const values = fc.oneof(
      fc.string({ maxLength: 40, unit: 'binary' }),
      fc.constantFrom(
        'now',
        '-1h',
        '-30d',
        '2026-08-21',
        '1',
        '1000',
        '-1',
        '0',
        '1e9',
        "'",
        '\\',
        '{x:String}',
      ),
      fc.constantFrom(
        'actor:',
        'actor:a OR',
        '((',
        'duration_ms:>1',
        'tool:*',
        '"',
        'ip:10.0.0.0/33',
        'a\u0000b',
      ),
    )
    const url = fc
      .tuple(
        fc.constantFrom(
          'events',
          'volume',
          'facets',
          'chains',
          'findings',
          'alerts',
          'dead-letters',
          'overview',
        ),
        fc.array(fc.tuple(fc.constantFrom(...names), values), { maxLength: 4 }),
      )
      .map(([path, query]) => `/v1/${path}?${new URLSearchParams(query).toString()}`)
    await fc.assert(
      fc.asyncProperty(url, async (path) => {
        const answer = await api.app.inject({
          url: path,
          headers: { ...LOCAL, authorization: `Bearer ${token}` },
        })
        expect([path, answer.statusCode < 500]).toEqual([path, true])
      }),
      { numRuns: 400 },
    )
  })
})
