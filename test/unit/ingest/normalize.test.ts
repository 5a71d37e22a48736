import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AuditEvent } from '../../../core/audit-event.ts'
import { destinationOf } from '../../../ingest/destination.ts'
import { addressOf, durationOf } from '../../../ingest/formats/field-values.ts'
import { readNanos, readTime } from '../../../ingest/formats/read-time.ts'
import { MAX_TEXT } from '../../../ingest/normalize.ts'
import { record, run } from './sample-pipeline.ts'

const event = (fields: object): AuditEvent | undefined =>
  run([
    record(JSON.stringify({ occurred_at: '2026-11-19T10:00:00Z', 'gen_ai.tool.name': 'echo', ...fields })),
  ]).events[0]

describe('readTime', () => {
  it.each([
    ['2026-08-21T14:03:11.482915Z', '2026-08-21T14:03:11.482915Z'],
    ['2026-08-21T14:03:11Z', '2026-08-21T14:03:11.000000Z'],
    ['2026-08-21 14:03:11,5', '2026-08-21T14:03:11.500000Z'],
    ['2026-08-21T14:03:11.482915999+02:00', '2026-08-21T12:03:11.482915Z'],
    ['2026-08-21T14:03-0530', '2026-08-21T19:33:00.000000Z'],
    ['2026-08-21T14:03:11 UTC', '2026-08-21T14:03:11.000000Z'],
    ['2028-02-29T00:00:00Z', '2028-02-29T00:00:00.000000Z'],
    ['2016-12-31T23:59:60Z', '2016-12-31T23:59:59.999999Z'],
    [1787666591, '2026-08-25T14:03:11.000000Z'],
    [1787666591.237, '2026-08-25T14:03:11.237000Z'],
    [1787666591237, '2026-08-25T14:03:11.237000Z'],
    [1787666591237245, '2026-08-25T14:03:11.237245Z'],
    ['1787666591237245123', '2026-08-25T14:03:11.237245Z'],
    ['1787666591', '2026-08-25T14:03:11.000000Z'],
    [1e300, '9999-12-31T23:59:59.999999Z'],
  ])('%j', (given, expected) => {
    expect(readTime(given)).toBe(expected)
  })
  it.each([
    '',
    'soon',
    '2026-13-01T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '2026-02-29T00:00:00.000000Z',
    '2026-08-21T24:00:00.000000Z',
    '2026-08-21',
    true,
    null,
    Number.NaN,
    {},
    '2026-08-21T14:03:11+99:00',
  ])('%j is no time', (given) => {
    expect(readTime(given)).toBeUndefined()
  })
  it('reads nanoseconds without losing microseconds', () => {
    expect(readNanos('1793606400003000999')).toBe('2026-11-02T08:00:00.003000Z')
    expect([readNanos('0'), readNanos(''), readNanos('x'), readNanos(undefined)]).toEqual(
      Array(4).fill(undefined),
    )
  })
})

describe('values', () => {
  it('addresses lose their port', () => {
    expect(
      ['10.0.0.1:443', '[::1]:61586', '2001:db8::1', '10.0.0.1, 10.9.9.9', 'host', '-', ''].map(addressOf),
    ).toEqual(['10.0.0.1', '::1', '2001:db8::1', '10.0.0.1', 'host', undefined, undefined])
  })
  it('durations have units', () => {
    expect(['10ms', '2.5s', '1500us', '7', 7, '1m', '-1ms', 'x'].map(durationOf)).toEqual([
      10,
      2500,
      1.5,
      7,
      7,
      60_000,
      undefined,
      undefined,
    ])
  })
  it('destinations are hosts and mail domains', () => {
    expect(
      [
        'https://u:p@Evil.example:8443/x?y',
        'Bob <bob@Evil.example>',
        'mailto:a@b.co',
        's3://bucket/key',
        'plain',
        'http://[::1]/',
      ].map((text) => destinationOf(text)),
    ).toEqual(['evil.example', 'evil.example', 'b.co', 'bucket', undefined, '[::1]'])
    expect(destinationOf('Bucket-1', true)).toBe('bucket-1')
  })
})

describe('events', () => {
  it('names actor, chain, keys and destination', () => {
    const args = { to: ['eve@evil.example'], body: 'hi', url: 7 }
    expect(
      event({
        'user.email': ' Alice@X.com ',
        'gen_ai.conversation.id': 'c',
        'gen_ai.tool.call.arguments': args,
      }),
    ).toMatchObject({
      actor: 'alice@x.com',
      chain: 'conversation:c',
      argument_keys: ['to', 'body', 'url'],
      destination: 'evil.example',
    })
  })

  it('writes trace ids as W3C does', () => {
    expect(
      event({
        trace_id: '5B8EFFF7-9803-8103-D269-B633813FC60C',
        span_id: 'EEE19B7EC3C1B174',
        parent_span_id: '0000000000000000',
      }),
    ).toMatchObject({
      trace_id: '5b8efff798038103d269b633813fc60c',
      span_id: 'eee19b7ec3c1b174',
    })
    expect(event({ parent_span_id: '0000000000000000', span_id: 'eee19b7ec3c1b174' })).toMatchObject({
      span_id: 'eee19b7ec3c1b174',
      parent_span_id: undefined,
    })
  })

  it('cuts long texts and says so', () => {
    const message = event({ 'error.message': 'x'.repeat(100_000) })?.['error.message']
    expect(message).toHaveLength(MAX_TEXT)
    expect(message).toMatch(/…\[cut, 100000 characters, [0-9a-f]{32}\]$/)
  })

  it('redacts before it hashes or stores: the same id for the same coordinates, another for others', () => {
    const ids = [
      record('{"gen_ai.tool.name":"a"}'),
      record('{"gen_ai.tool.name":"a"}'),
      record('{"gen_ai.tool.name":"a"}', { offset: 1 }),
    ].map((one) => run([one]).events[0]?.event_id)
    expect(ids[0]).toBe(ids[1])
    expect(ids[0]).not.toBe(ids[2])
    expect(event({ event_id: 'theirs' })?.event_id).toBe('theirs')
  })

  it('implies the method', () => {
    const method = (fields: string) =>
      run([record(`{"occurred_at":1787666591,${fields}}`)]).events[0]?.['mcp.method.name']
    expect(method('"gen_ai.tool.name":"x"')).toBe('tools/call')
    expect(method('"mcp.resource.uri":"file:///x"')).toBe('resources/read')
    expect(method('"gen_ai.prompt.name":"x"')).toBe('prompts/get')
  })
})

