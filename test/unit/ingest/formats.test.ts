import { readdirSync } from 'node:fs'
import { Value } from 'typebox/value'
import { describe, expect, it } from 'vitest'
import { AuditEventSchema } from '../../../core/audit-event.ts'
import { stableId } from '../../../core/hash.ts'
import { FORMATS } from '../../../ingest/formats/registry.ts'
import { assemble, eventsOf, record, run, sample } from './sample-pipeline.ts'

const expected = JSON.parse(sample('expected-events.json').toString('utf8')) as Record<string, unknown[]>

describe('samples', () => {
  it.each(Object.keys(expected))('%s gives exactly these events', (name) => {
    const batch = run([record(sample(name))])
    expect(batch.deadLetters).toEqual([])
    for (const event of eventsOf(batch)) expect(Value.Errors(AuditEventSchema, event)).toEqual([])
    const events = eventsOf(batch).map(({ tenant, topic, partition, offset, record_index, ...event }) => {
      expect([tenant, topic, partition, offset, record_index >= 0]).toEqual(['acme', 'calls', 0, 0, true])
      return event
    })
    expect(events).toEqual(expected[name])
  })

  it('recognises each sample as one format only, apart from our own', () => {
    for (const name of Object.keys(expected).filter((file) => file.endsWith('.json'))) {
      const json: unknown = JSON.parse(sample(name).toString('utf8'))
      const piece = { headers: {}, bytes: sample(name), text: sample(name).toString('utf8'), json }
      const names = FORMATS.filter((format) => format.recognises(piece)).map((format) => format.name)
      expect(names.filter((format) => format !== 'native').length, name).toBeLessThanOrEqual(1)
      expect(names.length, name).toBeGreaterThan(0)
    }
  })
})

describe('agentgateway', () => {
  const line = (fields: object): string =>
    JSON.stringify({
      time: '2026-08-21T14:03:11Z',
      scope: 'request',
      'src.addr': '1.2.3.4:5',
      'mcp.method.name': 'tools/call',
      'gen_ai.tool.name': 't',
      'http.status': 200,
      ...fields,
    })
  it.each([
    [{}, 'success'],
    [{ reason: 'Authorization' }, 'denied'],
    [{ reason: 'RateLimit', 'http.status': 429 }, 'denied'],
    [{ reason: 'MCP', error: 'mcp: Unknown tool: echo' }, 'denied'],
    [{ 'mcp.error.code': -32602, 'mcp.error.message': 'Unknown tool: echo' }, 'denied'],
    [{ 'mcp.error.code': -32603 }, 'failure'],
    [{ tool_result: { isError: true } }, 'failure'],
    [{ 'http.status': 504 }, 'timeout'],
  ])('%j is %s', (fields, outcome) => {
    expect(run([record(line(fields))]).events[0]?.outcome).toBe(outcome)
  })

  const traced = { 'trace.id': '286CB6C44380A45E1F77F29CE4D146FD', 'span.id': 'f7f30629c29d9089' }
  it('is a part of its trace, if it is about MCP and in a trace', () => {
    const [part] = run([record(line(traced))]).parts
    expect([part?.joinKey, part?.body.callKey]).toEqual([
      'calls trace:286cb6c44380a45e1f77f29ce4d146fd',
      'span:f7f30629c29d9089',
    ])
    for (const fields of [{}, { 'trace.id': traced['trace.id'] }]) {
      expect(run([record(line(fields))]).parts).toEqual([])
    }
    const model = { ...traced, 'mcp.method.name': undefined, 'gen_ai.tool.name': undefined }
    for (const fields of [{ protocol: 'llm' }, { reason: 'JwtAuth', 'http.status': 401 }]) {
      expect(run([record(line({ ...model, ...fields }))]).events).toHaveLength(1)
    }
  })

  it('is a refused request where nothing was read of it, and else no call without MCP', () => {
    const bare = { 'mcp.method.name': undefined, 'gen_ai.tool.name': undefined }
    const refused = run([record(line({ ...bare, reason: 'JwtAuth', 'http.status': 401 }))])
    expect(refused.events).toMatchObject([{ 'mcp.method.name': 'mcp/request', outcome: 'denied' }])
    expect(run([record(line(bare))]).deadLetters).toMatchObject([{ reason: 'not_a_call' }])
  })

  it('pads the microseconds of its times', () => {
    const times = ['12.59908Z', '12.5Z', '12.482915Z', '12Z'].map((end) =>
      run([record(line({ time: `2026-08-21T14:03:${end}` }))]).events[0]?.occurred_at.slice(17),
    )
    expect(times).toEqual(['12.059908Z', '12.000005Z', '12.482915Z', '12.000000Z'])
  })
})

