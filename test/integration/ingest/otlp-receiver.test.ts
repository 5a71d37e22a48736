import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { fromBinary } from '@bufbuild/protobuf'
import { BinaryReader } from '@bufbuild/protobuf/wire'
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { SeverityNumber } from '@opentelemetry/api-logs'
import { OTLPLogExporter as JsonLogExporter } from '@opentelemetry/exporter-logs-otlp-http'
import { OTLPLogExporter as ProtoLogExporter } from '@opentelemetry/exporter-logs-otlp-proto'
import { OTLPTraceExporter as JsonTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as ProtoTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../../app/config/config.ts'
import { type Running, startGatewatch } from '../../../app/wire.ts'
import { EnvelopeSchema } from '../../../ingest/formats/generated/otlp_pb.ts'
import { eventually } from '../../helpers/gatewatch.ts'
import { migratedData } from '../../helpers/migrated-store.ts'

const sample = (name: string) => readFileSync(new URL(`../../unit/ingest/samples/${name}`, import.meta.url))

let folder: string
let running: Running
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-otlp-'))
  await migratedData(folder)
  running = await startGatewatch({
    config: loadConfig({ data: folder, port: 0, logLevel: 'silent', roles: ['ingest', 'api'] }, {}),
    logger: pino({ level: 'silent' }),
    note: () => {},
  })
})
afterAll(async () => {
  await running.stop()
  await rm(folder, { recursive: true, force: true })
})

const headers = () => ({ authorization: `Bearer ${running.credentials.apiKey}` })

async function eventsLike(tool: string, count: number): Promise<Record<string, unknown>[]> {
  const ask = () =>
    running.database.query<Record<string, unknown>>(
      `SELECT gen_ai_tool_name AS tool, actor, outcome, source_format, client_address, mcp_server_name AS server, duration_ms, toInt32(sum(sign)) AS live
       FROM events WHERE gen_ai_tool_name LIKE {tool:String}
       GROUP BY ALL HAVING live != 0 ORDER BY tool`,
      { tool },
    )
  return eventually(ask, (rows) => rows.length === count)
}

const resource = resourceFromAttributes({ 'service.name': 'sdk-gateway' })

describe.each(['protobuf', 'json', 'protobuf+gzip', 'json+gzip'])('the OpenTelemetry SDK, %s', (kind) => {
  const options = (path: string) => ({
    url: `${running.url}${path}`,
    headers: headers(),
    ...(kind.endsWith('gzip') ? { compression: 'gzip' as never } : {}),
  })
  const name = `sdk_${kind.replace('+', '_')}`

  it('sends log records and spans of one call: one event with the facts of both', async () => {
    const traceOptions = options('/v1/traces')
    const logOptions = options('/v1/logs')
    const spans = kind.startsWith('protobuf')
      ? new ProtoTraceExporter(traceOptions)
      : new JsonTraceExporter(traceOptions)
    const logs = kind.startsWith('protobuf')
      ? new ProtoLogExporter(logOptions)
      : new JsonLogExporter(logOptions)
    const tracing = new TracerProvider({
      resource,
      spanProcessors: [new BatchSpanProcessor({ exporter: spans })],
    })
    const logging = new LoggerProvider({
      resource,
      processors: [new BatchLogRecordProcessor({ exporter: logs })],
    })
    const tracer = tracing.getTracer('test')
    for (const [index, outcome] of ['success', 'failure', 'denied'].entries()) {
      const span = tracer.startSpan(`tools/call ${name}_${index}`, {
        kind: SpanKind.SERVER,
        attributes: {
          'mcp.method.name': 'tools/call',
          'gen_ai.tool.name': `${name}_${index}`,
          'client.address': '10.0.0.9',
        },
      })
      if (outcome === 'failure') span.setStatus({ code: SpanStatusCode.ERROR, message: 'tool failed' })
      logging.getLogger('audit').emit({
        severityNumber: SeverityNumber.INFO,
        body: { any: ['shape', 1, true] },
        attributes: {
          'user.id': 'u-1',
          'gen_ai.tool.name': `${name}_${index}`,
          ...(outcome === 'denied' ? { outcome } : {}),
        },
        context: trace.setSpan(ROOT_CONTEXT, span),
      })
      span.end()
    }
    await Promise.all([tracing.forceFlush(), logging.forceFlush()])
    await Promise.all([tracing.shutdown(), logging.shutdown()])
    const events = await eventsLike(`${name}\\_%`, 3)
    expect(
      events.map(({ actor, outcome, client_address, live }) => [actor, outcome, client_address, live]),
    ).toEqual([
      ['u-1', 'success', '10.0.0.9', 1],
      ['u-1', 'failure', '10.0.0.9', 1],
      ['u-1', 'denied', '10.0.0.9', 1],
    ])
  })
})

/** `{ field number: number or text }` of a message with numbers and texts only; one level deep in partial_success. */
function readAnswer(bytes: Buffer): Record<number, number | string> {
  const read: Record<number, number | string> = {}
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag()
    read[number] = wire === 0 ? Number(reader.int64()) : reader.string()
  }
  return read
}

