import type { Inner } from './format.ts'
import { isObject, type JsonObject, listOf, objectOf } from './formats/field-values.ts'

/** What stands in a wrapper: a value of JSON, a text, or a text in base64 that is not unpacked yet. */
export type WrappedValue =
  | Inner
  | { readonly base64: string; readonly around?: Readonly<Record<string, unknown>> }

export interface WrapperShape {
  readonly by: string
  /** `undefined` where the record is none of its. */
  readonly open: (json: JsonObject) => readonly WrappedValue[] | undefined
}

export function inner(value: unknown): readonly WrappedValue[] | undefined {
  if (value instanceof Packed) return [{ base64: value.base64 }]
  if (typeof value === 'string') return [{ text: value }]
  return isObject(value) ? [{ json: value }] : undefined
}

/** What one value wraps, with what stands around it there. */
const within = (around: unknown, value: unknown): readonly WrappedValue[] | undefined =>
  inner(value)?.map((one) => ({ ...one, around: objectOf(around) }))

/** What a list wraps; `undefined` where none of its items wraps anything. One item that does not costs only itself. */
const each = (list: unknown, take: (item: JsonObject) => unknown): readonly WrappedValue[] | undefined => {
  if (!Array.isArray(list) || list.length === 0) return undefined
  let opens = false
  const opened = list.map((item: unknown): readonly WrappedValue[] => {
    const around = objectOf(item)
    const found = inner(take(around))?.map((one) => ({ ...one, around }))
    if (found !== undefined) opens = true
    return found ?? [{ json: item, around }]
  })
  return opens ? opened.flat() : undefined
}

/** The value that a Kafka client passed on: JSON, or bytes in base64. */
const kafkaValue = ({ value }: JsonObject): unknown => packed(value) ?? value

/** Streams of Loki, as they are pushed and as they are asked for. */
const linesOf = (streams: unknown): readonly WrappedValue[] | undefined =>
  Array.isArray(streams) && streams.some((stream) => Array.isArray(objectOf(stream)['values']))
    ? streams.flatMap((stream) =>
        listOf(objectOf(stream)['values']).flatMap((entry) => {
          if (!Array.isArray(entry)) return []
          const around = { timestamp: entry[0] as unknown }
          return (inner(entry[1]) ?? []).map((one) => ({ ...one, around }))
        }),
      )
    : undefined

const withoutUnderscores = (json: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(json).flatMap(([key, value]) => (/^_./.test(key) ? [[key.slice(1), value]] : [])),
  )

/** A text in base64, as brokers and clouds write bytes. It is unpacked when its turn comes, not when it is found. */
class Packed {
  readonly base64: string
  constructor(base64: string) {
    this.base64 = base64
  }
}

const packed = (value: unknown): Packed | undefined =>
  typeof value === 'string' && value.length >= 4 && /^[\w+/-]{1,64}/.test(value)
    ? new Packed(value)
    : undefined

const publishedIn = (message: unknown): Packed | undefined => {
  const { data, messageId, message_id, publishTime, publish_time } = objectOf(message)
  return (messageId ?? message_id ?? publishTime ?? publish_time) === undefined ? undefined : packed(data)
}

/** The fields that a program added to its message in GELF, which have an underscore before their names there. */
export function gelfFields(json: JsonObject): readonly WrappedValue[] | undefined {
  if (!('version' in json && 'host' in json && 'short_message' in json)) return undefined
  const fields = withoutUnderscores(json)
  return Object.keys(fields).length > 1 ? [{ json: fields }] : undefined
}

/** A row of the table `otel_logs`, as the document that Elasticsearch keeps of the same record. */
function clickHouseRow(row: JsonObject): readonly WrappedValue[] | undefined {
  if (!isObject(row['LogAttributes'])) return undefined
  const document = {
    '@timestamp': row['Timestamp'],
    attributes: row['LogAttributes'],
    resource: { attributes: row['ResourceAttributes'] },
    scope: { name: row['ScopeName'] },
    body: { text: row['Body'] },
    trace_id: row['TraceId'],
    span_id: row['SpanId'],
    event_name: row['EventName'],
  }
  return [{ json: document }]
}

