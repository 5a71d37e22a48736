import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { fault, isObject, type JsonObject, listOf, numberOf, objectOf } from './field-values.ts'
import { decodeOtlpRecord } from './otlp-call.ts'
import type { OtlpAttributes, OtlpRecord, OtlpValue } from './otlp-records.ts'

/**
 * OTLP in its JSON encoding, logs and spans, as the Collector’s Kafka exporter and the SDKs write it: integers and
 * times as text, ids in hex, one message with many records. Every record is a part (`otlp-call.ts`).
 */
export const otlpJson: Format = {
  name: 'otlp-json',
  recognises: ({ json }) =>
    isObject(json) &&
    (Array.isArray(json['resourceLogs']) ||
      Array.isArray(json['resourceSpans']) ||
      Array.isArray(json['resourceMetrics'])),
  decode,
}

function decode({ json }: ParsedRecord): readonly Decoded[] {
  const message = objectOf(json)
  if (!otlpJson.recognises({ json } as ParsedRecord))
    return [fault('field_missing', 'resourceLogs', 'An OTLP message has resourceLogs or resourceSpans.')]
  const metrics = listOf(message['resourceMetrics']).map(() =>
    fault('format_unknown', 'resourceMetrics', 'OTLP metrics carry no calls; send logs and traces.'),
  )
  return [
    ...recordsOf(message['resourceLogs'], 'scopeLogs', 'logRecords', 'log'),
    ...recordsOf(message['resourceSpans'], 'scopeSpans', 'spans', 'span'),
    ...metrics,
  ]
}

function recordsOf(
  resources: unknown,
  scopesKey: string,
  recordsKey: string,
  signal: OtlpRecord['signal'],
): readonly Decoded[] {
  const decoded: Decoded[] = []
  for (const resource of listOf(resources)) {
    const resourceAttributes = listOf(objectOf(objectOf(resource)['resource'])['attributes'])
    for (const scoped of listOf(objectOf(resource)[scopesKey])) {
      const scope = objectOf(objectOf(scoped)['scope'])
      const shared = readAttributes([resourceAttributes, listOf(scope['attributes'])])
      for (const record of listOf(objectOf(scoped)[recordsKey])) {
        decoded.push(
          isObject(record)
            ? decodeOtlpRecord(readRecord(record, signal, shared, textAt(scope, 'name')))
            : {
                ...fault('field_type', recordsKey, `Each of ${recordsKey} must be an object.`),
                source: record,
              },
        )
      }
    }
  }
  return decoded
}

function readRecord(
  record: JsonObject,
  signal: OtlpRecord['signal'],
  shared: OtlpAttributes,
  scope: string,
): OtlpRecord {
  const status = objectOf(record['status'])
  return {
    signal,
    scope,
    attributes: readAttributes([listOf(record['attributes'])], shared),
    traceId: textAt(record, 'traceId').toLowerCase(),
    spanId: textAt(record, 'spanId').toLowerCase(),
    parentSpanId: textAt(record, 'parentSpanId').toLowerCase(),
    name: textAt(record, signal === 'log' ? 'eventName' : 'name'),
    time: digitsAt(record, signal === 'log' ? 'timeUnixNano' : 'startTimeUnixNano'),
    observedTime: digitsAt(record, 'observedTimeUnixNano'),
    endTime: digitsAt(record, 'endTimeUnixNano'),
    kind: numberOf(record['kind']) ?? 0,
    statusCode: statusCodeOf(status['code']),
    statusMessage: textAt(status, 'message'),
    severity: numberOf(record['severityNumber']) ?? 0,
    body: readValue(record['body'], 0),
    source: record,
  }
}

// Enums are numbers in OTLP/JSON, but some senders write their names.
const statusCodeOf = (code: unknown): number =>
  code === 'STATUS_CODE_ERROR' ? 2 : code === 'STATUS_CODE_OK' ? 1 : (numberOf(code) ?? 0)

const textAt = (from: JsonObject, key: string): string => {
  const value = from[key]
  return typeof value === 'string' ? value : ''
}

const digitsAt = (from: JsonObject, key: string): string => {
  const value = from[key]
  return typeof value === 'number' ? value.toFixed(0) : typeof value === 'string' ? value : ''
}

function readAttributes(lists: readonly (readonly unknown[])[], shared?: OtlpAttributes): OtlpAttributes {
  const attributes = new Map(shared)
  for (const list of lists) {
    for (const item of list) {
      const { key, value } = objectOf(item)
      if (typeof key === 'string') attributes.set(key, readValue(value, 0))
    }
  }
  return attributes
}

const MAX_NESTING = 32

function readValue(value: unknown, nesting: number): OtlpValue {
  if (!isObject(value) || nesting > MAX_NESTING) return undefined
  if (typeof value['stringValue'] === 'string') return value['stringValue']
  if (typeof value['boolValue'] === 'boolean') return value['boolValue']
  if ('intValue' in value) return readInteger(value['intValue'])
  if ('doubleValue' in value) return numberOf(value['doubleValue'])
  if (typeof value['bytesValue'] === 'string') return value['bytesValue']
  if ('arrayValue' in value)
    return listOf(objectOf(value['arrayValue'])['values']).map((item) => readValue(item, nesting + 1))
  if ('kvlistValue' in value) {
    const entries = listOf(objectOf(value['kvlistValue'])['values']).flatMap((item) => {
      const { key, value: nested } = objectOf(item)
      return typeof key === 'string' ? [[key, readValue(nested, nesting + 1)] as const] : []
    })
    return Object.fromEntries(entries)
  }
  return undefined
}

function readInteger(value: unknown): OtlpValue {
  const number = numberOf(value)
  return number === undefined || Number.isSafeInteger(number) ? number : String(value)
}