const post = (path: string, payload: Buffer | string, more: Record<string, string> = {}) =>
  running.api.server.inject({
    method: 'POST',
    url: path,
    headers: { ...headers(), 'content-type': 'application/x-protobuf', ...more },
    payload,
  })
const postJson = (path: string, payload: unknown, more: Record<string, string> = {}) =>
  post(path, typeof payload === 'string' ? payload : JSON.stringify(payload), {
    'content-type': 'application/json',
    ...more,
  })

const logsOf = (...times: string[]) => ({
  resourceLogs: [
    {
      scopeLogs: [
        {
          logRecords: times.map((timeUnixNano, index) => ({
            timeUnixNano,
            attributes: [
              { key: 'gen_ai.tool.name', value: { stringValue: `inject_${index}_${timeUnixNano}` } },
            ],
          })),
        },
      ],
    },
  ],
})
const NOW = `${Date.now()}000000`
const FUTURE = '4102444800000000000'

describe('answers', () => {
  it('a full success: 200, an empty response in the encoding of the request', async () => {
    const proto = await post('/v1/logs', sample('otel-live/kafka-message-otlp_proto-logs.bin'))
    expect([proto.statusCode, proto.headers['content-type'], proto.rawPayload.length]).toEqual([
      200,
      'application/x-protobuf',
      0,
    ])
    const json = await postJson(
      '/v1/traces',
      sample('otel-live/kafka-message-otlp_json-traces.json').toString(),
    )
    expect([json.statusCode, json.body]).toEqual([200, '{}'])
    expect(json.headers['content-type']).toContain('application/json')
    const zipped = await post('/v1/logs', gzipSync(sample('otel-live/kafka-message-otlp_proto-logs.bin')), {
      'content-encoding': 'gzip',
    })
    expect([zipped.statusCode, zipped.body]).toEqual([200, ''])
  })

  it('nothing to take: a success', async () => {
    expect((await post('/v1/logs', Buffer.alloc(0))).statusCode).toBe(200)
    expect((await postJson('/v1/logs', {})).statusCode).toBe(200)
    expect((await postJson('/v1/traces', { resourceSpans: [] })).statusCode).toBe(200)
  })

  it('some records cannot be taken: 200 with the count and why; the others are stored', async () => {
    const reply = await postJson('/v1/logs', logsOf(NOW, FUTURE, FUTURE))
    expect(reply.statusCode).toBe(200)
    expect(reply.json()).toMatchObject({ partialSuccess: { rejectedLogRecords: '2' } })
    expect(reply.json().partialSuccess.errorMessage).toContain('time_in_future')
    expect(await eventsLike('inject\\_0%', 1)).toHaveLength(1)
    const spans = await postJson('/v1/traces', {
      resourceSpans: [{ scopeSpans: [{ spans: [1, { name: 'x' }] }] }],
    })
    expect(spans.json()).toMatchObject({ partialSuccess: { rejectedSpans: '1' } })
    const message = sample('otel-live/kafka-message-otlp_proto-traces.bin')
    const [first] = fromBinary(EnvelopeSchema, message).resources[0]?.scopes[0]?.records ?? []
    const broken = Buffer.from(message)
    broken.fill(
      0xff,
      (first?.byteOffset ?? 0) - message.byteOffset,
      (first?.byteOffset ?? 0) - message.byteOffset + 2,
    )
    const proto = await post('/v1/traces', broken)
    const [, length] = proto.rawPayload
    expect([proto.statusCode, proto.rawPayload[0], length]).toEqual([200, 0x0a, proto.rawPayload.length - 2])
    expect(readAnswer(proto.rawPayload.subarray(2))).toMatchObject({
      1: 1,
      2: expect.stringContaining('field_type'),
    })
  })

  it('not OTLP: 400 with a google.rpc.Status, which tells the client not to try again', async () => {
    const proto = await post('/v1/logs', Buffer.from('not protobuf at all'))
    expect([proto.statusCode, proto.headers['content-type']]).toEqual([400, 'application/x-protobuf'])
    expect(readAnswer(proto.rawPayload)).toMatchObject({ 1: 3, 2: expect.stringContaining('not OTLP') })
    for (const payload of ['{"resourceLogs"', '{"some":"thing"}']) {
      const json = await postJson('/v1/logs', payload)
      expect([json.statusCode, json.json().code, typeof json.json().message], payload).toEqual([
        400,
        3,
        'string',
      ])
    }
    expect((await post('/v1/logs', Buffer.from('x'), { 'content-encoding': 'gzip' })).statusCode).toBe(400)
    expect((await post('/v1/logs', Buffer.from('x'), { 'content-type': 'text/plain' })).statusCode).toBe(415)
  })

  it('whoever may not write: 401, 403', async () => {
    const without = await postJson('/v1/logs', logsOf(NOW), { authorization: '' })
    expect([without.statusCode, without.json().code]).toEqual([401, 16])
    const minted = await running.api.server.inject({
      method: 'POST',
      url: '/v1/token',
      headers: headers(),
      payload: { capabilities: ['events:read'] },
    })
    const reader = await postJson('/v1/logs', logsOf(NOW), { authorization: `Bearer ${minted.json().token}` })
    expect([reader.statusCode, reader.json().code]).toEqual([403, 7])
  })
})
