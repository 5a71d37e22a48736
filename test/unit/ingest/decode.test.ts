import fc from 'fast-check'
import { Value } from 'typebox/value'
import { describe, expect, it } from 'vitest'
import { AuditEventSchema } from '../../../core/audit-event.ts'
import { FORMATS } from '../../../ingest/formats/registry.ts'
import type { Batch } from '../../../ingest/record.ts'
import { assemble, GOOD, RECEIVED_MS, record, run, sample } from './sample-pipeline.ts'

const reasons = (batch: Batch) => batch.deadLetters.map(({ reason }) => reason)
const native = (fields: string) =>
  `{"occurred_at":"2026-11-19T10:00:00Z","gen_ai.tool.name":"echo",${fields}}`

describe('odd records, each followed by a good one', () => {
  it.each([
    ['nothing', '', 'record_empty'],
    ['white space', ' \r\n ', 'record_empty'],
    ['only a byte order mark', '\ufeff', 'record_empty'],
    ['null', 'null', 'format_unknown'],
    ['an empty array', '[]', 'record_empty'],
    ['an empty text', '""', 'format_unknown'],
    ['a number', '12', 'format_unknown'],
    ['NaN', 'NaN', 'record_not_json'],
    ['an empty object', '{}', 'format_unknown'],
    ['broken JSON', '{"occurred_at":"2026-', 'record_not_json'],
    ['broken JSON over several lines', '{\n"occurred_at": "2026-11-19",\n', 'record_not_json'],
    ['free text', 'hello world', 'record_not_json'],
    ['nested too deep', `{"occurred_at":1,"x":${'['.repeat(100)}${']'.repeat(100)}}`, 'field_missing'],
    ['very deep', '['.repeat(200_000) + ']'.repeat(200_000), 'record_too_deep'],
    ['a boolean for a name', native('"user.id":true'), 'field_type'],
    ['an object for a name', native('"mcp.server.name":{"a":1}'), 'field_type'],
    ['text for a number', native('"duration_ms":"soon"'), 'field_type'],
    ['a huge integer', native('"request_bytes":99999999999999999999'), 'field_range'],
    ['a negative size', native('"response_bytes":-1'), 'field_range'],
    ['an unknown outcome', native('"outcome":"maybe"'), 'field_range'],
    ['a list that is none', native('"argument_keys":"a,b"'), 'field_type'],
    ['a time that is none', '{"occurred_at":"yesterday","gen_ai.tool.name":"echo"}', 'field_type'],
    ['a day that is none', '{"occurred_at":"2026-02-30T00:00:00Z","gen_ai.tool.name":"echo"}', 'field_type'],
    ['the far future', '{"occurred_at":"2099-01-01T00:00:00Z","gen_ai.tool.name":"echo"}', 'time_in_future'],
    ['beyond all years', '{"occurred_at":1e300,"gen_ai.tool.name":"echo"}', 'time_in_future'],
    ['the far past', '{"occurred_at":"1999-12-31T23:59:59Z","gen_ai.tool.name":"echo"}', 'time_too_old'],
    ['no call', '{"occurred_at":"2026-11-19T10:00:00Z","user.id":"u1"}', 'field_missing'],
    ['OTLP metrics', '{"resourceMetrics":[{}]}', 'format_unknown'],
    [
      'OTLP with a null for a record',
      '{"resourceLogs":[{"scopeLogs":[{"logRecords":[null]}]}]}',
      'field_type',
    ],
  ])('%s', (_, odd, reason) => {
    const batch = run([record(odd), record(GOOD, { offset: 1 })])
    expect(reasons(batch)).toEqual([reason])
    expect(batch.deadLetters[0]).toMatchObject({ offset: 0, recordBytes: Buffer.byteLength(odd) })
    expect(batch.deadLetters[0]?.message).toMatch(/\S.*\.$/)
    expect(batch.events.map(({ offset }) => offset)).toEqual([1])
  })

  it('arguments nested too deep do not make their call vanish', () => {
    const deep = `{"a":${'['.repeat(1000)}${']'.repeat(1000)},"path":"/etc/passwd"}`
    const batch = run([record(native(`"gen_ai.tool.call.arguments":${deep}`))])
    expect(batch.deadLetters).toEqual([])
    expect(batch.events).toMatchObject([{ record_flags: ['shortened'], argument_keys: ['a', 'path'] }])
  })

  it('bytes that are no UTF-8, kept as base64', () => {
    const bytes = Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])
    const batch = run([record(bytes), record(GOOD)])
    expect(batch.deadLetters[0]).toMatchObject({
      reason: 'record_not_utf8',
      recordEncoding: 'base64',
      record: bytes.toString('base64'),
    })
    expect(batch.events).toHaveLength(1)
  })

  it('a record of 5 MB: its beginning is kept', () => {
    const batch = run([record(native(`"note":"${'x'.repeat(5_000_000)}"`)), record(GOOD)])
    expect(reasons(batch)).toEqual(['record_too_large'])
    expect(batch.deadLetters[0]?.record).toHaveLength(65_536)
    expect(batch.deadLetters[0]?.recordBytes).toBeGreaterThan(5_000_000)
    expect(batch.events).toHaveLength(1)
  })
})