describe('ids of traces', () => {
  it('are lower-case hex without dashes where they are hex of that length, none where they are zeros, else as given', () => {
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF-0000'), maxLength: 40 })
    const exact = fc.string({ unit: fc.constantFrom(...'0a9fA'), minLength: 32, maxLength: 32 })
    const other = fc.string({ unit: fc.constantFrom(...'0f-g.é'), minLength: 1, maxLength: 34 })
    fc.assert(
      fc.property(fc.oneof(digits, exact, other, fc.constantFrom('0'.repeat(32), '-'.repeat(32))), (id) => {
        fc.pre(id !== '')
        const plain = id.replaceAll('-', '').toLowerCase()
        const isId = plain.length === 32 && /^[0-9a-f]+$/.test(plain)
        const expected = isId ? (/^0+$/.test(plain) ? undefined : plain) : id
        expect(event({ trace_id: id })?.trace_id).toBe(expected)
      }),
      { numRuns: 300 },
    )
  })
})

describe('parties, layers and approvals', () => {
  const SECRET = `ghp_${'a1B2c3D4e5F6'.repeat(3)}`

  it.each([
    'producer.id',
    'ai_agent.instance_uid',
    'ai_agent.parent_uid',
    'rpc.response.status_code',
    'gen_ai.security.policy.id',
    'approval.by',
    'approval.mode',
    'gen_ai.provider.name',
    'gen_ai.request.model',
    'gen_ai.response.model',
  ] as const)('%s is redacted, and too long is cut, told apart and marked', (field) => {
    expect(event({ [field]: SECRET })?.[field]).toMatch(/^hmac:k1:/)
    const [one, other] = ['a', 'b'].map((end) => event({ [field]: `${'x'.repeat(1200)}${end}` }))
    expect(one?.[field]).toMatch(/^x{900,}…\[cut, 1201 characters, [0-9a-f]{32}\]$/)
    expect(String(one?.[field])).toHaveLength(1024)
    expect(one?.[field]).not.toBe(other?.[field])
    expect(one?.record_flags).toEqual(['shortened'])
    expect(event({ [field]: 'x'.repeat(1024) })?.record_flags).toBeUndefined()
  })

  it('delegates are redacted one by one, and a chain that is too long is cut', () => {
    const chain = event({ 'delegation.chain': [SECRET, 'role/app', ...Array<string>(40).fill('x')] })?.[
      'delegation.chain'
    ]
    expect(chain?.[0]).toMatch(/^hmac:k1:/)
    expect(chain?.[1]).toBe('role/app')
    expect(chain).toHaveLength(32)
  })

  it('the outcome is derived from what the layers say', () => {
    expect(event({ 'http.response.status_code': 200, 'mcp.tool.is_error': true })?.outcome).toBe('failure')
    expect(event({ outcome: 'success', 'gen_ai.security.decision.type': 'blocked' })).toMatchObject({
      outcome: 'denied',
      'gen_ai.security.decision.type': 'deny',
    })
    expect(event({ 'approval.answer': 'accept' })).toMatchObject({
      outcome: 'unknown',
      'approval.answer': 'approved',
    })
  })

  it('headers number what a producer sends', () => {
    const headers = { 'x-gatewatch-sequence': '41', 'x-gatewatch-producer': SECRET }
    const value = '{"gen_ai.tool.name":"echo","producer.sequence":7}'
    const [numbered] = run([record(value, { headers })]).events
    expect(numbered?.['producer.sequence']).toBe(41)
    expect(numbered?.['producer.id']).toMatch(/^hmac:k1:/)
    const [said] = run([record(value, { headers: { 'x-gatewatch-sequence': 'many' } })]).events
    expect(said?.['producer.sequence']).toBe(7)
  })

  it('the sequence of a CloudEvent is its source’s', () => {
    const envelope = { specversion: '1.0', id: '1', source: '//gw/1', type: 'mcp.call', sequence: '00042' }
    const [found] = run([record(JSON.stringify({ ...envelope, data: { tool: 'echo' } }))]).events
    expect(found).toMatchObject({ 'producer.id': '//gw/1', 'producer.sequence': 42 })
  })

  it('a value of another type names the field', () => {
    const faultOf = (fields: object) =>
      run([record(JSON.stringify({ 'gen_ai.tool.name': 'echo', ...fields }))]).deadLetters[0]
    expect(faultOf({ 'http.response.status_code': 70_000 })).toMatchObject({
      reason: 'field_range',
      field: 'http.response.status_code',
    })
    expect(faultOf({ 'approval.asked': 'perhaps' })).toMatchObject({
      reason: 'field_type',
      field: 'approval.asked',
    })
    expect(faultOf({ 'gen_ai.security.decision.type': 'maybe' })).toMatchObject({
      reason: 'field_range',
      field: 'gen_ai.security.decision.type',
    })
  })
})