describe('litellm', () => {
  // docs/formats.md tells operators to send one of the two; should LiteLLM ever write an id in both, they can be joined.
  it('has no id of a successful call in both its callback and its spans', () => {
    const records = JSON.parse(sample('litellm-live/00002.body').toString('utf8')) as Record<string, string>[]
    const spans = JSON.stringify(run([record(sample('litellm-live/00001.body'))]).parts)
    const idsOf = (call: Record<string, string>): readonly string[] =>
      ['id', 'litellm_call_id', 'trace_id'].flatMap((field) => {
        const id = call[field] ?? ''
        return [id, id.replaceAll('-', '')]
      })
    const calls = records.filter(({ call_type }) => call_type === 'call_mcp_tool')
    const known = calls.filter((call) => idsOf(call).some((id) => id !== '' && spans.includes(id)))
    expect(calls).toHaveLength(20)
    expect(known.map(({ status }) => status)).toEqual(['failure', 'failure', 'failure', 'failure'])
    const traces = new Set(
      run([record(sample('litellm-live/00001.body'))]).parts.map(({ joinKey }) => joinKey),
    )
    const callback = sample('litellm-live/00002.body').toString('utf8')
    expect([...traces].filter((key) => callback.includes(key.replace('trace:', '')))).toEqual([])
  })
})

describe('cloudevents', () => {
  it('reads binary mode: headers beside the data', () => {
    const { _kafka, value } = JSON.parse(sample('cloudevents-kafka-binary.json').toString('utf8'))
    const [event] = run([record(JSON.stringify(value), { headers: _kafka.headers })]).events
    expect(event).toMatchObject({
      event_id: stableId('/mycontext/subcontext', '1234-1234-1234'),
      occurred_at: '2018-04-05T03:56:24.000000Z',
      'gen_ai.tool.name': 'create_issue',
      source_format: 'cloudevents',
    })
  })

  it('reads structured mode, and native data inside it', () => {
    const { value } = JSON.parse(sample('cloudevents-kafka-structured.json').toString('utf8'))
    const [event] = run([record(JSON.stringify(value))]).events
    expect(event).toMatchObject({
      'mcp.server.name': 'github',
      trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
      'gateway.id': '/gateways/gw-1',
    })
    value.data = { 'gen_ai.tool.name': 'echo', 'user.id': 'u1', outcome: 'denied' }
    expect(run([record(JSON.stringify(value))]).events[0]).toMatchObject({ actor: 'u1', outcome: 'denied' })
  })
})

describe('captured live', () => {
  const files = (folder: string, end: string) =>
    readdirSync(new URL(`samples/${folder}`, import.meta.url))
      .filter((name) => name.endsWith(end))
      .map((name, offset) => record(sample(`${folder}/${name}`), { offset }))

  it.each([['_json-'], ['_proto-'], ['']])(
    'Collector on Kafka (%s): logs and traces give each call once',
    (kind) => {
      const records = files('otel-live', '').filter(({ value }) => value.length > 5000)
      const chosen = records.filter(
        (_, index) => kind === '' || (kind === '_proto-' ? index >= 2 : index < 2),
      )
      const batch = run(chosen)
      expect(batch.deadLetters).toEqual([])
      const events = assemble(batch.parts)
      const ids = sample('otel-live/ids.txt')
        .toString('utf8')
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/))
      // The messages that were kept hold the calls with even numbers.
      const wanted = ids.filter((_, index) => index % 2 === 0)
      const found = events.map((event) => [event.event_id, event.trace_id, event.span_id])
      expect(found.sort()).toEqual(wanted.sort())
      expect(
        events.every(
          ({ outcome, timestamp_source }) => outcome === 'success' && timestamp_source === 'event',
        ),
      ).toBe(true)
    },
  )

  it('ContextForge: 30 calls of 381 spans, with their people and outcomes', () => {
    const batch = run(files('contextforge-live', '.body'))
    expect([batch.parts.length, batch.deadLetters.length]).toEqual([381, 0])
    const calls = assemble(batch.parts).filter((event) => event['mcp.method.name'] === 'tools/call')
    const count = (actor: string, outcome: string) =>
      calls.filter((event) => event.actor === actor && event.outcome === outcome).length
    expect(calls).toHaveLength(30)
    expect(count('admin@example.com', 'success')).toBe(15)
    expect(count('admin@example.com', 'failure')).toBe(5)
    expect(count('bob@example.com', 'denied')).toBe(10)
    expect(calls.every((event) => event['client.address'] === '127.0.0.1')).toBe(true)
    expect(JSON.stringify(batch)).not.toContain('sk-canary')
  })

  it('LiteLLM’s callback: 20 calls, of which 4 failed', () => {
    const batch = run(files('litellm-live', '00002.body'))
    const calls = batch.events.filter((event) => event['mcp.method.name'] === 'tools/call')
    expect([batch.events.length, batch.deadLetters.length, calls.length]).toEqual([24, 0, 20])
    expect(calls.filter(({ outcome }) => outcome === 'failure')).toHaveLength(4)
    expect(calls.filter(({ actor }) => actor === 'alice@example.com')).toHaveLength(10)
    expect(JSON.stringify(batch)).not.toContain('sk-canary')
  })
})
