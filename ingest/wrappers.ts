import { gunzipSync } from 'node:zlib'
import type { Inner } from './format.ts'
import { isObject, type JsonObject, objectOf, textOf } from './formats/field-values.ts'

export interface Wrapped {
  /** What wrapped it, in words for messages. */
  readonly by: string
  readonly inner: readonly Inner[]
  /**
   * Whether the wrapper is known by its shape: then what is inside counts, whatever it is. Else a word that programs use
   * for other things as well leads to it, and only a record that a format recognises is one.
   */
  readonly sure: boolean
}

interface Wrapper {
  readonly by: string
  /** `undefined` where the record is none of its. */
  readonly open: (json: JsonObject) => readonly Inner[] | undefined
}

const inner = (value: unknown): readonly Inner[] | undefined =>
  typeof value === 'string' ? [{ text: value }] : isObject(value) ? [{ json: value }] : undefined

const each = (list: unknown, take: (item: JsonObject) => unknown): readonly Inner[] | undefined => {
  if (!Array.isArray(list) || list.length === 0) return undefined
  const opened = list.map((item: unknown) => {
    const around = objectOf(item)
    return inner(take(around))?.map((one) => ({ ...one, around }))
  })
  return opened.every((item) => item !== undefined) ? opened.flat() : undefined
}

// What unpacks to more is made to: all of a record must not become more than a little work.
const unpackedLimit = (packed: number): number => 4096 + 40 * packed

/** Text in base64, packed by gzip or not; `undefined` where it is none. */
function base64Text(value: unknown): string | undefined {
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

// Told by several keys that only such an envelope has together.
const SHAPES: readonly Wrapper[] = [
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
    open: ({ requestId, records }) =>
      requestId === undefined ? undefined : each(records, ({ data }) => base64Text(data)),
  },
  { by: 'Azure Monitor', open: ({ records }) => each(records, ({ properties }) => properties) },
  {
    by: 'Loki',
    open: ({ streams }) =>
      Array.isArray(streams)
        ? streams.flatMap((stream) =>
            (Array.isArray(objectOf(stream)['values'])
              ? (objectOf(stream)['values'] as unknown[])
              : []
            ).flatMap((entry) => {
              if (!Array.isArray(entry)) return []
              const around = { timestamp: entry[0] as unknown }
              return (inner(entry[1]) ?? []).map((one) => ({ ...one, around }))
            }),
          )
        : undefined,
  },
  {
    by: 'Debezium',
    open: (json) => ('op' in json && ('after' in json || 'ts_ms' in json) ? inner(json['after']) : undefined),
  },
  { by: 'Kafka Connect', open: (json) => ('schema' in json ? inner(json['payload']) : undefined) },
  {
    by: 'Pub/Sub',
    open: (json) =>
      'subscription' in json ? inner(base64Text(objectOf(json['message'])['data'])) : undefined,
  },
  {
    by: 'Google Cloud Logging',
    open: (json) =>
      'logName' in json || 'insertId' in json ? inner(json['jsonPayload'] ?? json['textPayload']) : undefined,
  },
  { by: 'Elasticsearch', open: (json) => ('_index' in json ? inner(json['_source']) : undefined) },
]

// Under one of these words a shipper keeps what it shipped; programs use them for other things as well.
const WORDS: readonly (readonly [key: string, by: string])[] = [
  ['log', 'Docker or Fluent Bit'],
  ['MESSAGE', 'journald'],
  ['event', 'Splunk or Elastic'],
  ['message', 'a log shipper'],
  ['msg', 'a logger'],
  ['full_message', 'GELF'],
  ['short_message', 'GELF'],
  ['line', 'Promtail'],
  ['_raw', 'Splunk'],
  ['raw', 'a log shipper'],
  ['payload', 'a log shipper'],
  ['body', 'a log shipper'],
  ['Body', 'OpenTelemetry'],
  ['value', 'a Kafka client'],
  ['properties', 'Azure Monitor'],
  ['data', 'a log shipper'],
  ['detail', 'EventBridge'],
  ['record', 'a log shipper'],
]

const MAX_TRIED = 4

/** What a record of JSON that no format recognises may wrap; the likeliest first, at most four. */
export function wrappedInJson(json: unknown): readonly Wrapped[] {
  if (typeof json === 'string') return [{ by: 'JSON text', inner: [{ text: json }], sure: false }]
  if (!isObject(json)) return []
  for (const { by, open } of SHAPES) {
    const opened = open(json)
    if (opened !== undefined) return [{ by, inner: opened, sure: true }]
  }
  const found: Wrapped[] = []
  for (const [key, by] of WORDS) {
    const value = json[key]
    if (value === undefined) continue
    const opened = inner(
      key === 'event' ? (textOf(objectOf(value)['original']) ?? value) : textOfBytes(value),
    )
    if (opened !== undefined) found.push({ by: `${by} (${key})`, inner: opened, sure: false })
    if (found.length === MAX_TRIED) break
  }
  return found
}

// journald writes a text that is not all printable as a list of bytes.
const textOfBytes = (value: unknown): unknown =>
  Array.isArray(value) && value.length <= 65_536 && value.every((byte) => Number.isInteger(byte))
    ? Buffer.from(value as number[]).toString('utf8')
    : value

const ISO = String.raw`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?`
const CRI = new RegExp(String.raw`^${ISO} (?:stdout|stderr) ([FP])(?::\S{0,16})? `)
// RFC 5424, and octets counted before it (RFC 6587).
const SYSLOG =
  /^(?:\d{1,6} )?<\d{1,3}>\d{1,2} \S{1,48} \S{1,255} \S{1,48} \S{1,128} \S{1,32} (?:-|(?:\[(?:[^\]\\"]|\\.|"(?:[^"\\]|\\.){0,1024}"){1,4096}\]){1,8}) ?/
// RFC 3164, with or without its priority, and as rsyslog writes it to files.
const OLD_SYSLOG = new RegExp(
  String.raw`^(?:\d{1,6} )?(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|${ISO}) \S{1,255} [^\s:\[{]{1,128}(?:\[[^\]\s]{0,64}\])?: ?`,
)
const PREFIXES: readonly (readonly [by: string, pattern: RegExp])[] = [
  ['a container runtime (CRI)', CRI],
  ['syslog', SYSLOG],
  ['syslog', OLD_SYSLOG],
  ['kubectl logs', /^\[pod\/[^\]\s]{1,255}\] /],
  ['docker compose', /^[\w.-]{1,128} {0,64}\| /],
]
const COOKIE = /^(?:\uFEFF|BOM)?\s{0,4}@cee:\s{0,4}/
const MAX_PREFIX = 1024

/** What a line of text that no format recognises may wrap. */
export function wrappedInText(text: string): readonly Wrapped[] {
  for (const [by, pattern] of PREFIXES) {
    const match = pattern.exec(text)
    if (match === null) continue
    const rest = text.slice(match[0].length).replace(COOKIE, '')
    if (rest.length > 0) return [{ by, inner: [{ text: rest }], sure: false }]
  }
  const cookie = COOKIE.exec(text)
  const at = cookie ? cookie[0].length : text.indexOf('{')
  if (at <= 0 || at > MAX_PREFIX || !text.endsWith('}')) return []
  return [{ by: 'a logger', inner: [{ text: text.slice(at) }], sure: false }]
}

/** Whether a container runtime cut the line: its rest is another line. */
export const isCutLine = (text: string): boolean => CRI.exec(text)?.[1] === 'P'
