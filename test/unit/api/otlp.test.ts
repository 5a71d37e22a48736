import { BinaryReader } from '@bufbuild/protobuf/wire'
import { expect, it } from 'vitest'
import type { EventIntake, Receipt } from '../../../api/routes/ingest.ts'
import { GatewatchError } from '../../../core/errors.ts'
import { startApi } from './api-fixture.ts'

const ALL: Receipt = {
  read: 1,
  stored: 1,
  deadLettered: 0,
  duplicate: 0,
  conflict: 0,
  compared: true,
  errors: [],
}

async function receiver(accept: EventIntake['accept'] = async () => ALL) {
  const taken: Parameters<EventIntake['accept']>[0][] = []
  const { app, tokenFor } = await startApi({
    intake: {
      accept: (body) => {
        taken.push(body)
        return accept(body)
      },
    },
  })
  const post = (url: string, type: string, payload: Buffer | string, more: Record<string, string> = {}) =>
    app.inject({
      method: 'POST',
      url,
      headers: {
        host: 'localhost',
        authorization: `Bearer ${tokenFor(['events:write'])}`,
        'content-type': type,
        ...more,
      },
      payload,
    })
  return { post, taken }
}

const PROTO = 'application/x-protobuf'
const JSON_TYPE = 'application/json'

it('names the format to the intake and passes no header of the client on', async () => {
  const { post, taken } = await receiver()
  await post('/v1/logs', PROTO, Buffer.of(0x0a, 0), { 'x-gatewatch-format': 'native', cookie: 'a=b' })
  await post('/v1/traces', `${JSON_TYPE}; charset=utf-8`, '{"resourceSpans":[{}]}')
  expect(taken.map(({ headers, tenant }) => [headers, tenant])).toEqual([
    [{ 'content-type': PROTO, 'x-gatewatch-format': 'otlp-proto' }, 'acme'],
    [{ 'content-type': JSON_TYPE, 'x-gatewatch-format': 'otlp-json' }, 'acme'],
  ])
})

it.each([
  ['overloaded', 503, 14],
  ['store_unavailable', 503, 14],
  ['rate_limited', 429, 8],
] as const)(
  '%s asks the client to come again: %i, Retry-After, in its encoding',
  async (code, status, rpc) => {
    const { post } = await receiver(() => Promise.reject(new GatewatchError(code, 'not now')))
    const json = await post('/v1/logs', JSON_TYPE, '{"resourceLogs":[{}]}')
    expect([json.statusCode, json.json().code]).toEqual([status, rpc])
    expect(Number(json.headers['retry-after'])).toBeGreaterThan(0)
    const proto = await post('/v1/logs', PROTO, Buffer.of(0x0a, 0))
    const reader = new BinaryReader(proto.rawPayload)
    reader.tag()
    expect([proto.statusCode, proto.headers['content-type'], reader.int32()]).toEqual([status, PROTO, rpc])
    expect(Number(proto.headers['retry-after'])).toBeGreaterThan(0)
  },
)

it('says nothing of what broke inside', async () => {
  const { post } = await receiver(() => Promise.reject(new Error('secret path /srv/x')))
  const reply = await post('/v1/traces', JSON_TYPE, '{"resourceSpans":[{}]}')
  expect([reply.statusCode, reply.json().code]).toEqual([500, 13])
  expect(reply.body).not.toContain('secret')
})

it('takes one faulty record of one for a partial success, one unreadable message for 400', async () => {
  const faulty = (reason: 'time_in_future' | 'record_not_json') => async () => ({
    ...{ read: 1, stored: 0, deadLettered: 1, duplicate: 0, conflict: 0, compared: true },
    errors: [{ line: 1, reason, message: 'why' }],
  })
  const late = await receiver(faulty('time_in_future'))
  const partial = await late.post('/v1/logs', JSON_TYPE, '{"resourceLogs":[{}]}')
  expect([partial.statusCode, partial.json()]).toEqual([
    200,
    {
      partialSuccess: {
        rejectedLogRecords: '1',
        errorMessage: '1 log records became dead letters (time_in_future). why',
      },
    },
  ])
  const broken = await receiver(faulty('record_not_json'))
  expect((await broken.post('/v1/logs', JSON_TYPE, '{')).statusCode).toBe(400)
})

it('refuses bodies in encodings that it does not know, and types that are not OTLP’s', async () => {
  const { post, taken } = await receiver()
  const packed = await post('/v1/logs', JSON_TYPE, 'x', { 'content-encoding': 'br' })
  expect(packed.statusCode).toBe(415)
  expect(packed.headers['accept-encoding']).toBe('gzip, zstd, deflate')
  expect(packed.json().message).toMatch(/gzip or zstd or deflate/)
  expect((await post('/v1/logs', 'application/x-ndjson', '{}')).statusCode).toBe(415)
  expect(taken).toEqual([])
})

it('answers metrics, and hands none of them on', async () => {
  const { post, taken } = await receiver()
  const json = await post('/v1/metrics', JSON_TYPE, '{"resourceMetrics":[{}]}')
  expect([json.statusCode, json.body]).toEqual([200, '{}'])
  const proto = await post('/v1/metrics', PROTO, Buffer.of(0x0a, 0))
  expect([proto.statusCode, proto.rawPayload.length]).toEqual([200, 0])
  expect((await post('/v1/metrics', 'text/plain', 'x')).statusCode).toBe(415)
  expect(taken).toEqual([])
})

it('takes a message without records for a success', async () => {
  const { post } = await receiver(async () => ({ ...ALL, read: 0, stored: 0 }))
  for (const body of ['{}', ' { } ', '{"resourceLogs":[{"resource":{},"scopeLogs":[]}]}']) {
    const answer = await post('/v1/logs', JSON_TYPE, body)
    expect([answer.statusCode, answer.body]).toEqual([200, '{}'])
  }
})
