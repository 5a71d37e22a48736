import type { EventDraft, Outcome } from '../../core/audit-event.ts'
import { stableId } from '../../core/hash.ts'
import type { Decoded } from '../format.ts'
import {
  addressOf,
  countOf,
  durationOf,
  jsonTextOf,
  numberOf,
  objectOf,
  set,
  textOf,
} from './field-values.ts'
import {
  ADDRESS_ALIASES,
  ARGUMENT_ALIASES,
  COUNT_ALIASES,
  DURATION_ALIASES,
  TEXT_ALIASES,
  TRANSPORT_ALIASES,
} from './otlp-attributes.ts'
import type { OtlpAttributes, OtlpRecord, OtlpValue } from './otlp-records.ts'
import {
  outcomeOfAgentgateway,
  outcomeOfErrorType,
  outcomeOfFlag,
  outcomeOfStatus,
  outcomeOfWord,
} from './outcome.ts'
import { readNanos, readTime } from './read-time.ts'
import { splitTool } from './split-tool.ts'

// Programs that report their own calls: their service name is the client’s, not a gateway’s.
const CLIENTS = new Set(['claude-code', 'codex_cli_rs', 'codex_exec'])

/**
 * A log record or span → a part of a call. The join key is the trace, else what else may bring records of one call
 * together; the call key names the call inside it, strongest identity first, and is `''` for what is no call.
 */
export function decodeOtlpRecord(record: OtlpRecord): Decoded {
  const draft = draftOf(record)
  return {
    kind: 'part',
    joinKey: joinKeyOf(record, draft),
    callKey: isCall(record, draft) ? callKeyOf(record, draft) : '',
    draft,
    source: record.source,
  }
}

function draftOf(record: OtlpRecord): EventDraft {
  const { attributes } = record
  const draft: EventDraft = {}
  for (const [field, names] of Object.entries(TEXT_ALIASES))
    set(draft, field as keyof typeof TEXT_ALIASES, firstText(attributes, names))
  for (const [field, names] of Object.entries(COUNT_ALIASES))
    set(draft, field as keyof typeof COUNT_ALIASES, first(attributes, names, countOf))
  set(draft, 'client.address', first(attributes, ADDRESS_ALIASES, addressOf))
  set(draft, 'network.transport', transportOf(firstText(attributes, TRANSPORT_ALIASES)))
  set(draft, 'gen_ai.tool.call.arguments', first(attributes, ARGUMENT_ALIASES, jsonTextOf))
  const address = draft['server.address']
  if (address !== undefined) draft['server.address'] = hostOf(address)
  const service = textOf(attributes.get('service.name'))
  if (service !== undefined && CLIENTS.has(service)) {
    draft['mcp.client.name'] = service
    set(draft, 'mcp.client.version', textOf(attributes.get('service.version')))
  } else if (service !== undefined) draft['gateway.id'] ??= service
  setTrace(draft, record)
  setTime(draft, record)
  setTool(draft, record)
  setOutcome(draft, record)
  return draft
}

