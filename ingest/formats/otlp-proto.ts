import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { fault } from './field-values.ts'
import { decodeOtlpRecord } from './otlp-call.ts'
import type { OtlpAttributes, OtlpRecord, OtlpValue } from './otlp-records.ts'
import { doubleOf, ProtobufError, type ProtobufField, readFields } from './protobuf-reader.ts'

/**
 * OTLP in its protobuf encoding, the default of the Collector’s Kafka exporter. Nothing in a message says whether it
 * holds logs or spans; a span’s field 1 is its trace id (bytes), a log record’s is a time (eight bytes).
 * Field numbers: opentelemetry-proto, logs/v1, trace/v1, common/v1, resource/v1.
 */
export const otlpProto: Format = {
  name: 'otlp-proto',
  reads: 'bytes',
  recognises: ({ bytes, json }) => json === undefined && bytes[0] === 0x0a && looksLikeOtlp(bytes),
  decode,
}

function decode({ bytes }: ParsedRecord): readonly Decoded[] {
  try {
    return [...recordsIn(bytes)].map(decodeOtlpRecord)
  } catch (cause) {
    if (!(cause instanceof ProtobufError)) throw cause
    return [fault('field_type', '', `The record is not OTLP in protobuf: ${cause.message}.`)]
  }
}

const MESSAGE = 2

// Resource, scopes, schema URL: every resource of the message must be made of these and nothing else.
function looksLikeOtlp(message: Uint8Array): boolean {
  try {
    for (const { number, wire, bytes } of readFields(message)) {
      if (number !== 1 || wire !== MESSAGE) return false
      for (const inner of readFields(bytes)) {
        if (inner.wire !== MESSAGE || (inner.number > 3 && inner.number !== 1000)) return false
      }
    }
    return true
  } catch (cause) {
    if (cause instanceof ProtobufError) return false
    throw cause
  }
}

function* recordsIn(message: Uint8Array): Generator<OtlpRecord> {
  for (const resource of messages(message, 1)) {
    const [described = new Uint8Array()] = messages(resource, 1)
    const resourceAttributes = attributesIn(described, 1)
    for (const scoped of messages(resource, 2)) {
      const [scope = new Uint8Array()] = messages(scoped, 1)
      const shared = attributesIn(scope, 3, resourceAttributes)
      const [scopeName = new Uint8Array()] = messages(scope, 1)
      for (const record of messages(scoped, 2)) yield readRecord(record, shared, textOf(scopeName))
    }
  }
}

const messages = (message: Uint8Array, number: number): readonly Uint8Array[] =>
  [...readFields(message)].flatMap((field) =>
    field.number === number && field.wire === MESSAGE ? [field.bytes] : [],
  )

interface Numbers {
  readonly time: number
  readonly observedTime: number
  readonly endTime: number
  readonly attributes: number
  readonly traceId: number
  readonly spanId: number
  readonly parentSpanId: number
  readonly name: number
}

const LOG: Numbers = {
  time: 1,
  observedTime: 11,
  endTime: 0,
  attributes: 6,
  traceId: 9,
  spanId: 10,
  parentSpanId: 0,
  name: 12,
}
const SPAN: Numbers = {
  time: 7,
  observedTime: 0,
  endTime: 8,
  attributes: 9,
  traceId: 1,
  spanId: 2,
  parentSpanId: 4,
  name: 5,
}

function readRecord(record: Uint8Array, shared: OtlpAttributes, scope: string): OtlpRecord {
  const fields = new Map<number, ProtobufField>()
  for (const field of readFields(record)) fields.set(field.number, field)
  const signal = fields.get(1)?.wire === MESSAGE ? 'span' : 'log'
  const at = signal === 'span' ? SPAN : LOG
  const status = statusOf(signal === 'span' ? fields.get(15)?.bytes : undefined)
  const number = (field: number): bigint => fields.get(field)?.integer ?? 0n
  const hex = (field: number): string => Buffer.from(fields.get(field)?.bytes ?? []).toString('hex')
  const attributes = attributesIn(record, at.attributes, shared)
  const read = {
    signal,
    scope,
    traceId: hex(at.traceId),
    spanId: hex(at.spanId),
    parentSpanId: at.parentSpanId === 0 ? '' : hex(at.parentSpanId),
    name: textOf(fields.get(at.name)?.bytes),
    time: String(number(at.time)),
    observedTime: String(number(at.observedTime)),
    endTime: String(number(at.endTime)),
    kind: signal === 'span' ? Number(number(6)) : 0,
    statusCode: status.code,
    statusMessage: status.message,
    severity: signal === 'log' ? Number(number(2)) : 0,
    body: signal === 'log' ? readValue(fields.get(5)?.bytes, 0) : undefined,
  } as const
  return { ...read, attributes, source: { ...read, attributes: Object.fromEntries(attributes) } }
}

function statusOf(bytes: Uint8Array | undefined): { readonly code: number; readonly message: string } {
  let code = 0
  let message = ''
  for (const field of readFields(bytes ?? new Uint8Array())) {
    if (field.number === 3 && field.wire === 0) code = Number(field.integer)
    if (field.number === 2) message = textOf(field.bytes)
  }
  return { code, message }
}

function attributesIn(message: Uint8Array, number: number, shared?: OtlpAttributes): OtlpAttributes {
  const attributes = new Map(shared)
  for (const pair of messages(message, number)) {
    const { key, value } = readPair(pair, 0)
    attributes.set(key, value)
  }
  return attributes
}

function readPair(pair: Uint8Array, nesting: number): { readonly key: string; readonly value: OtlpValue } {
  let key = ''
  let value: OtlpValue
  for (const field of readFields(pair)) {
    if (field.number === 1) key = textOf(field.bytes)
    if (field.number === 2) value = readValue(field.bytes, nesting)
  }
  return { key, value }
}

const MAX_NESTING = 32

function readValue(bytes: Uint8Array | undefined, nesting: number): OtlpValue {
  if (bytes === undefined) return undefined
  if (nesting > MAX_NESTING) throw new ProtobufError(`a value is nested deeper than ${MAX_NESTING} levels`)
  let value: OtlpValue
  for (const field of readFields(bytes)) {
    if (field.number === 1) value = textOf(field.bytes)
    else if (field.number === 2) value = field.integer !== 0n
    else if (field.number === 3) value = integerOf(BigInt.asIntN(64, field.integer))
    else if (field.number === 4) value = doubleOf(field.integer)
    else if (field.number === 5) value = messages(field.bytes, 1).map((item) => readValue(item, nesting + 1))
    else if (field.number === 6)
      value = Object.fromEntries(
        messages(field.bytes, 1).map((pair) => {
          const { key, value: nested } = readPair(pair, nesting + 1)
          return [key, nested] as const
        }),
      )
    else if (field.number === 7) value = Buffer.from(field.bytes).toString('base64')
  }
  return value
}

const integerOf = (integer: bigint): OtlpValue =>
  Number.isSafeInteger(Number(integer)) ? Number(integer) : String(integer)

const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('utf8')
