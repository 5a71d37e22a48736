import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { isObject, type JsonObject, kindOf, listOf, notATime, objectOf, textOf } from './field-values.ts'
import { otlpJson } from './otlp-json.ts'
import { readTime } from './read-time.ts'

/**
 * Log records of OpenTelemetry as Elasticsearch keeps them after its OTLP receiver (Claude Code’s events among them):
 * documents, or a list of them under `events`. Written back to OTLP, they are read like OTLP.
 */
export const elasticOtel: Format = {
  name: 'elastic-otel',
  marks: {
    needs: ['@timestamp', 'attributes', 'resource'],
    usual: ['data_stream', 'scope', 'trace_id', 'event_name', 'body'],
  },
  recognises: ({ json }) =>
    isObject(json) &&
    (isDocument(json) ||
      (Array.isArray(json['events']) && json['events'].length > 0 && json['events'].every(isDocument))),
  decode,
}

const isDocument = (value: unknown): boolean =>
  isObject(value) && '@timestamp' in value && isObject(value['attributes']) && isObject(value['resource'])

function decode({ json }: ParsedRecord): readonly Decoded[] {
  const given = objectOf(json)
  const documents = isDocument(given) ? [given] : listOf(given['events'])
  return documents.flatMap((document) => {
    if (!isObject(document)) return [notATime('events', kindOf(document))]
    const time = readTime(document['@timestamp'])
    if (time === undefined) return [{ ...notATime('@timestamp', document['@timestamp']), source: document }]
    return otlpJson
      .decode({ headers: {}, bytes: new Uint8Array(), text: undefined, json: messageOf(document, time) })
      .map((entry) => ({ ...entry, source: document }))
  })
}

function messageOf(document: JsonObject, time: string): JsonObject {
  const record = {
    // Microseconds and three zeros: as a number it would lose them.
    timeUnixNano: `${BigInt(Date.parse(`${time.slice(0, 23)}Z`)) * 1000n + BigInt(time.slice(23, 26))}000`,
    body: { stringValue: textOf(objectOf(document['body'])['text']) ?? '' },
    attributes: attributesOf(document['attributes']),
    traceId: textOf(document['trace_id']) ?? '',
    spanId: textOf(document['span_id']) ?? '',
    severityNumber: document['severity_number'],
    eventName: textOf(document['event_name']) ?? '',
  }
  const resource = { attributes: attributesOf(objectOf(document['resource'])['attributes']) }
  const scope = { name: textOf(objectOf(document['scope'])['name']) ?? '' }
  return { resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords: [record] }] }] }
}

const attributesOf = (attributes: unknown): readonly JsonObject[] =>
  Object.entries(objectOf(attributes)).map(([key, value]) => ({ key, value: anyValue(value) }))

function anyValue(value: unknown): JsonObject {
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value === 'number')
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
  if (typeof value === 'string') return { stringValue: value }
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } }
  const values = Object.entries(objectOf(value)).map(([key, item]) => ({ key, value: anyValue(item) }))
  return { kvlistValue: { values } }
}