describe('what is odd but good', () => {
  it.each([
    ['a byte order mark', `\ufeff${GOOD}`],
    ['line ends of Windows', `\r\n${GOOD}\r\n`],
    ['an own __proto__', native('"__proto__":{"tenant":"evil"},"constructor":{"prototype":{"x":1}}')],
    ['numbers as text', native('"duration_ms":"1.5","request_bytes":"12"')],
    ['lone surrogates', native('"user.id":"\\ud800x"')],
    ['null and empty fields', native('"user.id":null,"user.email":""')],
  ])('%s', (_, odd) => {
    const batch = run([record(odd)])
    expect([batch.events.length, batch.deadLetters]).toEqual([1, []])
    expect(batch.events[0]?.tenant).toBe('acme')
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })

  it('of two equal keys the last counts', () => {
    expect(run([record(native('"user.id":"a","user.id":"b"'))]).events[0]?.['user.id']).toBe('b')
  })

  it('never takes tenant, coordinates or actor from the record', () => {
    const claims = native(
      '"tenant":"evil","topic":"x","partition":9,"offset":9,"actor":"admin","chain":"c","source_format":"z"',
    )
    expect(run([record(claims)]).events[0]).toMatchObject({
      tenant: 'acme',
      topic: 'calls',
      partition: 0,
      offset: 0,
      actor: '(unknown)',
      source_format: 'native',
    })
  })
})

describe('several in one record', () => {
  it('arrays and lines: each by itself, with its index', () => {
    for (const value of [`[${GOOD},{},${GOOD}]`, `${GOOD}\n\n{}\r\n${GOOD}\n`]) {
      const batch = run([record(value)])
      expect(batch.events.map((event) => event.record_index)).toEqual([0, 2])
      expect(batch.deadLetters).toMatchObject([{ recordIndex: 1, reason: 'format_unknown', record: '{}' }])
      expect(new Set(batch.events.map((event) => event.event_id)).size).toBe(2)
    }
  })

  it('a broken line costs itself only', () => {
    const batch = run([record(`${GOOD}\n{"occurred_at":\n${GOOD}`)])
    expect([batch.events.length, reasons(batch)]).toEqual([2, ['record_not_json']])
    const first = run([record(`{"occurred_at":\n${GOOD}\n${GOOD}`)])
    expect([first.events.length, reasons(first)]).toEqual([2, ['record_not_json']])
  })
})

