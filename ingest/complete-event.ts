import { DEFAULT_ACTOR_PRECEDENCE, deriveActor } from '../core/actor.ts'
import { type AuditEvent, type EventDraft, type EventField, eventFields } from '../core/audit-event.ts'
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

const OURS: ReadonlySet<EventField> = new Set<EventField>([
  'recorded_at',
  'tenant',
  'topic',
  'partition',
  'offset',
  'record_index',
  'actor',
  'chain',
])

// In the order of the schema, the same in every event.
const DRAFT_FIELDS = eventFields.filter((field) => !OURS.has(field)) as readonly (EventField &
  keyof EventDraft)[]

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
    for (const field of DRAFT_FIELDS) {
      const value = draft[field]
      if (value !== undefined) event[field] = value
    }
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

/** The JSON-RPC method that a draft without one implies; `undefined` when it names nothing that was called. */
export function methodOf(draft: EventDraft): string | undefined {
  if (draft['gen_ai.tool.name'] !== undefined) return 'tools/call'
  if (draft['mcp.resource.uri'] !== undefined) return 'resources/read'
  return draft['gen_ai.prompt.name'] === undefined ? undefined : 'prompts/get'
}
