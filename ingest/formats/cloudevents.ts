import { isUtf8 } from 'node:buffer'
import type { EventDraft } from '../../core/audit-event.ts'
import { stableId } from '../../core/hash.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import {
  countOf,
  fault,
  isObject,
  type JsonObject,
  jsonTextOf,
  objectOf,
  set,
  setPerson,
  textOf,
  traceparentOf,
} from './field-values.ts'
import { outcomeOfFlag, outcomeOfWord } from './outcome.ts'
import { readTime } from './read-time.ts'

/**
 * CloudEvents 1.0 around another format: structured (the event is the record) or binary (`ce_…` headers beside the data).
 * The data — JSON, text, or bytes in base64 — is decoded by the format that recognises it; the envelope gives what the
 * data leaves out: the time, the trace, and — where the data is a single call — the id.
 */
export function createCloudEvents(inner: readonly Format[]): Format {
  return {
    name: 'cloudevents',
    decides: true,
    marks: {
      needs: ['specversion', 'source', 'type'],
      usual: ['datacontenttype', 'data', 'subject', 'time', 'id'],
    },
    recognises: ({ headers, json }) =>
      isBinary(headers) ||
      (isObject(json) && typeof json['specversion'] === 'string' && 'source' in json && 'type' in json),
    decode: (record) => decode(record, inner),
  }
}

const isBinary = (headers: ParsedRecord['headers']): boolean =>
  headers['ce_specversion'] !== undefined || headers['ce-specversion'] !== undefined

function decode(record: ParsedRecord, inner: readonly Format[]): readonly Decoded[] {
  const binary = isBinary(record.headers)
  const envelope = binary ? attributesOf(record.headers) : objectOf(record.json)
  const data = binary ? { ...record, headers: {} } : dataOf(envelope)
  if (data === undefined) return [fault('field_missing', 'data', 'The CloudEvent has no data.')]
  const { json } = data
  // Producers that batch put a list where one event belongs; each of it is decoded by itself.
  const pieces = Array.isArray(json) ? json.map((item: unknown) => ({ ...data, json: item })) : [data]
  const decoded = pieces.flatMap((piece) => {
    const format = inner.find((candidate) => candidate.recognises(piece))
    return format?.decode(piece) ?? [plainCall(envelope, piece.json)]
  })
  const calls = decoded.filter(({ kind }) => kind === 'event').length
  const single = calls === 1 && !(binary && isPiece(record))
  return decoded.map((entry) => (entry.kind === 'event' ? complete(entry, envelope, single) : entry))
}

// An element of an array or a line of several, which all have the headers, and so the id, of the one record.
function isPiece({ text, bytes, json }: ParsedRecord): boolean {
  if (text === undefined) return false
  if (!Array.isArray(json) && /^\s*\[/.test(text)) return true
  return Buffer.byteLength(text) < bytes.length && Buffer.from(bytes).toString('utf8').trim() !== text.trim()
}

const attributesOf = (headers: ParsedRecord['headers']): JsonObject =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      /^ce[_-]/.test(name) ? [[name.slice(3), value] as const] : [],
    ),
  )

/** The data of a structured event as a record of its own. */
function dataOf(envelope: JsonObject): ParsedRecord | undefined {
  const base64 = envelope['data_base64']
  if (typeof base64 === 'string') return recordOf(Buffer.from(base64, 'base64'))
  const data = envelope['data']
  if (data === undefined || data === null) return undefined
  if (typeof data === 'string') return recordOf(Buffer.from(data))
  return { headers: {}, bytes: new Uint8Array(), text: undefined, json: data }
}

function recordOf(bytes: Uint8Array): ParsedRecord {
  const text = isUtf8(bytes) ? Buffer.from(bytes).toString('utf8').trim() : undefined
  return { headers: {}, bytes, text, json: text === undefined ? undefined : parse(text) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

// Data of no known format that names a tool is a call all the same; the subject may name it too ("server/tool").
function plainCall(envelope: JsonObject, data: unknown): Decoded {
  const fields = objectOf(data)
  const [server, subjectTool] = (textOf(envelope['subject']) ?? '').split('/', 2)
  const tool = textOf(fields['tool']) ?? textOf(fields['tool_name']) ?? subjectTool
  if (tool === undefined) {
    const message = 'No format recognises the data of the CloudEvent.'
    return { ...fault('format_unknown', 'data', message), source: data }
  }
  const draft: EventDraft = { 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': tool }
  set(
    draft,
    'mcp.server.name',
    textOf(fields['server']) ?? (subjectTool === undefined ? undefined : server || undefined),
  )
  setPerson(draft, textOf(fields['user']) ?? textOf(fields['user_id']))
  const given = fields['arguments'] ?? fields['input']
  if (isObject(given)) set(draft, 'gen_ai.tool.call.arguments', jsonTextOf(given))
  const said = outcomeOfWord(fields['outcome'] ?? fields['status'] ?? fields['result'])
  set(draft, 'outcome', said ?? outcomeOfFlag(fields['success']))
  return { kind: 'event', draft, source: data }
}

function complete(entry: Decoded & { kind: 'event' }, envelope: JsonObject, single: boolean): Decoded {
  const { draft } = entry
  const time = readTime(envelope['time'])
  if (time !== undefined) draft.occurred_at ??= time
  const id = textOf(envelope['id'])
  const source = textOf(envelope['source'])
  // An id is unique for its source only (CloudEvents 1.0.2, "id"). Hashed, because joined as text the two could hide a
  // secret from the eye, and `a#b` + `c` would be `a` + `b#c`.
  if (single && id !== undefined && source !== undefined) draft.event_id ??= stableId(source, id)
  if (source !== undefined) draft['gateway.id'] ??= source
  // The extension "sequence" (CloudEvents, extensions/sequence.md): a number of its source, as text.
  const sequence = countOf(envelope['sequence'])
  if (sequence !== undefined) {
    draft['producer.sequence'] ??= sequence
    if (source !== undefined) draft['producer.id'] ??= source
  }
  const { trace, span } = traceparentOf(envelope['traceparent'])
  if (trace !== undefined) draft.trace_id ??= trace
  if (span !== undefined) draft.span_id ??= span
  return entry
}