describe('choice of format', () => {
  it('takes the configured one, then the header, then what is recognised', () => {
    const headers = { 'x-gatewatch-format': 'audit-logger' }
    expect(run([record(GOOD, { headers })]).deadLetters[0]).toMatchObject({
      reason: 'field_missing',
      field: 'tool',
    })
    expect(run([record(GOOD, { headers, format: 'native' })]).events).toHaveLength(1)
    expect(run([record(GOOD, { headers, format: 'auto' })]).events).toHaveLength(1)
  })

  it.each([
    ['otlp-jsn', 'There is no format "otlp-jsn". Did you mean otlp-json?'],
    ['splunk', 'There is no format "splunk". gatewatch formats list shows the known ones.'],
  ])(
    'says where the known formats are, or which is meant, when it knows none called %s',
    (format, message) => {
      const [letter] = run([record(GOOD, { format })]).deadLetters
      expect(letter).toMatchObject({ reason: 'format_unknown', message })
    },
  )

  it('does not take broken protobuf for OTLP', () => {
    expect(reasons(run([record(Buffer.from([0x0a, 0xff, 0x01, 0x80]), { format: 'otlp-proto' })]))).toEqual([
      'field_type',
    ])
  })
})

it('takes the time of receipt where a record has none', () => {
  const text = '{"gen_ai.tool.name":"echo"}'
  const of = (timestampMs: number) =>
    run([record(text, { timestampMs, timestampSource: 'broker' })]).events[0]
  expect(of(RECEIVED_MS - 5000)).toMatchObject({
    occurred_at: '2026-11-29T23:59:55.000000Z',
    timestamp_source: 'broker',
  })
  expect(of(-1)).toMatchObject({ occurred_at: '2026-11-30T00:00:00.000000Z', timestamp_source: 'received' })
})

