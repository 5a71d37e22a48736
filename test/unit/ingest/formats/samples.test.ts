import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { assemble, eventsOf, record, run, sample } from '../sample-pipeline.ts'

interface Variant {
  readonly format: string
  readonly what: string
  readonly record: unknown
  readonly expect: Readonly<Record<string, unknown>>
  /** `server/tool` of each definition. */
  readonly tools?: readonly string[]
}

const variants = JSON.parse(sample('variants.json').toString('utf8')) as Variant[]

/** A sample as a source sends it; those of CloudEvents on Kafka say what stands in the headers. */
function send(name: string) {
  const bytes = sample(name)
  if (!name.startsWith('cloudevents-')) return run([record(bytes)])
  const { _kafka, value } = JSON.parse(bytes.toString('utf8'))
  return run([record(JSON.stringify(value), { headers: _kafka.headers })])
}

// What each real sample becomes: events (whole or put together of parts), definitions of tools, or the reason why not.
const TABLE: Readonly<Record<string, readonly [events: number, tools: number, refused?: RegExp]>> = {
  'agentgateway-access-log-error.json': [1, 0],
  'agentgateway-access-log.json': [1, 0],
  'agentgateway-access-log.verbatim.txt': [2, 0],
  'agentgateway-otlp-log.json': [1, 0],
  'audit-logger.json': [1, 0],
  'aws-agentcore-gateway-cloudtrail-data-event.json': [1, 0],
  'aws-cloudtrail-management-event.json': [1, 0],
  'claude-code-otlp-logs.json': [3, 0],
  'claude-code-otlp-tool-span.json': [1, 0],
  'claude-code-tool-result-mcp.elastic-fixture.json': [1, 0],
  'cloudevents-kafka-binary.json': [1, 0],
  'cloudevents-kafka-structured.json': [1, 0],
  'codex-otlp-logs.json': [1, 0],
  'contextforge-audit-trail-row.json': [1, 1],
  'contextforge-otel-tool-invoke-span.json': [1, 0],
  'contextforge-siem-event.json': [1, 0],
  'contextforge-structured-log.json': [1, 0],
  'docker-mcp-gateway-interceptor-before.json': [1, 0],
  'docker-mcp-gateway-otel-span.json': [1, 0],
  'docker-mcp-gateway-policy-audit.json': [1, 0],
  'envoy-ai-gateway-mcp-access-log.json': [1, 0],
  'envoy-ai-gateway-otel-span.json': [1, 0],
  'invariant-gateway-trace.json': [2, 1],
  'kong-ai-mcp-log.json': [1, 0],
  'kong-full-log.json': [3, 0],
  'kuadrant-istio-access-log.json': [1, 0],
  'kuadrant-router-audit.json': [1, 0],
  'kubernetes-audit-event.json': [1, 0],
  'lasso-xetrack-event.json': [1, 0],
  'litellm-standard-logging-mcp.json': [1, 0],
  'mcp-2026-07-28-tools-call-request.json': [1, 0],
  'metamcp-log-entry.json': [0, 0, /^not_a_call: MetaMCP logs what happens to its servers/],
  'microsoft-mcp-gateway-session-event.json': [1, 0],
  'native-full.json': [1, 0],
  'native-nested.json': [1, 0],
  'ocsf-api-activity-6003.cloudtrail.json': [1, 0],
  'ocsf-api-activity-6003.mcp-example.json': [1, 0],
  'ocsf-detection-finding-2004.mcp-example.json': [0, 0, /^not_a_call: OCSF class 2004 Detection Finding/],
  'ocsf-detection-finding-2004.okta.json': [0, 0, /^not_a_call: OCSF class 2004 Detection Finding/],
  'openai-agents-sdk-spans.json': [2, 2],
  'otel-semconv-mcp-otlp-logs.json': [1, 0],
  'otel-semconv-mcp-otlp-traces.json': [1, 0],
  // Records of OTLP that are no calls are kept as parts: they may lend facts to the calls of their trace.
  'otlp-json-logs.proto-example.json': [0, 0],
  'otlp-json-trace.proto-example.json': [0, 0],
}

const OTHER_FILES = new Set(['expected-events.json', 'variants.json'])

describe('every sample', () => {
  const names = readdirSync(new URL('../samples/', import.meta.url)).filter((name) =>
    /\.(json|txt)$/.test(name),
  )

  it('is in the table', () => {
    const named = Object.keys(TABLE)
    expect(names.filter((name) => !OTHER_FILES.has(name) && !named.includes(name))).toEqual([])
  })

  it.each(Object.entries(TABLE))('%s becomes what it is', (name, [events, tools, refused]) => {
    const batch = send(name)
    const reasons = batch.deadLetters.map(({ reason, message }) => `${reason}: ${message}`)
    expect([eventsOf(batch).length, batch.definitions?.length ?? 0, reasons.length]).toEqual([
      events,
      tools,
      refused === undefined ? 0 : 1,
    ])
    if (refused) expect(reasons[0]).toMatch(refused)
  })
})

describe('variants of the samples', () => {
  it.each(variants.map((variant) => [variant.format, variant.what, variant] as const))(
    '%s: %s',
    (format, _, { record: value, expect: expected, tools }) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value)
      const batch = run([record(text)])
      expect(batch.deadLetters).toEqual([])
      const [event] = eventsOf(batch)
      expect(event).toMatchObject({ source_format: format, ...expected })
      if (tools === undefined) return
      const named = batch.definitions?.map(({ server, definition }) => `${server}/${definition.tool}`)
      expect(named ?? []).toEqual(tools)
    },
  )
})

