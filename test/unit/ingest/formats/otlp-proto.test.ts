import {
  create,
  fromBinary,
  type JsonValue,
  type MessageInitShape,
  toBinary,
  toJson,
} from '@bufbuild/protobuf'
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Decoded } from '../../../../ingest/format.ts'
import {
  type AnyValueSchema,
  EnvelopeSchema,
  LogRecordSchema,
  ResourceSchema,
  ScopeSchema,
  SpanSchema,
} from '../../../../ingest/formats/generated/otlp_pb.ts'
import { otlpJson } from '../../../../ingest/formats/otlp-json.ts'
import { otlpProto } from '../../../../ingest/formats/otlp-proto.ts'
import { cpuMsOf } from '../../../helpers/cpu-time.ts'
import { assemble, record, run, sample } from '../sample-pipeline.ts'

type Attributes = { key: string; value: MessageInitShape<typeof AnyValueSchema> }[]

const text = (value: string) => ({ value: { case: 'stringValue', value } }) as const

const envelope = (records: readonly Uint8Array[], scope = '', resource: Attributes = []): Uint8Array =>
  toBinary(
    EnvelopeSchema,
    create(EnvelopeSchema, {
      resources: [
        {
          resource: toBinary(ResourceSchema, create(ResourceSchema, { attributes: resource })),
          scopes: [
            {
              scope: toBinary(ScopeSchema, create(ScopeSchema, { name: scope })),
              records: [...records],
            },
          ],
        },
      ],
    }),
  )

const log = (fields: MessageInitShape<typeof LogRecordSchema>): Uint8Array =>
  toBinary(LogRecordSchema, create(LogRecordSchema, fields))
const span = (fields: MessageInitShape<typeof SpanSchema>): Uint8Array =>
  toBinary(SpanSchema, create(SpanSchema, fields))

const decode = (bytes: Uint8Array): readonly Decoded[] =>
  otlpProto.decode({ headers: {}, bytes, text: undefined, json: undefined })

const call = (tool: string): Attributes => [{ key: 'gen_ai.tool.name', value: text(tool) }]
const bytesOf = (length: number, fill = 7) => new Uint8Array(length).fill(fill)

const anyValue: fc.Arbitrary<MessageInitShape<typeof AnyValueSchema>> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string({ unit: 'grapheme' }).map(text),
    fc.boolean().map((value) => ({ value: { case: 'boolValue', value } })),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => ({
      value: { case: 'intValue', value: String(value) },
    })),
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .map((value) => ({ value: { case: 'doubleValue', value } })),
    fc.uint8Array({ maxLength: 9 }).map((value) => ({ value: { case: 'bytesValue', value } })),
    fc
      .array(tie('value'), { maxLength: 3 })
      .map((values) => ({ value: { case: 'arrayValue', value: { values } } })),
    fc.array(fc.record({ key: fc.string(), value: tie('value') }), { maxLength: 3 }).map((values) => ({
      value: { case: 'kvlistValue', value: { values } },
    })),
  ),
})).value as fc.Arbitrary<MessageInitShape<typeof AnyValueSchema>>

const attributes = fc.array(
  fc.record({
    key: fc.oneof(
      fc.constantFrom(
        'gen_ai.tool.name',
        'user.id',
        'enduser.id',
        'error',
        'success',
        'duration_ms',
        'http.status',
      ),
      fc.constantFrom('gen_ai.tool.call.arguments', 'mcp.arguments', 'client.address', 'mcp.response.bytes'),
      fc.string(),
    ),
    value: anyValue,
  }),
  { maxLength: 8 },
)
const nanos = fc.bigInt({ min: 0n, max: 2n ** 63n }).map(String)
const ids = {
  traceId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  spanId: fc.uint8Array({ minLength: 8, maxLength: 8 }),
}

// OTLP/JSON is the JSON of protobuf but for ids in hex.
const hexIds = (json: JsonValue): JsonValue =>
  Object.fromEntries(
    Object.entries(json as Record<string, JsonValue>).map(([key, value]) =>
      key.endsWith('Id') ? [key, Buffer.from(value as string, 'base64').toString('hex')] : [key, value],
    ),
  )
const part = (entry: Decoded | undefined) =>
  entry?.kind === 'part' ? { call: entry.callKey, draft: entry.draft } : entry