// Told by several keys that only such an envelope has together.
export const WRAPPER_SHAPES: readonly WrapperShape[] = [
  { by: 'CloudWatch Logs', open: ({ awslogs }) => inner(packed(objectOf(awslogs)['data'])) },
  {
    by: 'CloudWatch Logs',
    open: (json) =>
      'logGroup' in json || 'messageType' in json
        ? each(json['logEvents'], ({ message }) => message)
        : undefined,
  },
  { by: 'EventBridge', open: (json) => ('detail-type' in json ? inner(json['detail']) : undefined) },
  {
    by: 'SNS',
    open: (json) => (json['Type'] === 'Notification' ? inner(json['Message']) : undefined),
  },
  {
    by: 'SQS, SNS or Kinesis',
    open: ({ Records }) =>
      each(
        Records,
        (item) =>
          item['body'] ?? objectOf(item['Sns'])['Message'] ?? packed(objectOf(item['kinesis'])['data']),
      ),
  },
  {
    by: 'Firehose',
    open: ({ requestId, invocationId, records }) =>
      requestId === undefined && invocationId === undefined
        ? undefined
        : each(records, ({ data, kafkaRecordValue }) => packed(data ?? kafkaRecordValue)),
  },
  {
    by: 'Kafka (AWS Lambda)',
    open: ({ eventSource, records }) =>
      typeof eventSource === 'string' && /kafka/i.test(eventSource) && isObject(records)
        ? each(Object.values(records).flatMap(listOf), kafkaValue)
        : undefined,
  },
  {
    by: 'a Kafka REST proxy',
    open: ({ records }) =>
      each(records, (item) => ('value' in item && !('properties' in item) ? kafkaValue(item) : undefined)),
  },
  { by: 'CloudTrail LookupEvents', open: ({ Events }) => each(Events, (item) => item['CloudTrailEvent']) },
  {
    by: 'CloudTrail LookupEvents',
    open: (json) => inner(json['CloudTrailEvent'] ?? json['cloud_trail_event']),
  },
  {
    by: 'CloudWatch Logs',
    open: ({ events }) =>
      each(events, (item) => ('message' in item && 'ingestionTime' in item ? item['message'] : undefined)),
  },
  { by: 'Azure Monitor', open: ({ records }) => each(records, ({ properties }) => properties) },
  { by: 'Loki', open: ({ streams }) => linesOf(streams) },
  {
    by: 'Loki',
    open: ({ data }) =>
      objectOf(data)['resultType'] === 'streams' ? linesOf(objectOf(data)['result']) : undefined,
  },
  {
    by: 'Debezium',
    open: (json) => ('op' in json && ('after' in json || 'ts_ms' in json) ? inner(json['after']) : undefined),
  },
  { by: 'Kafka Connect', open: (json) => ('schema' in json ? inner(json['payload']) : undefined) },
  {
    by: 'Pub/Sub',
    open: ({ message, subscription }) =>
      within(message, subscription === undefined ? publishedIn(message) : packed(objectOf(message)['data'])),
  },
  { by: 'Pub/Sub', open: (json) => inner(publishedIn(json)) },
  {
    by: 'Pub/Sub',
    open: (json) =>
      each(
        listOf(json['receivedMessages']).map((item) => objectOf(item)['message']),
        publishedIn,
      ),
  },
  {
    by: 'Google Cloud Logging',
    open: (json) =>
      'logName' in json || 'insertId' in json ? inner(json['jsonPayload'] ?? json['textPayload']) : undefined,
  },
  { by: 'Elasticsearch', open: (json) => ('_index' in json ? inner(json['_source']) : undefined) },
  { by: 'Elasticsearch', open: ({ hits }) => each(objectOf(hits)['hits'], ({ _source }) => _source) },
  { by: 'Splunk', open: ({ result }) => within(result, objectOf(result)['_raw']) },
  { by: 'OpenTelemetry in ClickHouse', open: clickHouseRow },
]
