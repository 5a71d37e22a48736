import type { EventDraft } from '../../core/audit-event.ts'
import { emptyDraft } from '../empty-draft.ts'
import { approvalAnswerOf, delegationOf, policyDecisionOf } from './decisions.ts'
import {
  addressOf,
  amountOf,
  countOf,
  durationOf,
  flagOf,
  jsonTextOf,
  statusOf,
  textOf,
} from './field-values.ts'
import { methodOfWord } from './mcp-method.ts'
import type { OtlpValue } from './otlp-value.ts'

/**
 * The one table of attribute names: which attributes, strongest first, fill which field. Names of the MCP and GenAI
 * semantic conventions come first; then those of agentgateway (`mcp.target`, `src.addr`, `jwt.sub`), Docker
 * (`mcp.tool.name`), Envoy (`mcp.backend.name`), ContextForge (`tool.name`, `user_id`), LiteLLM (`metadata.…`), Claude
 * Code and Codex (`tool_name`, `call_id`), Kuadrant (`mcp_tool_name`).
 */
const FIELDS = {
  event_id: ['audit.event.id', 'log.record.uid'],
  'event.sequence': ['event.sequence'],
  'producer.id': ['producer.id'],
  'producer.sequence': ['producer.sequence'],
  'user.id': [
    'user.id',
    'enduser.id',
    'jwt.sub',
    'mcp_user_id',
    'metadata.user_api_key_user_id',
    'litellm.metadata.user_api_key_user_id',
    'metadata.user_api_key_end_user_id',
    'user.account_uuid',
    'user.account_id',
    'user_id',
    'user',
  ],
  'user.email': [
    'user.email',
    'enduser.email',
    'metadata.user_api_key_user_email',
    'litellm.metadata.user_api_key_user_email',
    'user_email',
  ],
  'gen_ai.agent.id': ['gen_ai.agent.id', 'agent.id', 'agent_id'],
  'gen_ai.agent.name': ['gen_ai.agent.name', 'agent.name', 'agent_name'],
  'gen_ai.agent.version': ['gen_ai.agent.version', 'agent.version'],
  'ai_agent.instance_uid': ['ai_agent.instance_uid', 'gen_ai.agent.instance.id'],
  'ai_agent.parent_uid': ['ai_agent.parent_uid', 'parent_agent_id'],
  'delegation.type': ['delegation.type'],
  'delegation.chain': ['delegation.chain'],
  'mcp.client.name': ['mcp.client.name', 'client_name', 'originator'],
  'mcp.client.version': ['mcp.client.version', 'client_version', 'app.version'],
  'credential.id': [
    'credential.id',
    'api_key.id',
    'metadata.user_api_key_alias',
    'litellm.metadata.user_api_key_alias',
    'user_api_key_alias',
    'metadata.user_api_key_hash',
    'litellm.api_key.hash',
    'litellm.metadata.user_api_key_hash',
  ],
  'gateway.id': ['gateway.id', 'gateway'],
  'mcp.server.name': [
    'mcp.server.name',
    'mcp.target',
    'mcp.provider.name',
    'mcp.backend.name',
    'mcp_server',
    'mcp_server_name',
    'litellm.mcp.server.name',
    'target_mcp_server.name',
    'server_name',
  ],
  'server.address': ['server.address', 'net.peer.name', 'target_mcp_server.url', 'mcp_server_origin'],
  'mcp.method.name': ['mcp.method.name', 'mcp.method', 'mcp_method'],
  'gen_ai.tool.name': ['gen_ai.tool.name', 'mcp.tool.name', 'tool.name', 'mcp_tool_name', 'tool_name'],
  'mcp.resource.uri': ['mcp.resource.uri', 'resource.uri'],
  'gen_ai.prompt.name': ['gen_ai.prompt.name', 'mcp.prompt.name'],
  'tool.definition.hash': ['tool.definition.hash'],
  'error.type': ['error.type', 'error_type', 'exception.type', 'error_code'],
  'error.message': [
    'error.message',
    'mcp.error.message',
    'error_message',
    'exception.message',
    'error',
    'reason',
  ],
  'http.response.status_code': [
    'http.response.status_code',
    'http.status_code',
    'http.status',
    'response_code',
  ],
  // The conventions had the second name before; the third is agentgateway’s.
  'rpc.response.status_code': ['rpc.response.status_code', 'rpc.jsonrpc.error_code', 'mcp.error.code'],
  'mcp.tool.is_error': ['mcp.tool.is_error'],
  'gen_ai.security.decision.type': [
    'gen_ai.security.decision.type',
    'microsoft.security.decision.type',
    'policy.decision',
  ],
  'gen_ai.security.policy.id': [
    'gen_ai.security.policy.id',
    'microsoft.security.policy.id',
    'gen_ai.security.policy.name',
    'microsoft.security.policy.name',
    'policy.id',
  ],
  'approval.asked': ['approval.asked'],
  'approval.by': ['approval.by'],
  'approval.answer': ['approval.answer'],
  'approval.wait_ms': ['approval.wait_ms'],
  'approval.mode': ['approval.mode'],
  'mcp.session.id': ['mcp.session.id', 'mcp_session_id'],
  'gen_ai.conversation.id': ['gen_ai.conversation.id', 'conversation.id', 'session.id'],
  'jsonrpc.request.id': ['jsonrpc.request.id', 'mcp.request.id', 'rpc.jsonrpc.request_id'],
  'gen_ai.tool.call.id': ['gen_ai.tool.call.id', 'tool_use_id', 'tool_call_id', 'call_id', 'litellm.call_id'],
  'client.address': [
    'client.address',
    'src.addr',
    'source.address',
    'net.sock.peer.addr',
    'http.client_ip',
    'client_ip',
    'metadata.requester_ip_address',
    'litellm.metadata.requester_ip_address',
  ],
  'network.transport': [
    'network.transport',
    'mcp.transport',
    'mcp.server.type',
    'transport',
    'transport_type',
  ],
  // JSON text or a map.
  'gen_ai.tool.call.arguments': [
    'gen_ai.tool.call.arguments',
    'mcp.tool.arguments',
    'mcp.arguments',
    'tool.invocation.args',
    'tool_args',
    'tool_input',
    'arguments',
    'langfuse.observation.input',
  ],
  'gen_ai.tool.call.result': [
    'gen_ai.tool.call.result',
    'mcp.tool.result',
    'tool_result',
    'tool.invocation.result',
    'output',
    'langfuse.observation.output',
  ],
  // Milliseconds, or text with a unit.
  duration_ms: ['duration_ms', 'mcp.duration_ms', 'duration.ms', 'duration'],
  request_bytes: ['mcp.request.bytes', 'http.request.body.size', 'tool_input_size_bytes', 'bytes_received'],
  response_bytes: ['mcp.response.bytes', 'http.response.body.size', 'tool_result_size_bytes', 'bytes_sent'],
  'gen_ai.usage.input_tokens': ['gen_ai.usage.input_tokens'],
  'gen_ai.usage.output_tokens': ['gen_ai.usage.output_tokens'],
  // In US dollars. The conventions have no name for it; these are what Langfuse, OpenLIT, agentgateway, LiteLLM and Claude Code write.
  'gen_ai.usage.cost': [
    'gen_ai.usage.cost',
    'gen_ai.usage.cost_usd',
    'agw.ai.usage.cost.total',
    'gen_ai.cost.total_cost',
    'cost_usd',
  ],
  'gen_ai.provider.name': ['gen_ai.provider.name', 'gen_ai.system'],
  'gen_ai.request.model': ['gen_ai.request.model', 'model'],
  'gen_ai.response.model': ['gen_ai.response.model'],
} as const satisfies Partial<Record<keyof EventDraft, readonly string[]>>

