import type { EventDraft } from '../../core/audit-event.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import {
  addressOf,
  countOf,
  durationOf,
  isObject,
  type JsonObject,
  jsonTextOf,
  notATime,
  numberOf,
  set,
  textOf,
} from './field-values.ts'
import { outcomeOfStatus } from './outcome.ts'
import { readTime } from './read-time.ts'
import { splitTool } from './split-tool.ts'

/**
 * The JSON access log of Envoy AI Gateway, as its shipped examples write it (operators choose the keys). One line per
 * backend. `x-request-id` is no event id: a fan-out shares it, and a client may choose it.
 */
export const envoyAiGateway: Format = {
  name: 'envoy-ai-gateway',
  recognises: ({ json }) =>
    isObject(json) &&
    'start_time' in json &&
    ('mcp.provider.name' in json || 'mcp.method.name' in json || 'gen_ai.provider.name' in json),
  decode,
}

/** The access log of Istio in front of Kuadrant’s MCP gateway: the same proxy under other keys. */
export const kuadrantAccessLog: Format = {
  name: 'kuadrant-access-log',
  recognises: ({ json }) => isObject(json) && 'mcp_method' in json && 'response_code' in json,
  decode,
}

function decode({ json }: ParsedRecord): readonly Decoded[] {
  const line = isObject(json) ? json : {}
  const draft: EventDraft = {}
  const time = line['start_time'] ?? line['timestamp']
  if (textOf(time) !== undefined) {
    const occurredAt = readTime(time)
    if (occurredAt === undefined) return [notATime('start_time', time)]
    draft.occurred_at = occurredAt
  }
  const text = (...keys: readonly string[]): string | undefined => firstText(line, keys)
  set(draft, 'user.id', text('user.id', 'mcp_user_id', 'jwt.sub', 'x-user-id'))
  set(draft, 'client.address', addressOf(text('x-forwarded-for', 'downstream_remote_address')))
  set(draft, 'gateway.id', text('gateway', 'gateway.id'))
  set(draft, 'mcp.client.name', text('user-agent')?.split(/[\s/]/, 1)[0])
  set(
    draft,
    'mcp.server.name',
    text('mcp.provider.name', 'mcp.backend.name', 'mcp_server_name', 'x-ai-eg-mcp-backend'),
  )
  set(draft, 'server.address', addressOf(text('upstream_host')))
  set(draft, 'network.transport', 'tcp')
  set(draft, 'mcp.method.name', text('mcp.method.name', 'mcp_method') ?? llmMethod(line))
  const tool = text('mcp.tool.name', 'gen_ai.tool.name', 'mcp_tool_name')
  if (tool !== undefined) splitTool(draft, tool, '__')
  set(draft, 'mcp.resource.uri', text('mcp.resource.uri'))
  set(draft, 'gen_ai.tool.call.arguments', jsonTextOf(line['mcp.tool.arguments']))
  set(draft, 'mcp.session.id', text('mcp.session.id', 'mcp_session_id', 'session.id'))
  set(draft, 'jsonrpc.request.id', text('jsonrpc.request.id'))
  set(draft, 'trace_id', traceOf(line))
  set(draft, 'duration_ms', durationOf(line['duration'] ?? line['duration_ms']))
  set(draft, 'request_bytes', countOf(line['bytes_received']))
  set(draft, 'response_bytes', countOf(line['bytes_sent']))
  set(draft, 'gen_ai.usage.input_tokens', countOf(line['gen_ai.usage.input_tokens']))
  set(draft, 'gen_ai.usage.output_tokens', countOf(line['gen_ai.usage.output_tokens']))
  // Envoy writes 0 when the client went away before an answer.
  const status = numberOf(line['response_code'])
  set(draft, 'outcome', outcomeOfStatus(status) ?? (status === 0 ? 'failure' : undefined))
  if (status !== undefined && status >= 400) draft['error.type'] = String(status)
  set(draft, 'error.message', text('upstream_transport_failure_reason', 'connection_termination_details'))
  return [{ kind: 'event', draft }]
}

const firstText = (line: JsonObject, keys: readonly string[]): string | undefined => {
  for (const key of keys) {
    const found = textOf(line[key])
    if (found !== undefined) return found
  }
  return undefined
}

const llmMethod = (line: JsonObject): string | undefined =>
  textOf(line['gen_ai.request.model']) === undefined ? undefined : 'llm/request'

const traceOf = (line: JsonObject): string | undefined =>
  textOf(line['trace_id']) ?? /^00-([0-9a-f]{32})-/.exec(textOf(line['traceparent']) ?? '')?.[1]