describe('otlp-proto', () => {
  it('reads a span as otlp-json reads the library’s own JSON of the same bytes', () => {
    const fields = fc.record({
      ...ids,
      parentSpanId: fc.uint8Array({ minLength: 8, maxLength: 8 }),
      name: fc.string(),
      startTimeUnixNano: nanos,
      endTimeUnixNano: nanos,
      attributes,
      status: fc.record({ code: fc.nat(2), message: fc.string() }),
    })
    fc.assert(
      fc.property(fields, (init) => {
        const bytes = span(init)
        const json = hexIds(toJson(SpanSchema, fromBinary(SpanSchema, bytes)))
        const message = { resourceSpans: [{ scopeSpans: [{ spans: [json] }] }] }
        const [expected] = otlpJson.decode({ headers: {}, bytes, text: '', json: message })
        expect(part(decode(envelope([bytes]))[0])).toEqual(part(expected))
      }),
      { numRuns: 300 },
    )
  })

  it('reads a log record as otlp-json reads the library’s own JSON of the same bytes', () => {
    const fields = fc.record({
      ...ids,
      timeUnixNano: fc.bigInt({ min: 1n, max: 2n ** 63n }).map(String),
      observedTimeUnixNano: nanos,
      severityNumber: fc.nat(24),
      eventName: fc.string(),
      body: anyValue,
      attributes,
    })
    fc.assert(
      fc.property(fields, (init) => {
        const bytes = log(init)
        const json = hexIds(toJson(LogRecordSchema, fromBinary(LogRecordSchema, bytes)))
        const message = { resourceLogs: [{ scopeLogs: [{ logRecords: [json] }] }] }
        const [expected] = otlpJson.decode({ headers: {}, bytes, text: '', json: message })
        expect(part(decode(envelope([bytes]))[0])).toEqual(part(expected))
      }),
      { numRuns: 300 },
    )
  })

  it('reads fields in any order: the Collector writes the last one first', () => {
    const message = sample('otel-live/kafka-message-otlp_proto-traces.bin')
    const [first] = fromBinary(EnvelopeSchema, message).resources[0]?.scopes[0]?.records ?? []
    expect(first?.[0]).toBe((15 << 3) | 2)
    expect(decode(message).filter(({ kind }) => kind === 'part')).toHaveLength(12)
  })

  it('tells logs from spans from metrics, also where the first record has no time', () => {
    const id = { traceId: bytesOf(16), spanId: bytesOf(8) }
    const kinds = (records: Uint8Array[]) =>
      decode(envelope(records)).map((entry) => (entry.kind === 'part' ? entry.draft.span_id : entry.kind))
    expect(kinds([span({ ...id, attributes: call('x') })])).toEqual(['0707070707070707'])
    const timeless = log({ attributes: call('x') })
    expect(kinds([timeless, log({ timeUnixNano: '1', attributes: call('y') })])).toEqual([
      undefined,
      undefined,
    ])
    const metric = new BinaryWriter().tag(1, 2).string('mcp.server.operation').tag(2, 2).string('').finish()
    expect(kinds([metric])).toEqual(['fault'])
  })

  it('passes over fields that it does not know, of any type and number', () => {
    const unknown = (number: number) => {
      const writer = new BinaryWriter()
        .tag(number, 0)
        .uint64('18446744073709551615')
        .tag(number, 1)
        .fixed64('1')
      writer.tag(number, 2).bytes(bytesOf(300)).tag(number, 5).fixed32(1)
      return writer.tag(number, 3).tag(7, 0).int32(-1).tag(number, 4).finish()
    }
    const known = log({ timeUnixNano: '1787320991482000000', attributes: call('echo') })
    for (const number of [4, 13, 15, 16, 2047, 2048, 2 ** 28, 2 ** 29 - 1]) {
      const [entry] = decode(envelope([Buffer.concat([unknown(number), known, unknown(number)])]))
      expect(entry, `field ${number}`).toMatchObject({ draft: { 'gen_ai.tool.name': 'echo' } })
      const [broken] = decode(envelope([Buffer.concat([known, unknown(number).subarray(0, -1)])]))
      expect(broken, `field ${number}, cut`).toMatchObject({ kind: 'fault', reason: 'field_type' })
    }
  })

  it('keeps integers beyond 2^53 exactly, and bytes as base64', () => {
    const big = { value: { case: 'intValue', value: '9007199254740993' } } as const
    const bytes = { value: { case: 'bytesValue', value: Uint8Array.of(0, 255) } } as const
    const [entry] = decode(
      envelope([
        log({
          timeUnixNano: '1',
          attributes: [...call('x'), { key: 'user.id', value: big }, { key: 'mcp.session.id', value: bytes }],
        }),
      ]),
    )
    expect(entry).toMatchObject({ draft: { 'user.id': '9007199254740993', 'mcp.session.id': 'AP8=' } })
  })
})