/** What is no field of an event itself, but decides about one; read in `otlp-call.ts`. */
const FACTS = {
  service: ['service.name'],
  serviceVersion: ['service.version'],
  eventName: ['event.name'],
  eventTime: ['event.timestamp'],
  operation: ['gen_ai.operation.name'],
  outcome: ['outcome', 'mcp.outcome', 'result'],
  decision: ['decision'],
  decisionType: ['decision_type'],
  decisionSource: ['source', 'decision_source'],
  approvalMode: ['permission_mode', 'approval_policy', 'approval_mode'],
  prompt: ['prompt.id', 'prompt_id'],
  /** Claude Code: the subagent, made anew each time. */
  agentRun: ['agent_id'],
  functionName: ['function_name'],
  functionArgs: ['function_args'],
  /** agentgateway before 1.0.1: what was called, kind and name apart. */
  targetType: ['mcp.resource.type'],
  targetName: ['mcp.resource.name'],
  guardedTarget: ['gen_ai.security.target.type', 'microsoft.security.target.type'],
  reason: ['reason'],
  fault: ['error', 'mcp.error.message'],
  faultCode: ['mcp.error.code'],
  httpStatus: ['http.status', 'http.response.status_code', 'response_code'],
  success: ['success'],
  traceId: ['trace.id'],
  spanId: ['span.id'],
  /** Claude Code and LiteLLM put server, tool and more into one text. */
  details: ['tool_parameters', 'metadata.mcp_tool_call_metadata'],
  /** Words too plain to mean a call anywhere but in a record that says it is one (Kuadrant’s audit lines). */
  audit: ['audit'],
  auditTool: ['tool'],
  auditServer: ['server'],
  status: ['status'],
  auditSession: ['session'],
} as const

export type OtlpField = keyof typeof FIELDS
export type OtlpFact = keyof typeof FACTS

