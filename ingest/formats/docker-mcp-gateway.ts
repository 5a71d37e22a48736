import type { EventDraft } from '../../core/audit-event.ts'
import { emptyDraft } from '../empty-draft.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { policyDecisionOf } from './decisions.ts'
import { isObject, type JsonObject, notACall, notATime, objectOf, set, textOf } from './field-values.ts'
import { setRequest } from './json-rpc.ts'
import { readTime } from './read-time.ts'

/**
 * The policy audit of Docker’s MCP gateway: what the policy decided before the call. A refusal is a denied call; of an
 * allowed one nobody says what became of it.
 */
export const dockerPolicyAudit: Format = {
  name: 'docker-policy-audit',
  marks: {
    needs: ['trigger', 'target_type', 'result'],
    usual: ['server_name', 'tool_name', 'outcome_reason', 'transport', 'working_set'],
  },
  recognises: ({ json }) => isObject(json) && 'trigger' in json && 'target_type' in json && 'result' in json,
  decode: decodeDecision,
}

/**
 * What an HTTP interceptor of Docker’s MCP gateway is sent: the request before a call. Go writes the names with a capital
 * letter, its documentation without. What is sent after a call has no id and names no tool, so it is no call.
 */
export const dockerInterceptor: Format = {
  name: 'docker-interceptor',
  recognises: ({ json }) => isObject(json) && (isRequest(json) || isResult(json)),
  decode: decodeInterceptor,
}

const METHODS: ReadonlyMap<string, string> = new Map([
  ['tool', 'tools/call'],
  ['prompt', 'prompts/get'],
  ['resource', 'resources/read'],
])

function decodeDecision({ json }: ParsedRecord): readonly Decoded[] {
  const decision = objectOf(json)
  const draft = emptyDraft()
  if (decision['timestamp'] !== undefined) {
    const occurredAt = readTime(decision['timestamp'])
    if (occurredAt === undefined) return [notATime('timestamp', decision['timestamp'])]
    draft.occurred_at = occurredAt
  }
  const target = textOf(decision['target_type']) ?? 'tool'
  const trigger = textOf(decision['trigger']) ?? 'invoke'
  const tool = textOf(decision['tool_name'])
  // A server or tool that is loaded into the gateway is not called yet.
  const method = trigger === 'load' ? 'gateway/load' : (METHODS.get(target) ?? `gateway/${trigger}`)
  draft['mcp.method.name'] = method
  set(draft, method === 'prompts/get' ? 'gen_ai.prompt.name' : 'gen_ai.tool.name', tool)
  set(draft, 'mcp.server.name', textOf(decision['server_name']))
  set(draft, 'user.id', textOf(decision['actor_id']) ?? textOf(decision['actor_name']))
  set(draft, 'gateway.id', textOf(decision['working_set']))
  const client = textOf(decision['client_name'])
  set(draft, 'mcp.client.name', client)
  set(draft, 'mcp.client.version', textOf(decision['client_version']))
  set(draft, 'network.transport', decision['transport'] === 'stdio' ? 'pipe' : textOf(decision['transport']))
  set(draft, 'mcp.session.id', textOf(decision['session_id']))
  set(draft, 'trace_id', textOf(decision['trace_id']))
  const decided = policyDecisionOf(decision['result'])
  set(draft, 'gen_ai.security.decision.type', decided)
  if (decided === 'deny') {
    draft.outcome = 'denied'
    set(draft, 'error.type', textOf(decision['outcome_reason']))
    set(draft, 'error.message', textOf(decision['reason']))
  } else draft.outcome = 'unknown'
  return [{ kind: 'event', draft }]
}

const either = (json: JsonObject, name: string): unknown =>
  json[name] ?? json[`${name.charAt(0).toUpperCase()}${name.slice(1)}`]

const isRequest = (json: JsonObject): boolean =>
  ('Params' in json || 'params' in json) &&
  !('jsonrpc' in json) &&
  textOf(objectOf(either(json, 'params'))['name']) !== undefined &&
  ('Session' in json || 'session' in json || 'Extra' in json || 'extra' in json)

const RESULT_KEYS = new Set(['content', 'isError', 'structuredContent', '_meta'])

const isResult = (json: JsonObject): boolean =>
  Array.isArray(json['content']) && Object.keys(json).every((key) => RESULT_KEYS.has(key))

function decodeInterceptor({ json }: ParsedRecord): readonly Decoded[] {
  const given = objectOf(json)
  if (!isRequest(given))
    return [
      notACall('The result of a call without the call: install the interceptor before calls, not after.'),
    ]
  const draft: EventDraft = { outcome: 'unknown' }
  setRequest(draft, { method: 'tools/call', params: objectOf(either(given, 'params')) })
  const session = objectOf(either(given, 'session'))
  set(draft, 'mcp.session.id', textOf(session['ID']) ?? textOf(session['id']))
  return [{ kind: 'event', draft }]
}
