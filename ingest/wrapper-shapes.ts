import { gunzipSync } from 'node:zlib'
import type { Inner } from './format.ts'
import { isObject, type JsonObject, listOf, objectOf } from './formats/field-values.ts'

export interface WrapperShape {
  readonly by: string
  /** `undefined` where the record is none of its. */
  readonly open: (json: JsonObject) => readonly Inner[] | undefined
}

export const inner = (value: unknown): readonly Inner[] | undefined =>
  typeof value === 'string' ? [{ text: value }] : isObject(value) ? [{ json: value }] : undefined

/** What one value wraps, with what stands around it there. */
const within = (around: unknown, value: unknown): readonly Inner[] | undefined =>
  inner(value)?.map((one) => ({ ...one, around: objectOf(around) }))

const MAX_UNPACKED = 10_000

/** What a list wraps; `undefined` where none of its items wraps anything. One item that does not costs only itself. */
const each = (list: unknown, take: (item: JsonObject) => unknown): readonly Inner[] | undefined => {
  if (!Array.isArray(list) || list.length === 0) return undefined
  // More than a record may wrap, and refused for that: do not unpack them first.
  if (list.length > MAX_UNPACKED) return list.map((json: unknown) => ({ json }))
  let opens = false
  const opened = list.map((item: unknown): readonly Inner[] => {
    const around = objectOf(item)
    const found = inner(take(around))?.map((one) => ({ ...one, around }))
    if (found !== undefined) opens = true
    return found ?? [{ json: item, around }]
  })
  return opens ? opened.flat() : undefined
}

/** The value that a Kafka client passed on: JSON, or bytes in base64. */
const kafkaValue = ({ value }: JsonObject): unknown => base64Text(value) ?? value

/** Streams of Loki, as they are pushed and as they are asked for. */
const linesOf = (streams: unknown): readonly Inner[] | undefined =>
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

// What unpacks to more is made to: all of a record must not become more than a little work.
const unpackedLimit = (packed: number): number => 4096 + 40 * packed

/** Text in base64, packed by gzip or not; `undefined` where it is none. */
export function base64Text(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length < 4 || !/^[\w+/-]{1,64}/.test(value)) return undefined
  const bytes = Buffer.from(value, 'base64')
  try {
    const plain =
      bytes[0] === 0x1f ? gunzipSync(bytes, { maxOutputLength: unpackedLimit(bytes.length) }) : bytes
    return plain.toString('utf8')
  } catch {
    return undefined
  }
}

const publishedIn = (message: unknown): string | undefined => {
  const { data, messageId, message_id, publishTime, publish_time } = objectOf(message)
  return (messageId ?? message_id ?? publishTime ?? publish_time) === undefined ? undefined : base64Text(data)
}

/** The fields that a program added to its message in GELF, which have an underscore before their names there. */
export function gelfFields(json: JsonObject): readonly Inner[] | undefined {
  if (!('version' in json && 'host' in json && 'short_message' in json)) return undefined
  const fields = withoutUnderscores(json)
  return Object.keys(fields).length > 1 ? [{ json: fields }] : undefined
}

/** A row of the table `otel_logs`, as the document that Elasticsearch keeps of the same record. */
function clickHouseRow(row: JsonObject): readonly Inner[] | undefined {
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
  { by: 'CloudWatch Logs', open: ({ awslogs }) => inner(base64Text(objectOf(awslogs)['data'])) },
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
          item['body'] ?? objectOf(item['Sns'])['Message'] ?? base64Text(objectOf(item['kinesis'])['data']),
      ),
  },
  {
    by: 'Firehose',
    open: ({ requestId, invocationId, records }) =>
      requestId === undefined && invocationId === undefined
        ? undefined
        : each(records, ({ data, kafkaRecordValue }) => base64Text(data ?? kafkaRecordValue)),
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
      within(
        message,
        subscription === undefined ? publishedIn(message) : base64Text(objectOf(message)['data']),
      ),
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