describe('hostile bytes', () => {
  it('lose only the record that they are in, which becomes a dead letter of its own', () => {
    const bad = new BinaryWriter().tag(6, 2).fork().tag(1, 2).bytes(Buffer.from('gen_ai.tool.name'))
    bad.tag(2, 2).fork().tag(1, 2).bytes(Uint8Array.of(0xc3, 0x28)).join().join()
    const good = log({ timeUnixNano: '1787320991482000000', attributes: call('echo') })
    const batch = run([record(envelope([good, bad.finish(), good]), { format: 'otlp-proto' })])
    expect(batch.parts).toHaveLength(2)
    expect(batch.deadLetters).toMatchObject([{ reason: 'field_type', recordIndex: 1 }])
    expect(batch.deadLetters[0]?.message).toContain('UTF-8')
  })

  it('in a body, which is read late, lose only their record, too', () => {
    const bad = new BinaryWriter()
      .tag(5, 2)
      .bytes(Uint8Array.of(0x0a, 0xff, 0xff, 0x03))
      .finish()
    const good = log({ timeUnixNano: '1', attributes: call('echo') })
    expect(decode(envelope([good, bad, good])).map(({ kind }) => kind)).toEqual(['part', 'fault', 'part'])
  })

  it('nest without end: refused, quickly', () => {
    let nested = new BinaryWriter().tag(1, 2).string('deep').finish()
    for (let level = 0; level < 3000; level++)
      nested = new BinaryWriter().tag(5, 2).fork().tag(1, 2).bytes(nested).join().finish()
    const attribute = new BinaryWriter().tag(1, 2).string('user.id').tag(2, 2).bytes(nested).finish()
    const bytes = envelope([new BinaryWriter().tag(6, 2).bytes(attribute).finish()])
    const cpuMs = cpuMsOf(() => expect(decode(bytes)).toMatchObject([{ kind: 'fault' }]))
    expect(cpuMs).toBeLessThan(10_000)
  })

  it('claim lengths beyond the end', () => {
    const huge = Uint8Array.of(0x32, 0xff, 0xff, 0xff, 0xff, 0x0f, 1)
    expect(decode(envelope([huge]))).toMatchObject([{ kind: 'fault', reason: 'field_type' }])
    expect(decode(Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x07))).toMatchObject([{ kind: 'fault' }])
  })

  it('are cut anywhere: never an error, and no entry that was not there', () => {
    const message = sample('otel-live/kafka-message-otlp_proto-logs.bin')
    for (let end = 0; end < message.length; end += 7) {
      const { parts, deadLetters } = run([record(message.subarray(0, end), { format: 'otlp-proto' })])
      expect(parts.length + deadLetters.length, `cut at ${end}`).toBeGreaterThan(0)
      expect(assemble(parts).length, `cut at ${end}`).toBeLessThanOrEqual(12)
    }
  })

  it('are anything at all', () => {
    const message = sample('otel-live/kafka-message-otlp_proto-traces.bin')
    const flips = fc.array(fc.tuple(fc.nat(message.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), flips), (input) => {
        const bytes = input instanceof Uint8Array ? input : Buffer.from(message)
        if (!(input instanceof Uint8Array)) for (const [at, byte] of input) bytes[at] = byte
        for (const entry of decode(bytes)) JSON.stringify(entry)
        otlpProto.recognises({ headers: {}, bytes, text: undefined, json: undefined })
      }),
      { numRuns: 500 },
    )
  })

  it('leave a dead letter that can be sent again: OTLP/JSON of that record alone', () => {
    const future = log({
      timeUnixNano: '4102444800000000000',
      traceId: bytesOf(16),
      attributes: call('later'),
    })
    const { deadLetters } = run([record(envelope([future], 'scope-1'), { format: 'otlp-proto' })])
    expect(deadLetters).toMatchObject([{ reason: 'time_in_future' }])
    const again = JSON.parse(deadLetters[0]?.record ?? '')
    again.resourceLogs[0].scopeLogs[0].logRecords[0].timeUnixNano = '1787320991482000000'
    const [event] = assemble(run([record(JSON.stringify(again))]).parts)
    expect(event).toMatchObject({ trace_id: '07'.repeat(16), 'gen_ai.tool.name': 'later' })
  })
})
