import type { EventDraft } from '../../core/audit-event.ts'
import { outcomeOfErrorType } from '../../core/outcome.ts'
import { emptyDraft } from '../empty-draft.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { definitionsOf, prefixedBy } from './definitions.ts'
import {
  addressOf,
  amountOf,
  countOf,
  durationOf,
  isObject,
  type JsonObject,
  jsonTextOf,
  listOf,
  notATime,
  numberOf,
  objectOf,
  productOf,
  set,
  statusOf,
  textOf,
} from './field-values.ts'
import { isErrorResult, listedTools, toolErrorOf } from './json-rpc.ts'
import { readTime } from './read-time.ts'
import { splitTool } from './split-tool.ts'

/** LiteLLM’s StandardLoggingPayload, as its generic callback posts it (an array of them is several records). */
export const litellm: Format = {
  name: 'litellm',
  marks: {
    needs: ['call_type', 'metadata', ['litellm_call_id', 'startTime']],
    usual: ['endTime', 'response_cost', 'hidden_params', 'model', 'end_user', 'status_fields'],
  },
  recognises: ({ json }) =>
    isObject(json) &&
    'call_type' in json &&
    isObject(json['metadata']) &&
    ('litellm_call_id' in json || 'startTime' in json),
  decode,
}

const METHODS: ReadonlyMap<string, string> = new Map([
  ['call_mcp_tool', 'tools/call'],
  ['list_mcp_tools', 'tools/list'],
])

// Failed calls of MCP come without a type (BerriAI/litellm#28928). A call of a model names it, or has used tokens.
function methodOf(callType: string, payload: JsonObject): string {
  const known = METHODS.get(callType)
  if (known !== undefined) return known
  const isModelCall =
    callType !== '' ||
    textOf(payload['model']) !== undefined ||
    textOf(payload['model_group']) !== undefined ||
    (numberOf(payload['total_tokens']) ?? 0) > 0
  if (/mcp/i.test(callType) || !isModelCall) return 'mcp/request'
  return `llm/${callType === '' ? 'request' : callType}`
}

function decode({ json }: ParsedRecord): readonly Decoded[] {
  const payload = objectOf(json)
  const metadata = objectOf(payload['metadata'])
  const draft = emptyDraft()
  if (payload['startTime'] !== undefined && payload['startTime'] !== null) {
    const occurredAt = readTime(payload['startTime'])
    if (occurredAt === undefined) return [notATime('startTime', payload['startTime'])]
    draft.occurred_at = occurredAt
  }
  const callType = textOf(payload['call_type']) ?? ''
  draft['mcp.method.name'] = methodOf(callType, payload)
  readWho(payload, metadata, draft)
  readTool(payload, objectOf(metadata['mcp_tool_call_metadata']), draft)
  readResult(payload, draft)
  if (callType !== 'list_mcp_tools') return [{ kind: 'event', draft }]
  const listed = listedTools(payload['response'])
  // LiteLLM puts the server before each name with a dash, and allows none in the names of servers.
  const tools = definitionsOf(listed, undefined, draft.occurred_at, prefixedBy('-', listed))
  return [{ kind: 'event', draft }, ...tools]
}

function readWho(payload: JsonObject, metadata: JsonObject, draft: EventDraft): void {
  set(
    draft,
    'user.id',
    textOf(metadata['user_api_key_user_id']) ??
      textOf(metadata['user_api_key_end_user_id']) ??
      textOf(payload['end_user']),
  )
  set(draft, 'user.email', textOf(metadata['user_api_key_user_email']))
  set(draft, 'credential.id', textOf(metadata['user_api_key_alias']) ?? textOf(metadata['user_api_key_hash']))
  set(draft, 'mcp.client.name', productOf(metadata['user_agent']))
  set(draft, 'client.address', addressOf(metadata['requester_ip_address'] ?? payload['requester_ip_address']))
  set(draft, 'trace_id', textOf(payload['trace_id']))
  set(draft, 'gen_ai.tool.call.id', textOf(payload['litellm_call_id']) ?? textOf(payload['id']))
}

