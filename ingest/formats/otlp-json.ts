import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { fault, isObject, type JsonObject, listOf, numberOf, objectOf } from './field-values.ts'
import { OtlpAttributes, usesOf } from './otlp-attributes.ts'
import { decodeOtlpRecord } from './otlp-call.ts'
import type { OtlpRecord } from './otlp-records.ts'
import { MAX_NESTING, type OtlpValue } from './otlp-value.ts'

/**
 * OTLP in its JSON encoding, logs and spans, as the Collector’s Kafka exporter and the SDKs write it: integers and
 * times as text, ids in hex, one message with many records. Every record is a part (`otlp-call.ts`). Fields that are
 * not known are passed over.
 */
export const otlpJson: Format = {
  name: 'otlp-json',
  mayBeEmpty: true,
  decides: true,
  marks: { needs: [['resourceLogs', 'resourceSpans', 'resourceMetrics']] },
  recognises: ({ json }) =>
    isObject(json) &&
    (Array.isArray(json['resourceLogs']) ||
      Array.isArray(json['resourceSpans']) ||
      Array.isArray(json['resourceMetrics'])),
  decode,
}

const SIGNALS = [
  { signal: 'log', resources: 'resourceLogs', scopes: 'scopeLogs', records: 'logRecords' },
  { signal: 'span', resources: 'resourceSpans', scopes: 'scopeSpans', records: 'spans' },
] as const

type Signal = (typeof SIGNALS)[number]

function decode({ json }: ParsedRecord): readonly Decoded[] {
  const message = objectOf(json)
  if (!otlpJson.recognises({ json } as ParsedRecord))
    return [fault('field_missing', 'resourceLogs', 'An OTLP message has resourceLogs or resourceSpans.')]
  const metrics = listOf(message['resourceMetrics']).map(() =>
    fault('format_unknown', 'resourceMetrics', 'OTLP metrics carry no calls; send logs and traces.'),
  )
  return [...SIGNALS.flatMap((signal) => recordsOf(message, signal)), ...metrics]
}

function recordsOf(message: JsonObject, names: Signal): readonly Decoded[] {
  const decoded: Decoded[] = []
  for (const resource of objectsIn(message, names.resources, decoded)) {
    const described = objectOf(resource['resource'])
    const ofResource = attributesOf(described)
    for (const scoped of objectsIn(resource, names.scopes, decoded)) {
      const scope = objectOf(scoped['scope'])
      const shared = attributesOf(scope, ofResource)
      for (const record of objectsIn(scoped, names.records, decoded)) {
        const source = sourceOf(names, described, scope, record)
        decoded.push(
          decodeOtlpRecord(readRecord(record, names.signal, shared, textAt(scope, 'name'), source)),
        )
      }
    }
  }
  return decoded
}

// What is absent or empty is no fault (OTLP, "Full Success"); what is of another kind is, or its records were gone unseen.
function* objectsIn(owner: JsonObject, key: string, decoded: Decoded[]): Generator<JsonObject> {
  const list = owner[key]
  if (list === undefined || list === null) return
  if (!Array.isArray(list)) {
    decoded.push({ ...fault('field_type', key, `${key} must be an array.`), source: list })
    return
  }
  for (const item of list as readonly unknown[]) {
    if (isObject(item)) yield item
    else decoded.push({ ...fault('field_type', key, `Each of ${key} must be an object.`), source: item })
  }
}

// Written out only for a dead letter.
const sourceOf = (names: Signal, resource: JsonObject, scope: JsonObject, record: JsonObject): unknown => ({
  toJSON: () => ({
    [names.resources]: [{ resource, [names.scopes]: [{ scope, [names.records]: [record] }] }],
  }),
})

