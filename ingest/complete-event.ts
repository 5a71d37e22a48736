import { DEFAULT_ACTOR_PRECEDENCE, deriveActor } from '../core/actor.ts'
import type { AuditEvent, EventDraft, EventField } from '../core/audit-event.ts'
import { deriveChain } from '../core/chain.ts'
import { stableId } from '../core/hash.ts'
import type { ToolCatalogue } from '../core/tool-catalogue.ts'
import type { ToolAnnotations } from './tool-annotations.ts'

/** Where a draft comes from; becomes the coordinates of its event. */
export interface Coordinates {
  readonly tenant: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly recordIndex: number
  readonly sourceFormat: string
  /** An import that said that it is history. */
  readonly imported?: boolean | undefined
}

export interface CompletionOptions {
  readonly catalogue: ToolCatalogue
  /** Fields that can name the actor, strongest first. */
  readonly actorPrecedence?: readonly (keyof EventDraft)[]
  /** Canonical spelling of a principal → the actor that the operator says it is. */
  readonly actorAliases?: ReadonlyMap<string, string>
  /** What servers said of their tools before the call; nothing unless given. */
  readonly annotations?: Pick<ToolAnnotations, 'of'>
}

/** A prepared draft → its event: identity, actor, chain, capability, sensitivity. Pure but for the annotations. */
export type CompleteEvent = (draft: EventDraft, from: Coordinates) => AuditEvent

export function createCompleteEvent(options: CompletionOptions): CompleteEvent {
  const { catalogue, actorPrecedence = DEFAULT_ACTOR_PRECEDENCE, actorAliases, annotations } = options
  return (draft, from) => {
    const method = draft['mcp.method.name'] ?? methodOf(draft)
    const actor = deriveActor(draft, actorPrecedence, actorAliases)
    const [server, tool] = [draft['mcp.server.name'], draft['gen_ai.tool.name']]
    const known = catalogue.classify({
      server,
      tool,
      method,
      annotations: annotations?.of({ tenant: from.tenant, server, tool, at: draft.occurred_at }),
    })
    // Every field in one literal, absent ones too: all events have one shape, whatever their sources filled, which makes
    // every later look at them several times cheaper.
    const event: { [field in EventField]?: AuditEvent[field] | undefined } = {
      event_id:
        draft.event_id ?? stableId(from.tenant, from.topic, from.partition, from.offset, from.recordIndex),
      conflicting_event_id: undefined,
      occurred_at: draft.occurred_at,
      timestamp_source: draft.timestamp_source,
      source_format: from.sourceFormat,
      tenant: from.tenant,
      topic: from.topic,
      partition: from.partition,
      offset: from.offset,
      record_index: from.recordIndex,
      imported: from.imported,
      'event.sequence': draft['event.sequence'],
      'producer.id': draft['producer.id'],
      'producer.sequence': draft['producer.sequence'],
      'user.id': draft['user.id'],
      'user.email': draft['user.email'],
      'gen_ai.agent.id': draft['gen_ai.agent.id'],
      'gen_ai.agent.name': draft['gen_ai.agent.name'],
      'gen_ai.agent.version': draft['gen_ai.agent.version'],
      'ai_agent.instance_uid': draft['ai_agent.instance_uid'],
      'ai_agent.parent_uid': draft['ai_agent.parent_uid'],
      'mcp.client.name': draft['mcp.client.name'],
      'mcp.client.version': draft['mcp.client.version'],
      'credential.id': draft['credential.id'],
      'client.address': draft['client.address'],
      'delegation.type': draft['delegation.type'],
      'delegation.chain': draft['delegation.chain'],
      actor: actor,
      'gateway.id': draft['gateway.id'],
      'mcp.server.name': draft['mcp.server.name'],
      'server.address': draft['server.address'],
      'network.transport': draft['network.transport'],
      'mcp.method.name': method,
      'gen_ai.tool.name': draft['gen_ai.tool.name'],
      'tool.name.raw': draft['tool.name.raw'],
      'mcp.resource.uri': draft['mcp.resource.uri'],
      'gen_ai.prompt.name': draft['gen_ai.prompt.name'],
      'gen_ai.tool.call.arguments': draft['gen_ai.tool.call.arguments'],
      argument_keys: draft.argument_keys,
      'tool.definition.hash': draft['tool.definition.hash'],
      outcome: draft.outcome ?? 'unknown',
      'http.response.status_code': draft['http.response.status_code'],
      'rpc.response.status_code': draft['rpc.response.status_code'],
      'mcp.tool.is_error': draft['mcp.tool.is_error'],
      'gen_ai.security.decision.type': draft['gen_ai.security.decision.type'],
      'gen_ai.security.policy.id': draft['gen_ai.security.policy.id'],
      'approval.asked': draft['approval.asked'],
      'approval.by': draft['approval.by'],
      'approval.answer': draft['approval.answer'],
      'approval.wait_ms': draft['approval.wait_ms'],
      'approval.mode': draft['approval.mode'],
      'error.type': draft['error.type'],
      'error.message': draft['error.message'],
      duration_ms: draft.duration_ms,
      request_bytes: draft.request_bytes,
      response_bytes: draft.response_bytes,
      'gen_ai.usage.input_tokens': draft['gen_ai.usage.input_tokens'],
      'gen_ai.usage.output_tokens': draft['gen_ai.usage.output_tokens'],
      'gen_ai.usage.cost': draft['gen_ai.usage.cost'],
      'gen_ai.provider.name': draft['gen_ai.provider.name'],
      'gen_ai.request.model': draft['gen_ai.request.model'],
      'gen_ai.response.model': draft['gen_ai.response.model'],
      'mcp.session.id': draft['mcp.session.id'],
      'gen_ai.conversation.id': draft['gen_ai.conversation.id'],
      'jsonrpc.request.id': draft['jsonrpc.request.id'],
      'gen_ai.tool.call.id': draft['gen_ai.tool.call.id'],
      trace_id: draft.trace_id,
      span_id: draft.span_id,
      parent_span_id: draft.parent_span_id,
      chain: deriveChain(draft, actor),
      capability: draft.capability ?? known.capability,
      sensitivity: draft.sensitivity ?? known.sensitivity,
      destination: draft.destination,
      argument_fingerprints: draft.argument_fingerprints,
      result_fingerprints: draft.result_fingerprints,
      argument_flags: draft.argument_flags,
      record_flags: isIncomplete(draft, method)
        ? [...(draft.record_flags ?? []), 'incomplete']
        : draft.record_flags,
    }
    return event as AuditEvent
  }
}

/** Whether a call does not say what it is a call of: detection of tools, servers and chains does not see it. */
function isIncomplete(draft: EventDraft, method: string | undefined): boolean {
  if (method === 'tools/call') return draft['gen_ai.tool.name'] === undefined
  if (method === 'resources/read') return draft['mcp.resource.uri'] === undefined
  return method === 'prompts/get' && draft['gen_ai.prompt.name'] === undefined
}

/** The JSON-RPC method that a draft without one implies; `undefined` when it names nothing that was called. */
export function methodOf(draft: EventDraft): string | undefined {
  if (draft['gen_ai.tool.name'] !== undefined) return 'tools/call'
  if (draft['mcp.resource.uri'] !== undefined) return 'resources/read'
  return draft['gen_ai.prompt.name'] === undefined ? undefined : 'prompts/get'
}
