import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { createRecordSplitter } from '../../../ingest/sources/split-records.ts'
import { eventsOf, record, run, sample } from './sample-pipeline.ts'

// What shippers, runtimes, brokers and clouds put around a line of another program: one layer before all formats.
const CALL = {
  'gen_ai.tool.name': 'delete_file',
  'user.id': 'ada.r',
  'mcp.server.name': 'files',
  outcome: 'success',
}
const LINE = JSON.stringify(CALL)
const AGENTGATEWAY =
  '2026-11-20T09:12:01.000120Z\tinfo\trequest gateway=default/gw listener=mcp src.addr=10.0.0.9:1 http.status=200 ' +
  'protocol=mcp mcp.method.name=tools/call mcp.target=files gen_ai.tool.name=delete_file jwt.sub=ada.r duration=3ms'
const AT = '2026-11-20T09:12:01.000000Z'
const base64 = (text: string | Uint8Array) => Buffer.from(text).toString('base64')

const JSON_WRAPPERS: Readonly<Record<string, (line: string) => unknown>> = {
  'Docker, json-file': (line) => ({ log: `${line}\n`, stream: 'stdout', time: AT }),
  'Fluent Bit': (line) => ({ date: Date.parse(AT) / 1000, log: line, kubernetes: { pod_name: 'gw-0' } }),
  Filebeat: (line) => ({ '@timestamp': AT, message: line, agent: { type: 'filebeat' }, log: { offset: 1 } }),
  Vector: (line) => ({ message: line, source_type: 'file', timestamp: AT }),
  'Elastic, event.original': (line) => ({ '@timestamp': AT, event: { original: line } }),
  'Elasticsearch hit': (line) => ({ _index: 'logs', _source: { '@timestamp': AT, message: line } }),
  journald: (line) => ({
    MESSAGE: line,
    _SYSTEMD_UNIT: 'gw.service',
    __REALTIME_TIMESTAMP: `${Date.parse(AT)}000`,
  }),
  'journald, as bytes': (line) => ({
    MESSAGE: [...Buffer.from(line)],
    __REALTIME_TIMESTAMP: `${Date.parse(AT)}000`,
  }),
  'Splunk HEC': (line) => ({ time: Date.parse(AT) / 1000, sourcetype: 'mcp', event: line }),
  'Splunk export': (line) => ({ _raw: line, _time: AT, timestamp: AT }),
  GELF: (line) => ({ version: '1.1', host: 'gw', short_message: line, timestamp: Date.parse(AT) / 1000 }),
  'a logger of Node': (line) => ({ level: 30, time: Date.parse(AT), msg: line }),
  Promtail: (line) => ({ line, ts: AT }),
  Loki: (line) => ({
    streams: [{ stream: { app: 'gw' }, values: [[`${Date.parse(AT)}000000`, line]] }],
  }),
  CloudWatch: (line) => ({
    ...{ messageType: 'DATA_MESSAGE', logGroup: 'g' },
    logEvents: [{ id: '1', timestamp: Date.parse(AT), message: line }],
  }),
  'CloudWatch, to a function': (line) => ({
    awslogs: {
      data: base64(
        gzipSync(
          JSON.stringify({ messageType: 'DATA_MESSAGE', logEvents: [{ timestamp: AT, message: line }] }),
        ),
      ),
    },
  }),
  EventBridge: (line) => ({
    'detail-type': 'call',
    source: 'gw',
    time: AT,
    detail: JSON.parse(line) as unknown,
  }),
  SNS: (line) => ({ Type: 'Notification', Message: line, Timestamp: AT }),
  SQS: (line) => ({ Records: [{ messageId: '1', body: line }], timestamp: AT }),
  Kinesis: (line) => ({ Records: [{ kinesis: { data: base64(line) } }], timestamp: AT }),
  Firehose: (line) => ({ requestId: 'r', timestamp: AT, records: [{ data: base64(line) }] }),
  'Azure Monitor': (line) => ({ records: [{ time: AT, properties: JSON.parse(line) as unknown }] }),
  'Pub/Sub': (line) => ({ message: { data: base64(line) }, subscription: 's', timestamp: AT }),
  'Google Cloud Logging': (line) => ({ insertId: 'i', timestamp: AT, textPayload: line }),
  'Kafka Connect': (line) => ({
    schema: { type: 'struct' },
    payload: JSON.parse(line) as unknown,
    timestamp: AT,
  }),
  Debezium: (line) => ({ before: null, after: JSON.parse(line) as unknown, op: 'c', ts_ms: Date.parse(AT) }),
  'Debezium with its schema': (line) => ({
    schema: {},
    payload: { before: null, after: JSON.parse(line) as unknown, op: 'c', ts_ms: Date.parse(AT) },
  }),
  'kcat -J': (line) => ({ topic: 't', partition: 0, offset: 1, ts: Date.parse(AT), payload: line }),
  'JSON in JSON': (line) => ({ time: AT, message: JSON.stringify({ log: line }) }),
}

