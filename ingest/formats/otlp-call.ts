import type { EventDraft, Outcome } from '../../core/audit-event.ts'
import { stableId } from '../../core/hash.ts'
import { outcomeOfErrorType, outcomeOfStatus } from '../../core/outcome.ts'
import { ABOUT } from '../find-calls.ts'
import type { Decoded } from '../format.ts'
import {
  isObject,
  type JsonObject,
  jsonTextOf,
  numberOf,
  objectOf,
  set,
  statusOf,
  textOf,
  traceableId,
} from './field-values.ts'
import { toolErrorOf } from './json-rpc.ts'
import { setTypedTarget } from './mcp-method.ts'
import { isAgentEvent, setDecision, WAITING_SPAN } from './otlp-approval.ts'
import type { OtlpAttributes } from './otlp-attributes.ts'
import { readPythonLiteral } from './otlp-python-literal.ts'
import type { OtlpRecord } from './otlp-records.ts'
import type { OtlpValue } from './otlp-value.ts'
import { outcomeOfAgentgateway, outcomeOfFlag, outcomeOfWord } from './outcome.ts'
import { readNanos, readTime } from './read-time.ts'
import { splitTool } from './split-tool.ts'

// Programs that report their own calls: their service name is the client’s, not a gateway’s.
const CLIENTS = new Set(['claude-code', 'codex_cli_rs', 'codex_exec', 'gemini-cli', 'qwen-code'])

/**
 * A log record or span → a part of a call. The join key is the trace, else what else may bring records of one call
 * together; the call key names the call inside it, strongest identity first, and is `''` for what is no call.
 */
export function decodeOtlpRecord(record: OtlpRecord): Decoded {
  let draft = draftOf(record)
  if (record.signal === 'log' && !isCall(record, draft) && takeBody(record)) draft = draftOf(record)
  const around = aboutSpan(record, draft)
  if (around !== undefined)
    return {
      kind: 'part',
      joinKey: joinKeyOf(record, draft),
      callKey: `${ABOUT}${around}`,
      draft,
      source: record.source,
    }
  const callKey = isCall(record, draft) ? callKeyOf(record, draft) : ''
  const part = {
    kind: 'part',
    joinKey: joinKeyOf(record, draft),
    callKey,
    draft,
    source: record.source,
  } as const
  const body = callKey === '' && record.signal === 'log' ? bodyOf(record, draft) : undefined
  return body === undefined ? part : { ...part, body }
}

type Body = NonNullable<Extract<Decoded, { kind: 'part' }>['body']>