const FIELD_NAMES = Object.keys(FIELDS) as OtlpField[]
const FACT_NAMES = Object.keys(FACTS) as OtlpFact[]
const SLOTS = FIELD_NAMES.length + FACT_NAMES.length
const FACT_SLOT = new Map(FACT_NAMES.map((fact, index) => [fact, FIELD_NAMES.length + index]))

type Read = (value: OtlpValue) => unknown

const READS: Partial<Record<OtlpField, Read>> = {
  'client.address': addressOf,
  'mcp.method.name': methodOfWord,
  'network.transport': (value) => transportOf(textOf(value)),
  'gen_ai.tool.call.arguments': jsonTextOf,
  'gen_ai.tool.call.result': jsonTextOf,
  'event.sequence': countOf,
  'producer.sequence': countOf,
  'delegation.type': delegationOf,
  'delegation.chain': namesOf,
  'http.response.status_code': statusOf,
  'mcp.tool.is_error': flagOf,
  'gen_ai.security.decision.type': policyDecisionOf,
  'approval.asked': flagOf,
  'approval.answer': approvalAnswerOf,
  'approval.wait_ms': durationOf,
  'gen_ai.usage.cost': amountOf,
  'gen_ai.request.model': modelOf,
  duration_ms: durationOf,
  request_bytes: countOf,
  response_bytes: countOf,
  'gen_ai.usage.input_tokens': countOf,
  'gen_ai.usage.output_tokens': countOf,
}

function namesOf(value: unknown): readonly string[] | undefined {
  const names = (Array.isArray(value) ? value : [value]).flatMap((item) => textOf(item) ?? [])
  return names.length > 0 ? names : undefined
}

// LiteLLM writes the tool in the place of the model.
function modelOf(value: unknown): string | undefined {
  const model = textOf(value)
  return model?.startsWith('MCP: ') ? undefined : model
}

/** What an attribute fills. */
export type AttributeUses = readonly Use[]

interface Use {
  readonly slot: number
  readonly rank: number
  readonly read: Read
}

const present: Read = (value) => (value === '' || value === null ? undefined : value)

// Attribute name → what it fills. One look-up an attribute is several times cheaper than one an alias.
const USES: ReadonlyMap<string, AttributeUses> = (() => {
  const uses = new Map<string, Use[]>()
  const add = (names: readonly string[], slot: number, read: Read) => {
    for (const [rank, name] of names.entries())
      uses.set(name, [...(uses.get(name) ?? []), { slot, rank, read }])
  }
  for (const [slot, field] of FIELD_NAMES.entries()) add(FIELDS[field], slot, READS[field] ?? textOf)
  for (const [index, fact] of FACT_NAMES.entries()) add(FACTS[fact], FIELD_NAMES.length + index, present)
  return uses
})()

/** What the table says of a name; `undefined` where it has none: the values of those attributes need not be read. */
export const usesOf = (name: string): AttributeUses | undefined => USES.get(name)

const UNSET = 255

/** What the attributes of resource, scope and record say, by field; of several names for one, the strongest counts. */
export class OtlpAttributes {
  readonly #values: unknown[]
  readonly #ranks: Uint8Array

  constructor(shared?: OtlpAttributes) {
    this.#values = shared ? shared.#values.slice() : new Array<unknown>(SLOTS).fill(undefined)
    this.#ranks = shared ? shared.#ranks.slice() : new Uint8Array(SLOTS).fill(UNSET)
  }

  take(name: string, value: OtlpValue): void {
    const uses = USES.get(name)
    if (uses !== undefined) this.use(uses, value)
  }

  use(uses: AttributeUses, value: OtlpValue): void {
    if (value === undefined) return
    for (const { slot, rank, read } of uses) {
      if (rank > (this.#ranks[slot] ?? UNSET)) continue
      const found = read(value)
      if (found === undefined) continue
      this.#values[slot] = found
      this.#ranks[slot] = rank
    }
  }

  fact(name: OtlpFact): unknown {
    return this.#values[FACT_SLOT.get(name) ?? -1]
  }

  /** The fields that were said, as a draft of its own. */
  draft(): EventDraft {
    const draft = emptyDraft() as Record<string, unknown>
    for (let slot = 0; slot < FIELD_NAMES.length; slot++) {
      const value = this.#values[slot]
      if (value !== undefined) draft[FIELD_NAMES[slot] as string] = value
    }
    return draft as EventDraft
  }
}

/** The words of the conventions: `pipe` for stdio, `tcp` for everything over HTTP. */
export function transportOf(text: string | undefined): string | undefined {
  const word = text?.toLowerCase()
  if (word === 'stdio' || word === 'docker') return 'pipe'
  return word !== undefined && /^(?:https?|sse|streamable.?http|http.?stream|remote|websocket)$/.test(word)
    ? 'tcp'
    : word
}