const TEXT_WRAPPERS: Readonly<Record<string, (line: string) => string>> = {
  'container runtime': (line) => `2026-11-20T09:12:01.000000000Z stdout F ${line}`,
  'container runtime with a zone': (line) => `2026-11-20T10:12:01.000000000+01:00 stderr F ${line}`,
  'syslog, RFC 5424': (line) => `<134>1 2026-11-20T09:12:01.000Z gw-0 gateway 77 - - ${line}`,
  'syslog with structured data': (line) =>
    `<134>1 2026-11-20T09:12:01Z gw-0 gateway - ID47 [a@32473 b="{\\"x"][c d="]\\]"] ${line}`,
  'syslog, octets counted': (line) => `321 <134>1 2026-11-20T09:12:01.000Z gw-0 gateway 77 - - ${line}`,
  'syslog, RFC 3164': (line) => `<134>Nov 20 09:12:01 gw-0 gateway[77]: ${line}`,
  'a file of rsyslog': (line) => `2026-11-20T09:12:01.000000+00:00 gw-0 gateway[77]: ${line}`,
  'a file of syslog': (line) => `Nov  2 09:12:01 gw-0 gateway: ${line}`,
  'kubectl logs --prefix': (line) => `[pod/gw-0/gateway] ${line}`,
  'docker compose': (line) => `gateway-1  | ${line}`,
}

describe.each(Object.entries(JSON_WRAPPERS))('%s', (name, wrap) => {
  it('JSON in it is a call, with the wrapper’s time', () => {
    const batch = run([record(JSON.stringify(wrap(LINE)))])
    expect(batch.deadLetters).toEqual([])
    expect(eventsOf(batch)).toMatchObject([{ ...CALL, source_format: 'native', record_flags: ['unwrapped'] }])
    if (name === 'Splunk export') return
    expect(eventsOf(batch)[0]).toMatchObject({ occurred_at: AT, timestamp_source: 'observed' })
  })

  it('a line of text in it is one, with its own time', () => {
    const outer = wrap(LINE)
    // Some hold objects only.
    if (
      !JSON.stringify(outer).includes(JSON.stringify(LINE)) &&
      !/CloudWatch|Kinesis|Firehose|Pub/.test(name)
    )
      return
    const batch = run([record(JSON.stringify(wrap(AGENTGATEWAY)))])
    expect(eventsOf(batch)).toMatchObject([
      {
        'gen_ai.tool.name': 'delete_file',
        source_format: 'agentgateway',
        occurred_at: '2026-11-20T09:12:01.000120Z',
      },
    ])
  })
})

describe.each(Object.entries(TEXT_WRAPPERS))('%s', (_, wrap) => {
  it.each([
    ['JSON', LINE, 'native'],
    ['JSON behind a cookie', `@cee: ${LINE}`, 'native'],
    ['text', AGENTGATEWAY, 'agentgateway'],
  ])('%s in it is a call', (_kind, line, format) => {
    const batch = run([record(wrap(line))])
    expect(batch.deadLetters).toEqual([])
    expect(eventsOf(batch)).toMatchObject([{ 'gen_ai.tool.name': 'delete_file', source_format: format }])
  })

  it('several lines of it are several', () => {
    const text = `${wrap(LINE)}\n${wrap(LINE.replace('delete', 'read'))}\n`
    const splitter = createRecordSplitter()
    const values = [...splitter.push(Buffer.from(text)), ...splitter.end()].map(({ value }) => value)
    const { events, deadLetters } = run(values.map((value, offset) => record(value, { offset })))
    expect(deadLetters).toEqual([])
    expect(events.map((event) => event['gen_ai.tool.name'])).toEqual(['delete_file', 'read_file'])
  })
})