function readTool(payload: JsonObject, tool: JsonObject, draft: EventDraft): void {
  const raw = textOf(tool['namespaced_tool_name'])
  const name = textOf(tool['name'])
  set(draft, 'mcp.server.name', textOf(tool['mcp_server_name']))
  if (name !== undefined) draft['gen_ai.tool.name'] = name
  else if (raw !== undefined) splitTool(draft, raw, '/')
  else if (draft['mcp.method.name'] === 'tools/call')
    set(draft, 'gen_ai.tool.name', /^MCP: (.+)$/.exec(textOf(payload['model']) ?? '')?.[1])
  set(draft, 'tool.name.raw', raw)
  const headers = objectOf(objectOf(objectOf(payload['metadata'])['requester_metadata'])['headers'])
  set(draft, 'mcp.session.id', textOf(tool['mcp_session_id']) ?? textOf(headers['mcp-session-id']))
  set(draft, 'gen_ai.tool.call.arguments', jsonTextOf(tool['arguments']))
}

function readResult(payload: JsonObject, draft: EventDraft): void {
  const error = objectOf(payload['error_information'])
  const type = textOf(error['error_class']) ?? textOf(error['error_code'])
  const guardrailStatus = objectOf(payload['status_fields'])['guardrail_status']
  const guarded = guardrailStatus === 'guardrail_intervened'
  if (guarded) draft['gen_ai.security.decision.type'] = 'deny'
  else if (guardrailStatus === 'success') draft['gen_ai.security.decision.type'] = 'allow'
  const [guardrail] = listOf(objectOf(payload['metadata'])['applied_guardrails'])
  set(draft, 'gen_ai.security.policy.id', textOf(guardrail))
  const code = numberOf(error['error_code'])
  const failed = payload['status'] === 'failure'
  const refused = guarded || (failed && (code === 401 || code === 403 || code === 429))
  if (draft['mcp.method.name'] === 'tools/call')
    set(draft, 'gen_ai.tool.call.result', jsonTextOf(payload['response']))
  // A tool that says isError has been called with success as far as the proxy is concerned.
  const isToolCall = draft['mcp.method.name'] === 'tools/call'
  if (isToolCall) set(draft, 'mcp.tool.is_error', toolErrorOf(payload['response']))
  const toolFailed = isErrorResult(payload['response'])
  set(draft, 'http.response.status_code', statusOf(error['error_code']))
  set(draft, 'gen_ai.usage.cost', amountOf(payload['response_cost']))
  const timedOut = failed && outcomeOfErrorType(type) === 'timeout'
  draft.outcome = refused
    ? 'denied'
    : timedOut
      ? 'timeout'
      : failed || toolFailed
        ? 'failure'
        : payload['status'] === 'success'
          ? 'success'
          : 'unknown'
  if (failed || refused) {
    set(draft, 'error.type', type ?? (guarded ? 'guardrail_intervened' : undefined))
    set(draft, 'error.message', textOf(error['error_message']) ?? textOf(payload['error_str']))
  } else if (toolFailed) draft['error.type'] = 'tool_error'
  const seconds = numberOf(payload['response_time'])
  set(
    draft,
    'duration_ms',
    seconds === undefined ? undefined : durationOf(Number((seconds * 1000).toPrecision(12))),
  )
  if (draft['mcp.method.name']?.startsWith('llm/')) {
    set(draft, 'gen_ai.usage.input_tokens', countOf(payload['prompt_tokens']))
    set(draft, 'gen_ai.usage.output_tokens', countOf(payload['completion_tokens']))
    set(draft, 'gen_ai.request.model', textOf(payload['model_group']) ?? textOf(payload['model']))
    set(draft, 'gen_ai.response.model', textOf(payload['model']))
    set(draft, 'gen_ai.provider.name', textOf(payload['custom_llm_provider']))
  }
}