describe('whatever comes', () => {
  const json = fc.json({ maxDepth: 5 }).map((text) => Buffer.from(text))
  const likeNative = fc
    .dictionary(
      fc.constantFrom(
        'occurred_at',
        'gen_ai.tool.name',
        'gen_ai',
        'mcp',
        'user.id',
        'duration_ms',
        'outcome',
        'argument_keys',
        'gen_ai.tool.call.arguments',
        '__proto__',
        'trace_id',
        'resourceLogs',
        'resourceSpans',
        'ai',
        'scope',
        'src.addr',
        'start_time',
        'mcp.method.name',
        'metadata',
        'call_type',
        'specversion',
        'source',
        'type',
        'data',
        'tool',
        'caller',
        'timestamp',
        'startTime',
      ),
      fc.oneof(
        fc.jsonValue({ maxDepth: 3 }),
        fc.constantFrom('request', 'tools/call', '2026-11-19T10:00:00Z', 1787666591),
      ),
    )
    .map((value) => Buffer.from(JSON.stringify(value)))
  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
  const format = fc.constantFrom(
    undefined,
    'native',
    'otlp-proto',
    'otlp-json',
    'kong',
    'agentgateway',
    'litellm',
    'cloudevents',
    'audit-logger',
    'envoy-ai-gateway',
  )

  const samples = [
    'otel-live/kafka-message-otlp_json-traces.json',
    'claude-code-otlp-logs.json',
    'kong-full-log.json',
    'litellm-standard-logging-mcp.json',
    'agentgateway-access-log.json',
    'envoy-ai-gateway-mcp-access-log.json',
    'native-nested.json',
  ].map((name): unknown => JSON.parse(sample(name).toString('utf8')))
  const oddValue = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom<unknown>(
      '',
      '-',
      1e300,
      -1,
      '1e5',
      'x'.repeat(1500),
      {},
      [],
      null,
      true,
      '\ud800',
      '__proto__',
    ),
  )

  /** Whether a record may hold nothing: one of a format that batches, named or recognised. */
  function isEmptyBatch(value: string, name?: string): boolean {
    if (name !== undefined && name !== 'auto')
      return FORMATS.find((known) => known.name === name)?.mayBeEmpty === true
    try {
      const bare = { headers: {}, bytes: Buffer.from(value), text: value, json: JSON.parse(value) as unknown }
      return FORMATS.find((known) => known.recognises(bare))?.mayBeEmpty === true
    } catch {
      return false
    }
  }

  /** Replaces about one value in 23 of a real record. */
  function mutate(value: unknown, picks: Iterator<number>, odd: Iterator<unknown>): unknown {
    if (picks.next().value % 23 === 0) return odd.next().value
    if (Array.isArray(value)) return value.map((item) => mutate(item, picks, odd))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mutate(item, picks, odd)]))
  }

  it('real records with odd values: no fault of ours, no event that breaks the schema', () => {
    const inputs = [
      fc.constantFrom(...samples),
      fc.infiniteStream(fc.nat()),
      fc.infiniteStream(oddValue),
    ] as const
    fc.assert(
      fc.property(...inputs, (real, picks, odd) => {
        const mutated = JSON.stringify(mutate(real, picks, odd))
        const { events, parts, deadLetters } = run([record(mutated)])
        // An envelope of a batch may hold nothing.
        if (!isEmptyBatch(mutated))
          expect(events.length + parts.length + deadLetters.length).toBeGreaterThan(0)
        expect(deadLetters.filter(({ reason }) => reason === 'internal')).toEqual([])
        for (const event of [...events, ...assemble(parts)])
          expect(Value.Errors(AuditEventSchema, event)).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  it('OTLP in protobuf whose field numbers were spoiled is a fault, an empty one is none', () => {
    const real = sample('otel-live/kafka-message-otlp_proto-logs.bin')
    const spoiled = Buffer.from(real)
    spoiled[0] = 40
    // Fields 5 in the place of a resource’s scopes, and of a scope’s records.
    const withoutScopes = Buffer.from([0x0a, 0x04, 0x2a, 0x02, 0x0a, 0x00])
    const withoutRecords = Buffer.from([0x0a, 0x06, 0x12, 0x04, 0x2a, 0x02, 0x0a, 0x00])
    for (const bytes of [spoiled, withoutScopes, withoutRecords]) {
      const { deadLetters } = run([record(bytes, { format: 'otlp-proto' })])
      expect(deadLetters).toMatchObject([{ reason: 'field_type' }])
    }
    for (const bytes of [Buffer.from([0x0a, 0x00]), Buffer.from([0x0a, 0x02, 0x12, 0x00])])
      expect(run([record(bytes, { format: 'otlp-proto' })]).deadLetters).toEqual([])
  })

  it('OTLP in protobuf with bytes changed', () => {
    const real = sample('otel-live/kafka-message-otlp_proto-logs.bin')
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(real.length - 1), fc.nat(255)), { maxLength: 6 }), (edits) => {
        const bytes = Buffer.from(real)
        for (const [at, byte] of edits) bytes[at] = byte
        const { events, parts, deadLetters } = run([record(bytes, { format: 'otlp-proto' }), record(bytes)])
        expect(events.length + parts.length + deadLetters.length).toBeGreaterThan(1)
        expect(deadLetters.filter(({ reason }) => reason === 'internal')).toEqual([])
      }),
      { numRuns: 50, examples: [[[[0, 40]]]] },
    )
  })

  it('it never throws, and every record is accounted for', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.oneof(json, likeNative, bytes), format), { maxLength: 8 }),
        (values) => {
          const records = values.map(([value, name], offset) =>
            record(value, { offset, ...(name === undefined ? {} : { format: name }) }),
          )
          const { events, parts, deadLetters } = run(records)
          const seen = new Set([...events, ...parts, ...deadLetters].map(({ offset }) => offset))
          const empty = records.filter(
            ({ value, format: name, offset }) => !seen.has(offset) && isEmptyBatch(value.toString(), name),
          )
          expect(seen.size + empty.length).toBe(records.length)
          expect(deadLetters.filter(({ reason }) => reason === 'internal')).toEqual([])
          for (const event of [...events, ...assemble(parts)])
            expect(Value.Errors(AuditEventSchema, event)).toEqual([])
        },
      ),
      { numRuns: 1000 },
    )
  })
})