describe('what is inside', () => {
  const names = [
    'agentgateway-access-log.json',
    'audit-logger.json',
    'contextforge-siem-event.json',
    'docker-mcp-gateway-policy-audit.json',
    'kong-ai-mcp-log.json',
    'kubernetes-audit-event.json',
    'litellm-standard-logging-mcp.json',
    'otel-semconv-mcp-otlp-traces.json',
    'aws-agentcore-gateway-cloudtrail-data-event.json',
  ]
  it.each(names)('may be of any format: %s', (name) => {
    const plain = eventsOf(run([record(sample(name))]))
    const line = JSON.stringify(JSON.parse(sample(name).toString()))
    const wrapped = eventsOf(run([record(JSON.stringify({ log: line, stream: 'stdout' }))]))
    expect(wrapped.map((event) => ({ ...event, record_flags: undefined }))).toEqual(
      plain.map((event) => ({ ...event, record_flags: undefined })),
    )
  })

  it('is read by the format that the source names', () => {
    const format = 'native'
    expect(run([record(JSON.stringify({ log: LINE }), { format })]).events).toHaveLength(1)
    expect(run([record(`gw-1  | ${LINE}`, { format })]).events).toHaveLength(1)
    // Which is not left for another one.
    expect(run([record(JSON.stringify({ log: AGENTGATEWAY }), { format })]).events).toHaveLength(0)
  })

  it('is opened three levels deep, and no deeper', () => {
    const nested = (levels: number): string =>
      levels === 0 ? LINE : JSON.stringify({ log: nested(levels - 1) })
    expect(run([record(nested(3))]).events).toHaveLength(1)
    expect(run([record(nested(4))]).deadLetters).toMatchObject([
      { reason: 'format_unknown', message: expect.stringContaining('Docker or Fluent Bit (log)') },
    ])
  })

  it('has its secrets hidden in dead letters as well', () => {
    const secret = 'AKIAIOSFODNN7EXAMPLE'
    const { deadLetters } = run([
      record(JSON.stringify({ log: JSON.stringify({ nothing: 1, api_key: secret }) })),
    ])
    expect(deadLetters).toHaveLength(1)
    expect(JSON.stringify(deadLetters)).not.toContain(secret)
  })

  it('of several, the one that is none costs itself only', () => {
    const logEvents = [LINE, 'listening on 8080', LINE].map((message) => ({ message }))
    const { events, deadLetters } = run([record(JSON.stringify({ messageType: 'DATA_MESSAGE', logEvents }))])
    expect(events).toHaveLength(2)
    expect(deadLetters).toMatchObject([
      {
        reason: 'format_unknown',
        kept: 'piece',
        record: 'listening on 8080',
        message: expect.stringContaining('CloudWatch Logs'),
      },
    ])
  })

  it('a line that a container runtime cut is named', () => {
    const { deadLetters } = run([record('2026-11-20T09:12:01.000000000Z stdout P {"gen_ai.tool')])
    expect(deadLetters).toMatchObject([
      { reason: 'record_not_json', message: expect.stringContaining('CRI') },
    ])
  })

  it('is nothing that a caller can put there: a call that a format knows is not opened', () => {
    const forged = { ...CALL, message: JSON.stringify({ ...CALL, 'user.id': 'somebody-else' }) }
    expect(run([record(JSON.stringify(forged))]).events).toMatchObject([{ 'user.id': 'ada.r' }])
  })

  it('does not multiply: packed lists of packed lists are bounded together, and what is left out is told', () => {
    const list = (count: number, data: string) =>
      JSON.stringify({ Records: Array.from({ length: count }, () => ({ kinesis: { data } })) })
    const inside = base64(gzipSync(list(30, base64(LINE))))
    const { events, deadLetters } = run([record(list(10, base64(gzipSync(list(60, inside)))))])
    expect(events.length).toBeGreaterThan(1000)
    expect(events.length).toBeLessThanOrEqual(10_000)
    expect(deadLetters.length).toBeLessThanOrEqual(10_000)
    expect(deadLetters).toContainEqual(expect.objectContaining({ reason: 'record_too_large' }))
  })

  it('unpacks four times the largest record in all, and says what it left out', () => {
    const fat = JSON.stringify({
      ...CALL,
      random: randomBytes(20_000).toString('hex'),
      same: 'A'.repeat(700_000),
    })
    const data = base64(gzipSync(fat))
    const Records = Array.from({ length: 30 }, () => ({ kinesis: { data } }))
    const { events, deadLetters } = run([record(JSON.stringify({ Records }))])
    expect(events.length).toBeGreaterThan(0)
    expect(deadLetters[0]).toMatchObject({ reason: 'record_too_large' })
    expect(events.length + deadLetters.length).toBe(30)
  })
})
