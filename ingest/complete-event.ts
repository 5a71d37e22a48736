import { DEFAULT_ACTOR_PRECEDENCE, deriveActor } from '../core/actor.ts'
import type { AuditEvent, EventDraft } from '../core/audit-event.ts'
import { deriveChain } from '../core/chain.ts'
import { stableId } from '../core/hash.ts'
import type { ToolCatalogue } from '../core/tool-catalogue.ts'

/** Where a draft comes from; becomes the coordinates of its event. */
export interface Coordinates {
  readonly tenant: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly recordIndex: number
  readonly sourceFormat: string
}

export interface CompletionOptions {
  readonly catalogue: ToolCatalogue
  /** Fields that can name the actor, strongest first. */
  readonly actorPrecedence?: readonly (keyof EventDraft)[]
}

/** A prepared draft → its event: identity, actor, chain, capability, sensitivity. Pure. */
export type CompleteEvent = (draft: EventDraft, from: Coordinates) => AuditEvent

export function createCompleteEvent(options: CompletionOptions): CompleteEvent {
  const { catalogue, actorPrecedence = DEFAULT_ACTOR_PRECEDENCE } = options
  return (draft, from) => {
    const method = draft['mcp.method.name'] ?? methodOf(draft)
    const actor = deriveActor(draft, actorPrecedence)
    const known = catalogue.classify({
      server: draft['mcp.server.name'],
      tool: draft['gen_ai.tool.name'],
      method,
    })
    const event: Record<string, unknown> = {}
    copyFields(draft, event)
    event['event_id'] ??= stableId(from.tenant, from.topic, from.partition, from.offset, from.recordIndex)
    event['source_format'] = from.sourceFormat
    event['tenant'] = from.tenant
    event['topic'] = from.topic
    event['partition'] = from.partition
    event['offset'] = from.offset
    event['record_index'] = from.recordIndex
    if (method !== undefined) event['mcp.method.name'] = method
    event['outcome'] ??= 'unknown'
    event['actor'] = actor
    event['chain'] = deriveChain(draft, actor)
    event['capability'] ??= known.capability
    event['sensitivity'] ??= known.sensitivity
    return event as unknown as AuditEvent
  }
}

// In the order of the schema, the same in every event. Written out, although a loop would do: V8 makes a hash table of
// an object that gets more than a dozen fields by computed names, which makes every later step a third slower.
// `test/unit/ingest/complete-event.test.ts` holds it to the schema.
function copyFields(draft: EventDraft, event: Record<string, unknown>): void {
  if (draft['event_id'] !== undefined) event['event_id'] = draft['event_id']
  if (draft['occurred_at'] !== undefined) event['occurred_at'] = draft['occurred_at']
  if (draft['timestamp_source'] !== undefined) event['timestamp_source'] = draft['timestamp_source']
  if (draft['source_format'] !== undefined) event['source_format'] = draft['source_format']
  if (draft['user.id'] !== undefined) event['user.id'] = draft['user.id']
  if (draft['user.email'] !== undefined) event['user.email'] = draft['user.email']
  if (draft['gen_ai.agent.id'] !== undefined) event['gen_ai.agent.id'] = draft['gen_ai.agent.id']
  if (draft['gen_ai.agent.name'] !== undefined) event['gen_ai.agent.name'] = draft['gen_ai.agent.name']
  if (draft['gen_ai.agent.version'] !== undefined)
    event['gen_ai.agent.version'] = draft['gen_ai.agent.version']
  if (draft['mcp.client.name'] !== undefined) event['mcp.client.name'] = draft['mcp.client.name']
  if (draft['mcp.client.version'] !== undefined) event['mcp.client.version'] = draft['mcp.client.version']
  if (draft['credential.id'] !== undefined) event['credential.id'] = draft['credential.id']
  if (draft['client.address'] !== undefined) event['client.address'] = draft['client.address']
  if (draft['gateway.id'] !== undefined) event['gateway.id'] = draft['gateway.id']
  if (draft['mcp.server.name'] !== undefined) event['mcp.server.name'] = draft['mcp.server.name']
  if (draft['server.address'] !== undefined) event['server.address'] = draft['server.address']
  if (draft['network.transport'] !== undefined) event['network.transport'] = draft['network.transport']
  if (draft['mcp.method.name'] !== undefined) event['mcp.method.name'] = draft['mcp.method.name']
  if (draft['gen_ai.tool.name'] !== undefined) event['gen_ai.tool.name'] = draft['gen_ai.tool.name']
  if (draft['tool.name.raw'] !== undefined) event['tool.name.raw'] = draft['tool.name.raw']
  if (draft['mcp.resource.uri'] !== undefined) event['mcp.resource.uri'] = draft['mcp.resource.uri']
  if (draft['gen_ai.prompt.name'] !== undefined) event['gen_ai.prompt.name'] = draft['gen_ai.prompt.name']
  if (draft['gen_ai.tool.call.arguments'] !== undefined)
    event['gen_ai.tool.call.arguments'] = draft['gen_ai.tool.call.arguments']
  if (draft['argument_keys'] !== undefined) event['argument_keys'] = draft['argument_keys']
  if (draft['tool.definition.hash'] !== undefined)
    event['tool.definition.hash'] = draft['tool.definition.hash']
  if (draft['outcome'] !== undefined) event['outcome'] = draft['outcome']
  if (draft['error.type'] !== undefined) event['error.type'] = draft['error.type']
  if (draft['error.message'] !== undefined) event['error.message'] = draft['error.message']
  if (draft['duration_ms'] !== undefined) event['duration_ms'] = draft['duration_ms']
  if (draft['request_bytes'] !== undefined) event['request_bytes'] = draft['request_bytes']
  if (draft['response_bytes'] !== undefined) event['response_bytes'] = draft['response_bytes']
  if (draft['gen_ai.usage.input_tokens'] !== undefined)
    event['gen_ai.usage.input_tokens'] = draft['gen_ai.usage.input_tokens']
  if (draft['gen_ai.usage.output_tokens'] !== undefined)
    event['gen_ai.usage.output_tokens'] = draft['gen_ai.usage.output_tokens']
  if (draft['mcp.session.id'] !== undefined) event['mcp.session.id'] = draft['mcp.session.id']
  if (draft['gen_ai.conversation.id'] !== undefined)
    event['gen_ai.conversation.id'] = draft['gen_ai.conversation.id']
  if (draft['jsonrpc.request.id'] !== undefined) event['jsonrpc.request.id'] = draft['jsonrpc.request.id']
  if (draft['gen_ai.tool.call.id'] !== undefined) event['gen_ai.tool.call.id'] = draft['gen_ai.tool.call.id']
  if (draft['trace_id'] !== undefined) event['trace_id'] = draft['trace_id']
  if (draft['span_id'] !== undefined) event['span_id'] = draft['span_id']
  if (draft['parent_span_id'] !== undefined) event['parent_span_id'] = draft['parent_span_id']
  if (draft['capability'] !== undefined) event['capability'] = draft['capability']
  if (draft['sensitivity'] !== undefined) event['sensitivity'] = draft['sensitivity']
  if (draft['destination'] !== undefined) event['destination'] = draft['destination']
}

/** The JSON-RPC method that a draft without one implies; `undefined` when it names nothing that was called. */
export function methodOf(draft: EventDraft): string | undefined {
  if (draft['gen_ai.tool.name'] !== undefined) return 'tools/call'
  if (draft['mcp.resource.uri'] !== undefined) return 'resources/read'
  return draft['gen_ai.prompt.name'] === undefined ? undefined : 'prompts/get'
}
