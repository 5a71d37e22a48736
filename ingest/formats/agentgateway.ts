import type { EventDraft } from '../../core/audit-event.ts'
import { emptyDraft } from '../empty-draft.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import {
  addressOf,
  amountOf,
  countOf,
  durationOf,
  isObject,
  type JsonObject,
  jsonTextOf,
  notACall,
  notATime,
  numberOf,
  set,
  statusOf,
  textOf,
  traceableId,
} from './field-values.ts'
import { toolErrorOf } from './json-rpc.ts'
import { methodOfWord, setTypedTarget } from './mcp-method.ts'
import { outcomeOfAgentgateway } from './outcome.ts'
import { readTime } from './read-time.ts'

const LINE = /^(\d{4}-\d\d-\d\dT[\d:.]+Z)[\t ]+(?:trace|debug|info|warn|error)[\t ]+request (\S.*)$/i

/**
 * agentgateway’s access log, as JSON or as the text lines it writes by default. A line about MCP that is in a trace is a part, so
 * that it and what agentgateway sends over OTLP about the same request are one event.
 */
export const agentgateway: Format = {
  name: 'agentgateway',
  reads: 'text',
  marks: {
    needs: ['scope=request', ['src.addr', 'listener']],
    usual: ['gateway', 'route', 'http.method', 'http.path', 'http.status', 'mcp.method.name', 'duration'],
  },
  recognises: ({ json, text }) =>
    json === undefined
      ? text !== undefined && LINE.test(text)
      : isObject(json) && json['scope'] === 'request' && ('src.addr' in json || 'listener' in json),
  decode,
}

function decode({ json, text }: ParsedRecord): readonly Decoded[] {
  const line = isObject(json) ? json : readLine(text ?? '')
  const draft = emptyDraft()
  const time = line['time']
  if (time !== undefined) {
    const occurredAt = readTime(typeof time === 'string' ? padFraction(time) : time)
    if (occurredAt === undefined) return [notATime('time', time)]
    draft.occurred_at = occurredAt
  }
  readWho(line, draft)
  readWhat(line, draft)
  readResult(line, draft)
  const { 'mcp.method.name': method, trace_id: trace, span_id: span } = draft
  if (method === undefined && draft['gen_ai.tool.name'] === undefined) {
    if (draft.outcome !== 'denied')
      return [notACall('A line of agentgateway’s access log that is not about MCP.')]
    // Refused before it was read: nobody knows what it asked for.
    draft['mcp.method.name'] = 'mcp/request'
  }
  // What comes over OTLP of calls of models and of such requests makes no event: there is no second record to join.
  if (trace === undefined || span === undefined || method === undefined || method.startsWith('llm/'))
    return [{ kind: 'event', draft }]
  if (draft.occurred_at !== undefined) draft.timestamp_source = 'event'
  return [{ kind: 'part', joinKey: `trace:${trace.toLowerCase()}`, callKey: `span:${span}`, draft }]
}

/**
 * The fraction of a second is a number of microseconds without leading zeros: `12.59908` is 12 s and 59,908 µs, not
 * 0.59908 s (crates/core/src/telemetry/date.rs writes `buf.format(micros)`).
 */
export const padFraction = (time: string): string =>
  time.replace(/\.(\d{1,5})(?=Z$)/, (_, micros: string) => `.${micros.padStart(6, '0')}`)

function readWho(line: JsonObject, draft: EventDraft): void {
  set(draft, 'gateway.id', textOf(line['gateway']))
  set(draft, 'user.id', textOf(line['jwt.sub']) ?? textOf(line['src.identity']))
  set(draft, 'client.address', addressOf(line['src.addr']))
  set(draft, 'mcp.session.id', textOf(line['mcp.session.id']))
  set(draft, 'trace_id', traceableId(line['trace.id']))
  set(draft, 'span_id', traceableId(line['span.id']))
}

function readWhat(line: JsonObject, draft: EventDraft): void {
  const operation = textOf(line['gen_ai.operation.name'])
  const llm = line['protocol'] === 'llm' ? `llm/${operation ?? 'request'}` : undefined
  const method = methodOfWord(line['mcp.method.name']) ?? methodOfWord(line['mcp.method'])
  set(draft, 'mcp.method.name', method ?? llm)
  set(draft, 'mcp.server.name', textOf(line['mcp.target']))
  set(draft, 'server.address', addressOf(line['endpoint']))
  set(draft, 'gen_ai.tool.name', textOf(line['gen_ai.tool.name']))
  set(draft, 'gen_ai.prompt.name', textOf(line['gen_ai.prompt.name']))
  set(draft, 'mcp.resource.uri', textOf(line['mcp.resource.uri']))
  // Before 1.0.1 (agentgateway#1230).
  setTypedTarget(draft, line['mcp.resource.type'], line['mcp.resource.name'])
  set(draft, 'network.transport', 'tcp')
  // Names that operators give to the CEL fields of the documentation’s example.
  set(draft, 'gen_ai.tool.call.arguments', jsonTextOf(line['tool_args'] ?? line['mcp.tool.arguments']))
}

function readResult(line: JsonObject, draft: EventDraft): void {
  const error = textOf(line['error']) ?? textOf(line['mcp.error.message'])
  const code = numberOf(line['mcp.error.code'])
  const reason = textOf(line['reason'])
  const outcome = outcomeOfAgentgateway({
    reason,
    error,
    errorCode: code,
    status: numberOf(line['http.status']),
  })
  const isError = toolErrorOf(line['tool_result'] ?? line['mcp.tool.result'])
  set(draft, 'http.response.status_code', statusOf(line['http.status']))
  set(draft, 'rpc.response.status_code', textOf(code))
  set(draft, 'mcp.tool.is_error', isError)
  // agentgateway names no policy but the stage that refused.
  if (outcomeOfAgentgateway({ reason, error }) === 'denied') {
    draft['gen_ai.security.decision.type'] = 'deny'
    if (reason !== 'MCP') set(draft, 'gen_ai.security.policy.id', reason)
  }
  set(draft, 'gen_ai.tool.call.result', jsonTextOf(line['tool_result'] ?? line['mcp.tool.result']))
  set(draft, 'outcome', outcome)
  set(draft, 'error.type', textOf(code) ?? (isError === true ? 'tool_error' : reason))
  set(draft, 'error.message', error)
  set(draft, 'duration_ms', durationOf(line['duration']))
  set(draft, 'gen_ai.usage.input_tokens', countOf(line['gen_ai.usage.input_tokens']))
  set(draft, 'gen_ai.usage.output_tokens', countOf(line['gen_ai.usage.output_tokens']))
  set(draft, 'gen_ai.usage.cost', amountOf(line['agw.ai.usage.cost.total']))
  set(draft, 'gen_ai.provider.name', textOf(line['gen_ai.provider.name']))
  set(draft, 'gen_ai.request.model', textOf(line['gen_ai.request.model']))
  set(draft, 'gen_ai.response.model', textOf(line['gen_ai.response.model']))
}

function readLine(text: string): JsonObject {
  const match = LINE.exec(text)
  const line: Record<string, unknown> = Object.assign(Object.create(null), { time: match?.[1] })
  for (const pair of (match?.[2] ?? '').matchAll(/(?<![\w.-])([\w.-]+)=("(?:[^"\\]|\\.)*"|\S*)/g)) {
    const [, key = '', value = ''] = pair
    line[key] = value.startsWith('"') ? unquote(value) : value
  }
  return line
}

function unquote(text: string): string {
  try {
    return String(JSON.parse(text))
  } catch {
    return text.slice(1, -1)
  }
}