const hostOf = (address: string): string => /^[a-z]+:\/\/([^/?#:@]+)/i.exec(address)?.[1] ?? address

function setTrace(draft: EventDraft, { attributes, traceId, spanId, parentSpanId }: OtlpRecord): void {
  set(draft, 'trace_id', traceId || textOf(attributes.get('trace.id')))
  set(draft, 'span_id', spanId || textOf(attributes.get('span.id')))
  set(draft, 'parent_span_id', parentSpanId || undefined)
}

function setTime(draft: EventDraft, record: OtlpRecord): void {
  const own = readNanos(record.time) ?? readTime(textOf(record.attributes.get('event.timestamp')))
  const time = own ?? readNanos(record.observedTime)
  if (time === undefined) return
  draft.occurred_at = time
  draft.timestamp_source = own === undefined ? 'observed' : 'event'
  const said = first(record.attributes, DURATION_ALIASES, durationOf)
  set(draft, 'duration_ms', said ?? durationBetween(record.time, record.endTime))
}

function durationBetween(start: string, end: string): number | undefined {
  if (!/^\d{1,20}$/.test(start) || !/^\d{1,20}$/.test(end)) return undefined
  const nanos = BigInt(end) - BigInt(start)
  return nanos >= 0n ? Number(nanos) / 1e6 : undefined
}

function setTool(draft: EventDraft, { attributes, scope }: OtlpRecord): void {
  // Claude Code says "mcp_tool" and puts server and tool into a JSON text.
  const details = parseObject(attributes.get('tool_parameters'))
  const detailed = textOf(details['mcp_tool_name'])
  if (detailed !== undefined) {
    draft['gen_ai.tool.name'] = detailed
    set(draft, 'mcp.server.name', textOf(details['mcp_server_name']))
    return
  }
  const tool = draft['gen_ai.tool.name']
  if (tool === undefined) return
  const prefixed = tool.startsWith('mcp__') || scope === 'envoyproxy/ai-gateway'
  if (prefixed) splitTool(draft, tool, '__')
}

function setOutcome(draft: EventDraft, record: OtlpRecord): void {
  const outcome = outcomeOf(draft, record)
  set(draft, 'outcome', outcome)
  if (outcome === 'failure' || outcome === 'denied' || outcome === 'timeout') {
    if (record.statusMessage !== '') draft['error.message'] ??= record.statusMessage
  }
}

function outcomeOf(
  draft: EventDraft,
  { attributes, signal, statusCode, severity }: OtlpRecord,
): Outcome | undefined {
  const status = numberOf(attributes.get('http.status') ?? attributes.get('http.response.status_code'))
  const said =
    outcomeOfWord(attributes.get('outcome') ?? attributes.get('mcp.outcome') ?? attributes.get('result')) ??
    (outcomeOfWord(attributes.get('decision')) === 'denied' ? 'denied' : undefined) ??
    outcomeOfAgentgateway({
      reason: textOf(attributes.get('reason')),
      error: textOf(attributes.get('error') ?? attributes.get('mcp.error.message')),
      errorCode: numberOf(attributes.get('mcp.error.code')),
    }) ??
    outcomeOfErrorType(draft['error.type']) ??
    outcomeOfFlag(attributes.get('success')) ??
    outcomeOfStatus(status)
  if (said !== undefined && said !== 'success') return said
  if (statusCode === 2) return 'failure'
  if (said !== undefined) return said
  // The conventions leave the status of a span unset when all went well; a log record promises nothing.
  if (signal === 'span') return 'success'
  return severity >= 17 ? 'failure' : undefined
}

function isCall(record: OtlpRecord, draft: EventDraft): boolean {
  const operation = record.attributes.get('gen_ai.operation.name')
  return (
    draft['mcp.method.name'] !== undefined ||
    draft['gen_ai.tool.name'] !== undefined ||
    draft['mcp.resource.uri'] !== undefined ||
    draft['gen_ai.prompt.name'] !== undefined ||
    operation === 'execute_tool'
  )
}

function joinKeyOf(record: OtlpRecord, draft: EventDraft): string {
  if (draft.trace_id !== undefined) return `trace:${draft.trace_id.toLowerCase()}`
  const scope = draft['mcp.session.id'] ?? draft['gen_ai.conversation.id']
  if (draft['gen_ai.tool.call.id'] !== undefined) return `call:${scope ?? ''}:${draft['gen_ai.tool.call.id']}`
  if (scope !== undefined && draft['jsonrpc.request.id'] !== undefined)
    return `rpc:${scope}:${draft['jsonrpc.request.id']}`
  return draft.event_id === undefined ? recordKey(record) : `id:${draft.event_id}`
}

function callKeyOf(record: OtlpRecord, draft: EventDraft): string {
  if (draft.event_id !== undefined) return `id:${draft.event_id}`
  if (draft['gen_ai.tool.call.id'] !== undefined) return `call:${draft['gen_ai.tool.call.id']}`
  const session = draft['mcp.session.id']
  if (session !== undefined && draft['jsonrpc.request.id'] !== undefined)
    return `rpc:${session}:${draft['jsonrpc.request.id']}`
  // A log record in the context of a span is about that span; alone in a trace it speaks for itself.
  return record.spanId === '' ? recordKey(record) : `span:${record.spanId}`
}

const recordKey = (record: OtlpRecord): string => `record:${stableId(JSON.stringify(record.source))}`

function first<T>(
  attributes: OtlpAttributes,
  names: readonly string[],
  read: (value: OtlpValue) => T | undefined,
): T | undefined {
  for (const name of names) {
    const value = attributes.get(name)
    const found = value === undefined ? undefined : read(value)
    if (found !== undefined) return found
  }
  return undefined
}

const firstText = (attributes: OtlpAttributes, names: readonly string[]): string | undefined =>
  first(attributes, names, textOf)

/** The words of the conventions: `pipe` for stdio, `tcp` for everything over HTTP. */
export function transportOf(text: string | undefined): string | undefined {
  const word = text?.toLowerCase()
  if (word === 'stdio' || word === 'docker') return 'pipe'
  return word !== undefined && /^(?:https?|sse|streamable.?http|http.?stream|remote|websocket)$/.test(word)
    ? 'tcp'
    : word
}

function parseObject(value: OtlpValue): Readonly<Record<string, unknown>> {
  if (typeof value !== 'string') return objectOf(value)
  try {
    return objectOf(JSON.parse(value))
  } catch {
    return {}
  }
}
