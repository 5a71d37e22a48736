import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { fault, isObject, type JsonObject, objectOf, textOf } from './field-values.ts'
import { readTime } from './read-time.ts'

/**
 * CloudEvents 1.0 around another format: structured (the event is the record) or binary (`ce_…` headers beside the data).
 * The data is decoded by the format that recognises it; the envelope gives what the data leaves out: the time, the
 * trace, and — where the data is a single call — the id.
 */
export function createCloudEvents(inner: readonly Format[]): Format {
  return {
    name: 'cloudevents',
    recognises: ({ headers, json }) =>
      headers['ce_specversion'] !== undefined ||
      headers['ce-specversion'] !== undefined ||
      (isObject(json) && typeof json['specversion'] === 'string' && 'source' in json && 'type' in json),
    decode: (record) => decode(record, inner),
  }
}

function decode(record: ParsedRecord, inner: readonly Format[]): readonly Decoded[] {
  const envelope = envelopeOf(record)
  const data = readData(envelope, record)
  if (data === undefined) return [fault('field_missing', 'data', 'The CloudEvent has no data that is JSON.')]
  const piece: ParsedRecord = { ...record, headers: {}, json: data, text: undefined }
  const format = inner.find((candidate) => candidate.recognises(piece))
  const decoded = format?.decode(piece) ?? plainCall(envelope, data)
  return decoded.map((entry) =>
    entry.kind === 'event' ? complete(entry, envelope, decoded.length === 1) : entry,
  )
}

function envelopeOf({ headers, json }: ParsedRecord): JsonObject {
  const binary = Object.entries(headers).flatMap(([name, value]) =>
    /^ce[_-]/.test(name) ? [[name.slice(3), value] as const] : [],
  )
  return binary.length > 0 ? { ...Object.fromEntries(binary), data: json } : objectOf(json)
}

function readData(envelope: JsonObject, record: ParsedRecord): unknown {
  const base64 = envelope['data_base64']
  if (typeof base64 === 'string') return parse(Buffer.from(base64, 'base64').toString('utf8'))
  const data = envelope['data']
  return typeof data === 'string' && data !== record.text ? parse(data) : data
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

// Data of no known format that names a tool is a call all the same; the subject may name it too ("server/tool").
function plainCall(envelope: JsonObject, data: unknown): readonly Decoded[] {
  const fields = objectOf(data)
  const [server, subjectTool] = (textOf(envelope['subject']) ?? '').split('/', 2)
  const tool = textOf(fields['tool']) ?? textOf(fields['tool_name']) ?? subjectTool
  if (tool === undefined)
    return [fault('format_unknown', 'data', 'No format recognises the data of the CloudEvent.')]
  const user = textOf(fields['user'])
  const draft = {
    'mcp.method.name': 'tools/call',
    'gen_ai.tool.name': tool,
    ...(subjectTool !== undefined && server ? { 'mcp.server.name': server } : {}),
    ...(user === undefined ? {} : { 'user.id': user }),
  }
  return [{ kind: 'event', draft }]
}

function complete(entry: Decoded & { kind: 'event' }, envelope: JsonObject, single: boolean): Decoded {
  const { draft } = entry
  const time = readTime(envelope['time'])
  if (time !== undefined) draft.occurred_at ??= time
  const id = textOf(envelope['id'])
  const source = textOf(envelope['source'])
  // An id is unique for its source only (CloudEvents 1.0.2, "id").
  if (single && id !== undefined && source !== undefined) draft.event_id ??= `${source}#${id}`
  if (source !== undefined) draft['gateway.id'] ??= source
  const trace = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-/.exec(textOf(envelope['traceparent']) ?? '')
  if (trace?.[1]) draft.trace_id ??= trace[1]
  if (trace?.[2]) draft.span_id ??= trace[2]
  return entry
}