// Short of the braces of an object there is no record in a text; nor in an empty map.
function bodyOf(record: OtlpRecord, around: EventDraft): Body | undefined {
  const body = record.body()
  const of = typeof body === 'string' ? { text: body } : isObject(body) ? { json: body } : undefined
  if (of === undefined || ('text' in of && !/[{=]/.test(of.text))) return undefined
  return {
    of,
    adopt: (draft) => {
      for (const field of LENT_TO_BODY)
        if (draft[field] === undefined) set(draft, field, around[field] as never)
      if (draft.timestamp_source === undefined) {
        if (draft.occurred_at !== undefined) draft.timestamp_source = 'event'
        else if (around.occurred_at !== undefined) {
          draft.occurred_at = around.occurred_at
          draft.timestamp_source = 'observed'
        }
      }
      const joinKey = joinKeyOf(record, draft)
      const callKey = isCall(record, draft) ? callKeyOf(record, draft) : ''
      return { kind: 'part', joinKey, callKey, draft, source: record.source }
    },
  }
}

const LENT_TO_BODY = ['event_id', 'trace_id', 'span_id', 'gateway.id', 'mcp.client.name'] as const

/**
 * The span whose call a span is about: the wait for an approval, and a guardrail’s check of a tool call, are spans
 * inside the call’s. What such a span says of itself (its own duration, that it went well) is taken off the draft.
 */
function aboutSpan(record: OtlpRecord, draft: EventDraft): string | undefined {
  const { signal, name, attributes } = record
  if (signal !== 'span') return undefined
  const waits = name === WAITING_SPAN
  const guards =
    attributes.fact('operation') === 'apply_guardrail' && attributes.fact('guardedTarget') === 'tool_call'
  const parent = traceableId(record.parentSpanId)
  if ((!waits && !guards) || parent === undefined) return undefined
  if (waits) {
    setDecision(draft, attributes, true)
    if (draft.duration_ms !== undefined) draft['approval.wait_ms'] ??= draft.duration_ms
    draft['approval.asked'] ??= true
    draft['approval.by'] ??= 'user'
  }
  draft.span_id = parent
  for (const field of OF_SPAN_ITSELF) draft[field] = undefined as never
  return parent
}

const OF_SPAN_ITSELF = [
  'parent_span_id',
  'duration_ms',
  'outcome',
  'error.type',
  'error.message',
  'mcp.method.name',
  'gen_ai.tool.name',
  'gen_ai.agent.name',
] as const

// Collectors that read log files put the gateway's line into the body, as a map or as JSON text.
function takeBody(record: OtlpRecord): boolean {
  const body = record.body()
  const fields =
    typeof body === 'string' && body.startsWith('{') ? parseObject(body) : isObject(body) ? body : {}
  const entries = Object.entries(fields)
  for (const [name, value] of entries) record.attributes.take(name, value as OtlpValue)
  return entries.length > 0
}

function draftOf(record: OtlpRecord): EventDraft {
  const { attributes } = record
  const draft = attributes.draft()
  const address = draft['server.address']
  if (address !== undefined) draft['server.address'] = hostOf(address)
  const service = textOf(attributes.fact('service'))
  if (service !== undefined && CLIENTS.has(service)) {
    draft['mcp.client.name'] = service
    set(draft, 'mcp.client.version', textOf(attributes.fact('serviceVersion')))
    const run = textOf(attributes.fact('agentRun'))
    if (run !== undefined) {
      draft['ai_agent.instance_uid'] ??= run
      if (draft['gen_ai.agent.id'] === run) draft['gen_ai.agent.id'] = undefined as never
    }
  } else if (service !== undefined) draft['gateway.id'] ??= service
  setTrace(draft, record)
  setTime(draft, record)
  setMethod(draft, record)
  setTool(draft, record)
  setDecision(draft, attributes, isAgentEvent(textOf(attributes.fact('eventName'))))
  setLayers(draft, record)
  setOutcome(draft, record)
  return draft
}

const hostOf = (address: string): string => /^[a-z]+:\/\/([^/?#:@]+)/i.exec(address)?.[1] ?? address

function setTrace(draft: EventDraft, { attributes, traceId, spanId, parentSpanId }: OtlpRecord): void {
  set(draft, 'trace_id', traceableId(traceId) ?? traceableId(attributes.fact('traceId')))
  set(draft, 'span_id', traceableId(spanId) ?? traceableId(attributes.fact('spanId')))
  set(draft, 'parent_span_id', traceableId(parentSpanId))
}

function setTime(draft: EventDraft, record: OtlpRecord): void {
  const own = readNanos(record.time) ?? readTime(textOf(record.attributes.fact('eventTime')))
  const time = own ?? readNanos(record.observedTime)
  if (time === undefined) return
  draft.occurred_at = time
  draft.timestamp_source = own === undefined ? 'observed' : 'event'
  fill(draft, 'duration_ms', durationBetween(record.time, record.endTime))
}

function durationBetween(start: string, end: string): number | undefined {
  if (!/^\d{1,20}$/.test(start) || !/^\d{1,20}$/.test(end)) return undefined
  const nanos = BigInt(end) - BigInt(start)
  return nanos >= 0n ? Number(nanos) / 1e6 : undefined
}

// The first words of a span's name, where a program says in its name what others say in an attribute.
const METHOD_OF_NAME: ReadonlyMap<string, string> = new Map([
  // Docker's gateway, and Envoy AI Gateway before it spoke the conventions.
  ['mcp.tool.call', 'tools/call'],
  ['mcp.list.tools', 'tools/list'],
  ['CallTool', 'tools/call'],
  ['ListTools', 'tools/list'],
  ['Initialize', 'initialize'],
  ['ReadResource', 'resources/read'],
  ['GetPrompt', 'prompts/get'],
])
const ENVOY = 'envoyproxy/ai-gateway'
const MAY_NAME_METHOD = /docker\/mcp-gateway|envoyproxy\/ai-gateway/

function setMethod(draft: EventDraft, { attributes, name, scope, signal }: OtlpRecord): void {
  if (draft['mcp.method.name'] === undefined && signal === 'span' && MAY_NAME_METHOD.test(scope))
    set(draft, 'mcp.method.name', METHOD_OF_NAME.get(name))
  if (attributes.fact('operation') === 'execute_tool') draft['mcp.method.name'] ??= 'tools/call'
  // Claude Code: a server that an agent connects to, or could not start.
  const event = textOf(attributes.fact('eventName'))
  if (event === 'mcp_server_connection' || event === 'claude_code.mcp_server_connection') {
    const status = attributes.fact('status')
    if (status !== 'connected' && status !== 'failed') return
    draft['mcp.method.name'] ??= 'initialize'
  }
}

function setTool(draft: EventDraft, record: OtlpRecord): void {
  const { attributes, scope } = record
  const details = parseObject(attributes.fact('details'))
  const detailed = textOf(details['mcp_tool_name']) ?? textOf(details['name'])
  if (detailed !== undefined) {
    // Claude Code calls every tool of a server "mcp_tool"; LiteLLM joins server and tool with a dash.
    const given = draft['gen_ai.tool.name']
    if (given !== undefined && given !== 'mcp_tool') draft['tool.name.raw'] = given
    draft['gen_ai.tool.name'] = detailed
    set(draft, 'mcp.server.name', textOf(details['mcp_server_name']))
    fill(draft, 'mcp.session.id', textOf(details['mcp_session_id']))
    fill(draft, 'gen_ai.tool.call.arguments', jsonTextOf(details['arguments']))
    return
  }
  // A function is a tool only where the event is about the call of one.
  if (isAgentEvent(textOf(attributes.fact('eventName')))) {
    fill(draft, 'gen_ai.tool.name', textOf(attributes.fact('functionName')))
    fill(draft, 'gen_ai.tool.call.arguments', jsonTextOf(attributes.fact('functionArgs')))
  }
  if (isAuditLine(attributes)) {
    fill(draft, 'gen_ai.tool.name', textOf(attributes.fact('auditTool')))
    fill(draft, 'mcp.server.name', textOf(attributes.fact('auditServer')))
    fill(draft, 'mcp.session.id', textOf(attributes.fact('auditSession')))
  }
  setTypedTarget(draft, attributes.fact('targetType'), attributes.fact('targetName'))
  setTarget(draft, record)
  const tool = draft['gen_ai.tool.name']
  if (tool !== undefined && (tool.startsWith('mcp__') || scope === ENVOY)) splitTool(draft, tool, '__')
}

/** Sets a field that nothing has said yet. */
function fill<F extends keyof EventDraft>(
  draft: EventDraft,
  field: F,
  value: EventDraft[F] | undefined,
): void {
  if (draft[field] === undefined) set(draft, field, value)
}

// The conventions name a span "{method} {target}"; the Python SDK's client leg is "MCP send tools/call {tool}".
function setTarget(draft: EventDraft, { name, signal }: OtlpRecord): void {
  const method = draft['mcp.method.name']
  if (signal !== 'span' || (method !== 'tools/call' && method !== 'prompts/get')) return
  const at = name.startsWith(`${method} `) ? 0 : name.indexOf(` ${method} `) + 1
  if (at === 0 && !name.startsWith(`${method} `)) return
  const target = textOf(name.slice(at + method.length + 1).trim())
  if (target === undefined) return
  if (method === 'tools/call') draft['gen_ai.tool.name'] ??= target
  else draft['gen_ai.prompt.name'] ??= target
}

// Kuadrant’s audit lines have the HTTP status under the plain word; the conventions say isError by the type of the error.
function setLayers(draft: EventDraft, { attributes }: OtlpRecord): void {
  if (isAuditLine(attributes)) fill(draft, 'http.response.status_code', statusOf(attributes.fact('status')))
  if (draft['error.type'] === 'tool_error') draft['mcp.tool.is_error'] ??= true
  const result = draft['gen_ai.tool.call.result']
  if (draft['mcp.tool.is_error'] === undefined && result !== undefined && /"is_?error"/i.test(result))
    set(draft, 'mcp.tool.is_error', toolErrorOf(parseObject(result)))
}

const isAuditLine = (attributes: OtlpAttributes): boolean =>
  attributes.fact('audit') === true || attributes.fact('audit') === 'true'

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
  const status = attributes.fact('status')
  const http = numberOf(attributes.fact('httpStatus')) ?? numberOf(status)
  const said =
    outcomeOfWord(attributes.fact('outcome')) ??
    (outcomeOfWord(attributes.fact('decision')) === 'denied' ? 'denied' : undefined) ??
    outcomeOfAgentgateway({
      reason: textOf(attributes.fact('reason')),
      error: textOf(attributes.fact('fault')),
      errorCode: numberOf(attributes.fact('faultCode')),
    }) ??
    outcomeOfErrorType(draft['error.type']) ??
    outcomeOfFlag(attributes.fact('success')) ??
    (status === 'connected' ? 'success' : outcomeOfWord(status)) ??
    outcomeOfStatus(http)
  if (said !== undefined && said !== 'success') return said
  if (statusCode === 2) return 'failure'
  if (said !== undefined) return said
  // The conventions leave the status of a span unset when all went well; a log record promises nothing.
  if (signal === 'span') return 'success'
  return severity >= 17 ? 'failure' : undefined
}

function isCall({ attributes }: OtlpRecord, draft: EventDraft): boolean {
  return (
    draft['mcp.method.name'] !== undefined ||
    draft['gen_ai.tool.name'] !== undefined ||
    draft['mcp.resource.uri'] !== undefined ||
    draft['gen_ai.prompt.name'] !== undefined ||
    attributes.fact('operation') === 'execute_tool'
  )
}

function joinKeyOf(record: OtlpRecord, draft: EventDraft): string {
  if (draft.trace_id !== undefined) return `trace:${draft.trace_id.toLowerCase()}`
  const scope = draft['mcp.session.id'] ?? draft['gen_ai.conversation.id']
  if (draft['gen_ai.tool.call.id'] !== undefined) return `call:${scope ?? ''}:${draft['gen_ai.tool.call.id']}`
  if (scope !== undefined && draft['jsonrpc.request.id'] !== undefined)
    return `rpc:${scope}:${draft['jsonrpc.request.id']}`
  if (draft.event_id !== undefined) return `id:${draft.event_id}`
  return turnKey(record, draft) ?? recordKey(record)
}

// An approval and a result that share no id still share the prompt, or at least the conversation, and the tool.
function turnKey({ attributes }: OtlpRecord, draft: EventDraft): string | undefined {
  const [conversation, tool] = [draft['gen_ai.conversation.id'], draft['gen_ai.tool.name']]
  if (conversation === undefined || tool === undefined) return undefined
  if (!isAgentEvent(textOf(attributes.fact('eventName')))) return undefined
  return `turn:${stableId(conversation, textOf(attributes.fact('prompt')) ?? '', draft['mcp.server.name'] ?? '', tool)}`
}

function callKeyOf(record: OtlpRecord, draft: EventDraft): string {
  if (draft.event_id !== undefined) return `id:${draft.event_id}`
  if (draft['gen_ai.tool.call.id'] !== undefined) return `call:${draft['gen_ai.tool.call.id']}`
  const session = draft['mcp.session.id']
  if (session !== undefined && draft['jsonrpc.request.id'] !== undefined)
    return `rpc:${session}:${draft['jsonrpc.request.id']}`
  // A log record in the context of a span is about that span; alone in a trace it speaks for itself.
  return traceableId(record.spanId) === undefined ? recordKey(record) : `span:${record.spanId}`
}

// The same record sent twice is one; so is an exporter's retry.
const recordKey = (record: OtlpRecord): string => `record:${stableId(record.contents())}`

function parseObject(value: unknown): JsonObject {
  if (typeof value !== 'string') return objectOf(value)
  if (!value.startsWith('{')) return {}
  try {
    return objectOf(JSON.parse(value))
  } catch {
    return objectOf(readPythonLiteral(value))
  }
}
