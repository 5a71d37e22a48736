import { AuditEventSchema, columnOf, type EventField, eventFields } from '../audit-event.ts'
import { nearestName } from '../nearest-name.ts'

/** What a name on the left of the colon stands for: the fields asked, and how a value is compared with them. */
export type Target =
  /** The whole value, with case; a pattern where it has stars. Any of the fields may match. */
  | { readonly kind: 'exact'; readonly fields: readonly EventField[] }
  /** A part of the text, without case. */
  | { readonly kind: 'contains'; readonly fields: readonly EventField[] }
  /** `exact` over the first list, or `contains` over the second. */
  | { readonly kind: 'error' }
  /** The tool's plain or raw name; with a slash also `server/tool`. */
  | { readonly kind: 'tool' }
  /** One of a closed list, without case. */
  | { readonly kind: 'choice'; readonly field: EventField; readonly values: readonly string[] }
  | { readonly kind: 'address'; readonly field: EventField }
  | { readonly kind: 'list'; readonly field: EventField }
  | { readonly kind: 'number'; readonly field: EventField }
  | { readonly kind: 'flag'; readonly field: EventField }
  | { readonly kind: 'time'; readonly field: EventField }

/** Where words without a field are looked for. */
export const TEXT_SEARCH_FIELDS = [
  'gen_ai.tool.name',
  'tool.name.raw',
  'mcp.server.name',
  'actor',
  'gen_ai.tool.call.arguments',
  'error.message',
] as const satisfies readonly EventField[]

const CONTAINS: ReadonlySet<EventField> = new Set(['gen_ai.tool.call.arguments', 'error.message'])
const ADDRESSES: ReadonlySet<EventField> = new Set(['client.address', 'server.address'])

const exact = (...fields: EventField[]): Target => ({ kind: 'exact', fields })
const contains = (...fields: EventField[]): Target => ({ kind: 'contains', fields })

function targetOf(field: EventField): Target {
  const schema: { type?: string; enum?: readonly string[]; pattern?: string } =
    AuditEventSchema.properties[field]
  if (schema.enum) return { kind: 'choice', field, values: schema.enum }
  if (schema.pattern) return { kind: 'time', field }
  if (schema.type === 'array') return { kind: 'list', field }
  if (schema.type === 'integer' || schema.type === 'number') return { kind: 'number', field }
  if (schema.type === 'boolean') return { kind: 'flag', field }
  if (ADDRESSES.has(field)) return { kind: 'address', field }
  return CONTAINS.has(field) ? contains(field) : exact(field)
}

const byField = Object.fromEntries(eventFields.map((field) => [field, targetOf(field)])) as Record<
  EventField,
  Target
>

/** Short names, for people. Every dotted field name and its column name are names as well. */
export const ALIASES: Readonly<Record<string, Target>> = {
  user: exact('user.email', 'user.id'),
  agent: exact('gen_ai.agent.id', 'gen_ai.agent.name'),
  instance: exact('ai_agent.instance_uid'),
  delegate: byField['delegation.chain'],
  client: exact('mcp.client.name'),
  credential: exact('credential.id'),
  ip: byField['client.address'],
  gateway: exact('gateway.id'),
  server: exact('mcp.server.name'),
  tool: { kind: 'tool' },
  method: exact('mcp.method.name'),
  mcp: exact('mcp.method.name', 'mcp.server.name'),
  prompt: exact('gen_ai.prompt.name'),
  resource: contains('mcp.resource.uri', 'gen_ai.tool.call.arguments'),
  path: contains('mcp.resource.uri', 'gen_ai.tool.call.arguments'),
  url: contains('mcp.resource.uri', 'gen_ai.tool.call.arguments'),
  arguments: contains('gen_ai.tool.call.arguments'),
  argument: byField.argument_keys,
  flag: byField.argument_flags,
  record: byField.record_flags,
  status: byField.outcome,
  error: { kind: 'error' },
  http: byField['http.response.status_code'],
  rpc: exact('rpc.response.status_code'),
  tool_error: byField['mcp.tool.is_error'],
  decision: byField['gen_ai.security.decision.type'],
  policy: exact('gen_ai.security.policy.id'),
  approval: byField['approval.answer'],
  approver: exact('approval.by'),
  mode: exact('approval.mode'),
  model: exact('gen_ai.request.model', 'gen_ai.response.model'),
  provider: exact('gen_ai.provider.name'),
  cost: byField['gen_ai.usage.cost'],
  duration: byField.duration_ms,
  session: exact('mcp.session.id'),
  conversation: exact('gen_ai.conversation.id'),
  trace: exact('trace_id'),
  transport: exact('network.transport'),
  format: exact('source_format'),
  id: exact('event_id'),
  time: byField.occurred_at,
}

// The tenant's keyed hashes: a pattern over them would tell them to who asks, a character at a time.
const NEVER_ASKED: ReadonlySet<EventField> = new Set(['argument_fingerprints', 'result_fingerprints'])
const askedFields = eventFields.filter((field) => !NEVER_ASKED.has(field))

const targets: ReadonlyMap<string, Target> = new Map([
  ...askedFields.map((field): [string, Target] => [columnOf(field), byField[field]]),
  ...askedFields.map((field): [string, Target] => [field, byField[field]]),
  ...Object.entries(ALIASES),
])

/** The meaning of a field's name (without case), or `undefined` when there is no such field. */
export const resolveField = (name: string): Target | undefined => targets.get(name.toLowerCase())

/** All names that `resolveField` knows and a person would write, for help and completion. */
export const filterFieldNames: readonly string[] = [...Object.keys(ALIASES), ...askedFields].sort()

/** The known name nearest to a mistyped one, or `undefined` when none is near. */
export const nearestField = (name: string): string | undefined => nearestName(name, filterFieldNames)