function readRecord(
  record: JsonObject,
  signal: OtlpRecord['signal'],
  shared: OtlpAttributes,
  scope: string,
  source: unknown,
): OtlpRecord {
  const status = objectOf(record['status'])
  return {
    signal,
    scope,
    attributes: attributesOf(record, shared),
    traceId: idAt(record, 'traceId'),
    spanId: idAt(record, 'spanId'),
    parentSpanId: idAt(record, 'parentSpanId'),
    name: textAt(record, signal === 'log' ? 'eventName' : 'name'),
    time: digitsAt(record, signal === 'log' ? 'timeUnixNano' : 'startTimeUnixNano'),
    observedTime: digitsAt(record, 'observedTimeUnixNano'),
    endTime: digitsAt(record, 'endTimeUnixNano'),
    statusCode: statusCodeOf(status['code']),
    statusMessage: textAt(status, 'message'),
    severity: severityOf(record['severityNumber']),
    body: () => readValue(record['body'], 0),
    contents: () => JSON.stringify(record),
    source,
  }
}

// Enums are numbers in OTLP/JSON, but some senders write their names.
const statusCodeOf = (code: unknown): number =>
  code === 'STATUS_CODE_ERROR' ? 2 : code === 'STATUS_CODE_OK' ? 1 : (numberOf(code) ?? 0)

const FIRST_OF_SEVERITY: Readonly<Record<string, number>> = {
  TRACE: 1,
  DEBUG: 5,
  INFO: 9,
  WARN: 13,
  ERROR: 17,
  FATAL: 21,
}

function severityOf(severity: unknown): number {
  const name = typeof severity === 'string' ? /^SEVERITY_NUMBER_([A-Z]+)(\d?)$/.exec(severity) : null
  if (!name) return numberOf(severity) ?? 0
  return (FIRST_OF_SEVERITY[name[1] ?? ''] ?? 0) + Number(name[2] || 1) - 1
}

const textAt = (from: JsonObject, key: string): string => {
  const value = from[key]
  return typeof value === 'string' ? value : ''
}

// Hex says the specification; the plain protobuf mapping, which some senders use, says base64.
function idAt(from: JsonObject, key: string): string {
  const text = textAt(from, key)
  const bytes = key === 'traceId' ? 16 : 8
  if (text.length === bytes * 2 || !/^[A-Za-z0-9+/]+={1,2}$/.test(text)) return text.toLowerCase()
  const decoded = Buffer.from(text, 'base64')
  return decoded.length === bytes ? decoded.toString('hex') : text.toLowerCase()
}

const digitsAt = (from: JsonObject, key: string): string => {
  const value = from[key]
  return typeof value === 'number' ? value.toFixed(0) : typeof value === 'string' ? value : ''
}

function attributesOf(owner: JsonObject, shared?: OtlpAttributes): OtlpAttributes {
  const attributes = new OtlpAttributes(shared)
  for (const item of listOf(owner['attributes'])) {
    const { key, value } = objectOf(item)
    const uses = typeof key === 'string' ? usesOf(key) : undefined
    if (uses) attributes.use(uses, readValue(value, 0))
  }
  return attributes
}

function readValue(value: unknown, nesting: number): OtlpValue {
  if (!isObject(value) || nesting > MAX_NESTING) return undefined
  const text = value['stringValue']
  if (typeof text === 'string') return text
  const flag = value['boolValue']
  if (typeof flag === 'boolean') return flag
  const integer = value['intValue']
  if (integer !== undefined) return readInteger(integer)
  const double = value['doubleValue']
  if (double !== undefined) return numberOf(double)
  const bytes = value['bytesValue']
  if (typeof bytes === 'string') return bytes
  const array = value['arrayValue']
  if (array !== undefined)
    return listOf(objectOf(array)['values']).map((item) => readValue(item, nesting + 1))
  const map = value['kvlistValue']
  if (map === undefined) return undefined
  const entries = listOf(objectOf(map)['values']).flatMap((item) => {
    // Protobuf’s JSON leaves out what is empty, an empty key too.
    const { key = '', value: nested } = objectOf(item)
    return typeof key === 'string' ? [[key, readValue(nested, nesting + 1)] as const] : []
  })
  return Object.fromEntries(entries)
}

// Text keeps an integer beyond 2^53 as it is.
function readInteger(value: unknown): OtlpValue {
  const number = numberOf(value)
  return number === undefined || Number.isSafeInteger(number) ? number : String(value)
}
