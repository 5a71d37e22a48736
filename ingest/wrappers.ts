import { isObject, objectOf, textOf } from './formats/field-values.ts'
import { gelfFields, inner, WRAPPER_SHAPES, type WrappedValue } from './wrapper-shapes.ts'

export interface Wrapped {
  /** What wrapped it, in words for messages. */
  readonly by: string
  readonly inner: readonly WrappedValue[]
  /**
   * Whether the wrapper is known by its shape: then what is inside counts, whatever it is. Else a word that programs use
   * for other things as well leads to it, and only a record that a format recognises is one.
   */
  readonly sure: boolean
}

// Under one of these words a shipper keeps what it shipped; programs use them for other things as well.
const WORDS: readonly (readonly [key: string, by: string])[] = [
  ['log', 'Docker or Fluent Bit'],
  ['_entry', 'Promtail'],
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
  ['log_processed', 'Fluent Bit'],
  ['json', 'Filebeat'],
  ['parsed', 'Logstash'],
  ['attributes', 'Datadog'],
  ['meta', 'a logger'],
]

const MAX_TRIED = 4

/** What a record of JSON that no format recognises may wrap; the likeliest first, at most four. */
export function wrappedInJson(json: unknown): readonly Wrapped[] {
  if (typeof json === 'string') return [{ by: 'JSON text', inner: [{ text: json }], sure: false }]
  if (!isObject(json)) return []
  for (const { by, open } of WRAPPER_SHAPES) {
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
    if (opened !== undefined) found.push({ by: `${by} (${key})`, inner: readable(opened), sure: false })
    if (found.length === MAX_TRIED) break
  }
  const fields = gelfFields(json)
  if (fields !== undefined && found.length < MAX_TRIED) found.push({ by: 'GELF', inner: fields, sure: false })
  return found
}

// Brokers and their REST proxies write bytes in base64, which has none of the characters that a record begins with.
const readable = (opened: readonly WrappedValue[]): readonly WrappedValue[] =>
  opened.map((one) => {
    if (!('text' in one) || !isPackedJson(one.text)) return one
    const { text, ...rest } = one
    return { ...rest, base64: text }
  })

/** Whether a text looks like base64 of JSON or of gzip. */
export const isPackedJson = (text: string): boolean => BASE64_OF_JSON.test(text)
// `{"` and `[{`, with spaces or without, and gzip.
const BASE64_OF_JSON = /^(?:e[wyg]|W[3wy]|H4sI)[\w+/]/

// journald writes a text that is not all printable as a list of bytes.
const textOfBytes = (value: unknown): unknown =>
  Array.isArray(value) && value.length <= 65_536 && value.every((byte) => Number.isInteger(byte))
    ? Buffer.from(value as number[]).toString('utf8')
    : value

const ISO = String.raw`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?`
const TIME = new RegExp(ISO)
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
    const [timestamp] = TIME.exec(match[0]) ?? []
    if (rest.length > 0) return [{ by, inner: [{ text: rest, around: { timestamp } }], sure: false }]
  }
  const cookie = COOKIE.exec(text)
  const at = cookie ? cookie[0].length : text.indexOf('{')
  if (at <= 0 || at > MAX_PREFIX || !text.endsWith('}')) return []
  return [{ by: 'a logger', inner: [{ text: text.slice(at) }], sure: false }]
}

/** Whether a container runtime cut the line: its rest is another line. */
export const isCutLine = (text: string): boolean => CRI.exec(text)?.[1] === 'P'
