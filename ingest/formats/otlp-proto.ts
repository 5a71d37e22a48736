import { fromBinary, type JsonObject, type JsonValue, toJson } from '@bufbuild/protobuf'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { fault } from './field-values.ts'
import {
  type Envelope,
  EnvelopeSchema,
  LogRecordSchema,
  ResourceSchema,
  ScopeSchema,
  SpanSchema,
} from './generated/otlp_pb.ts'
import { decodeOtlpRecord } from './otlp-call.ts'
import { OtlpBytesError } from './otlp-input.ts'
import { createOtlpReader, signalOf } from './otlp-wire.ts'

/**
 * OTLP in its protobuf encoding, the default of the Collector’s Kafka exporter. Nothing in a message says whether it
 * holds logs, spans or metrics: the first fields of its records do. A record that is broken inside is a fault by
 * itself; the others of its message are read.
 */
export const otlpProto: Format = {
  name: 'otlp-proto',
  mayBeEmpty: true,
  decides: true,
  reads: 'bytes',
  recognises: ({ bytes, json }) => json === undefined && bytes[0] === 0x0a && looksLikeOtlp(bytes),
  decode,
}

// Resource, scopes, schema URL: every resource of the message must be made of these and nothing else.
function looksLikeOtlp(bytes: Uint8Array): boolean {
  const envelope = readEnvelope(bytes)
  return typeof envelope !== 'string' && isKnown(envelope)
}

function isKnown({ $unknown, resources }: Envelope): boolean {
  return (
    $unknown === undefined &&
    resources.every(({ $unknown: beside = [] }) =>
      beside.every(({ no, wireType }) => wireType === 2 && (no === 3 || no === 1000)),
    )
  )
}

// Beside its records a scope has the URL of its schema.
const scopesAreKnown = ({ resources }: Envelope): boolean =>
  resources.every(({ scopes }) =>
    scopes.every(({ $unknown = [] }) => $unknown.every(({ no, wireType }) => wireType === 2 && no === 3)),
  )

/** The envelope, or what is wrong with it. Only the library runs inside: any error of it is about the bytes. */
function readEnvelope(bytes: Uint8Array): Envelope | string {
  try {
    return fromBinary(EnvelopeSchema, bytes)
  } catch (cause) {
    return cause instanceof Error ? cause.message : 'unreadable'
  }
}

function decode({ bytes }: ParsedRecord): readonly Decoded[] {
  const envelope = readEnvelope(bytes)
  if (typeof envelope === 'string') return [broken(envelope)]
  const entries = recordsOf(envelope)
  // An empty message is no fault, but fields that OTLP does not have may be records whose numbers were spoiled on the way.
  if (entries.length === 0 && !(isKnown(envelope) && scopesAreKnown(envelope)))
    return [broken('no field of it is one of OTLP')]
  return entries
}

function recordsOf({ resources }: Envelope): readonly Decoded[] {
  const reader = createOtlpReader()
  return resources.flatMap(({ resource, scopes }) =>
    scopes.flatMap(({ scope, records }) => {
      const shared = attempt(() => ({ ...reader.readScope(resource, scope), signal: signalOf(records) }))
      return records.map((record) => {
        if (shared instanceof OtlpBytesError) return broken(shared.message)
        if (shared.signal === 'metric') return METRIC
        const isSpan = shared.signal === 'span'
        const source = { toJSON: () => describe(isSpan, resource, scope, record) }
        const decoded = attempt(() =>
          decodeOtlpRecord((isSpan ? reader.readSpan : reader.readLog)(record, shared, source)),
        )
        return decoded instanceof OtlpBytesError ? { ...broken(decoded.message), source } : decoded
      })
    }),
  )
}

function attempt<T>(read: () => T): T | OtlpBytesError {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof OtlpBytesError) return cause
    throw cause
  }
}

const METRIC = fault(
  'format_unknown',
  'resourceMetrics',
  'OTLP metrics carry no calls; send logs and traces.',
)

const broken = (reason: string): Decoded =>
  fault('field_type', '', `The record is not OTLP in protobuf: ${reason}.`)

// What a dead letter shows: a message with this record alone, in OTLP/JSON, which can be sent again.
function describe(isSpan: boolean, resource: Uint8Array, scope: Uint8Array, record: Uint8Array): JsonObject {
  try {
    const described = {
      resource: toJson(ResourceSchema, fromBinary(ResourceSchema, resource)),
      scope: toJson(ScopeSchema, fromBinary(ScopeSchema, scope)),
      record: isSpan
        ? withHexIds(toJson(SpanSchema, fromBinary(SpanSchema, record)))
        : withHexIds(toJson(LogRecordSchema, fromBinary(LogRecordSchema, record))),
    }
    const [resources, scopes, records] = isSpan
      ? ['resourceSpans', 'scopeSpans', 'spans']
      : ['resourceLogs', 'scopeLogs', 'logRecords']
    return {
      [resources]: [
        {
          resource: described.resource,
          [scopes]: [{ scope: described.scope, [records]: [described.record] }],
        },
      ],
    }
  } catch {
    // Broken inside: nothing but its bytes can be shown.
    return { recordBase64: Buffer.from(record).toString('base64') }
  }
}

// The one thing in which OTLP/JSON differs from the JSON of protobuf: ids are hex.
function withHexIds(record: JsonValue): JsonValue {
  const fields = record as Record<string, JsonValue>
  for (const id of ['traceId', 'spanId', 'parentSpanId']) {
    const value = fields[id]
    if (typeof value === 'string') fields[id] = Buffer.from(value, 'base64').toString('hex')
  }
  return fields
}