describe('what is sent twice', () => {
  const once = (name: string, ...more: Buffer[]) => {
    const records = [sample(name), ...more].map((value, offset) => record(value, { offset }))
    return assemble(run(records).parts)
  }

  it('counts a session of Invariant once, however often it grew', () => {
    const trace = JSON.parse(sample('invariant-gateway-trace.json').toString('utf8'))
    const shorter = { ...trace, messages: trace.messages.slice(0, 3) }
    const events = once('invariant-gateway-trace.json', Buffer.from(JSON.stringify(shorter)))
    expect(events.map((event) => [event['gen_ai.tool.call.id'], event.outcome]).sort()).toEqual([
      ['call_1', 'success'],
      ['call_2', 'success'],
    ])
  })

  it('counts a call of Lasso once, whatever the number of its blocks', () => {
    const block = JSON.parse(sample('lasso-xetrack-event.json').toString('utf8'))
    const second = Buffer.from(JSON.stringify({ ...block, content_text: 'second block' }))
    expect(once('lasso-xetrack-event.json', second)).toHaveLength(1)
  })
})

describe('a log beside traces', () => {
  it('is one event with the span that it was written in', () => {
    const line = JSON.parse(sample('contextforge-structured-log.json').toString('utf8'))
    const span = JSON.parse(sample('contextforge-otel-tool-invoke-span.json').toString('utf8'))
    const [resource] = span.resourceSpans
    const [{ traceId, spanId }] = resource.scopeSpans[0].spans
    const both = [JSON.stringify({ ...line, trace_id: traceId, span_id: spanId }), JSON.stringify(span)]
    const apart = [JSON.stringify({ ...line, trace_id: 'f'.repeat(32) }), JSON.stringify(span)]
    const countOf = (values: string[]) =>
      assemble(run(values.map((value, offset) => record(value, { offset }))).parts).length
    expect([countOf(both), countOf(both.toReversed()), countOf(apart)]).toEqual([1, 1, 2])
  })
})

describe('lists of records', () => {
  it('gives the id of a binary CloudEvent to one call only', () => {
    const headers = {
      ce_specversion: '1.0',
      ce_type: 't',
      ce_source: '/gw',
      ce_id: '7',
      'content-type': 'application/json',
    }
    const call = (tool: string) => JSON.stringify({ tool })
    const idsOf = (value: string) => run([record(value, { headers })]).events.map(({ event_id }) => event_id)
    const [alone] = idsOf(call('a'))
    expect(idsOf(` ${call('a')}\n`)).toEqual([alone])
    for (const several of [`[${call('a')},${call('b')}]`, `${call('a')}\n${call('b')}`]) {
      const ids = idsOf(several)
      expect(new Set([...ids, alone]).size).toBe(3)
    }
  })

  it('reads a file of CloudTrail, and says of each record that is none what it is', () => {
    const event = JSON.parse(sample('aws-cloudtrail-management-event.json').toString('utf8'))
    const Records = [
      event,
      7,
      { ...event, eventID: 'x', eventType: 'AwsConsoleSignIn', eventName: 'ConsoleLogin' },
    ]
    const batch = run([record(JSON.stringify({ Records }))])
    expect(batch.events).toHaveLength(1)
    expect(batch.deadLetters.map(({ reason, record: kept }) => [reason, kept.slice(0, 2)])).toEqual([
      ['field_type', '7'],
      ['not_a_call', '{"'],
    ])
    const s3 = { Records: [{ eventVersion: '2.1', eventSource: 'aws:s3', eventName: 'ObjectCreated:Put' }] }
    expect(run([record(JSON.stringify(s3))]).deadLetters[0]?.reason).toBe('format_unknown')
  })

  it('takes a request of Kubernetes once: when it is complete', () => {
    const event = JSON.parse(sample('kubernetes-audit-event.json').toString('utf8'))
    const stages = ['RequestReceived', 'ResponseStarted', 'ResponseComplete']
    const lines = stages.map((stage) => JSON.stringify({ ...event, stage })).join('\n')
    const batch = run([record(lines)])
    expect(batch.events).toHaveLength(1)
    expect(batch.deadLetters.map(({ reason }) => reason)).toEqual(['not_a_call', 'not_a_call'])
    const panic = run([record(JSON.stringify({ ...event, stage: 'Panic' }))])
    expect(panic.events[0]?.outcome).toBe('failure')
  })
})

describe('ContextForge’s SIEM export, captured live', () => {
  const live = (number: string) => run([record(sample(`contextforge-siem-live/000${number}.body`))])
  const changes = ['06', '07', '08', '09', '10'] // JSON, CEF, LEEF, Splunk, Elasticsearch

  it.each(changes)('%s: the same change in each of its shapes', (number) => {
    const [event] = live(number).events
    expect(event).toMatchObject({
      'gen_ai.tool.name': 'create_gateway',
      'mcp.server.name': 'contextforge',
      'client.address': '127.0.0.1',
      'gen_ai.tool.call.arguments': '{"resource":{"type":"gateway","name":"crm"}}',
      capability: 'admin',
    })
  })

  it.each(['01', '02', '03'])('%s: a sign-in is no call', (number) => {
    const { events, deadLetters } = live(number)
    expect([events.length, deadLetters.map(({ reason }) => reason)]).toEqual([0, ['not_a_call']])
  })

  it('and the row of the same change', () => {
    const [event] = run([record(sample('contextforge-siem-live/audit_trails.jsonl'))]).events
    expect(event).toMatchObject({
      'gen_ai.tool.name': 'create_gateway',
      actor: 'admin@example.com',
      outcome: 'success',
    })
  })
})
