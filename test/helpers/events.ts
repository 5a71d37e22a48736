import { type AuditEvent, eventFields } from '../../core/audit-event.ts'
import { deriveChain } from '../../core/chain.ts'
import { stableId } from '../../core/hash.ts'

/** An event with the fields that every event has. `event_id` follows from tenant and offset, the chain from the rest. */
export function smallEvent(fields: Partial<AuditEvent> = {}): AuditEvent {
  const offset = fields.offset ?? 0
  const event = {
    event_id: stableId(fields.tenant ?? 'default', offset),
    occurred_at: '2026-08-21T14:03:11.482915Z',
    timestamp_source: 'event',
    source_format: 'native',
    tenant: 'default',
    topic: 'test',
    partition: 0,
    offset,
    record_index: 0,
    actor: 'alice@example.com',
    'mcp.server.name': 'github',
    'gen_ai.tool.name': 'search_issues',
    outcome: 'success',
    'mcp.session.id': 's1',
    capability: 'read',
    sensitivity: 'internal',
    ...fields,
  } as const
  return { ...event, chain: deriveChain(event, event.actor) }
}

/** An event that has every field a writer sends, each with a value of its own and text that needs care. */
export function fullEvent(fields: Partial<AuditEvent> = {}): AuditEvent {
  const typed: Partial<AuditEvent> = {
    imported: true,
    'event.sequence': 41,
    'producer.sequence': 0,
    'delegation.type': 'on-behalf-of',
    'delegation.chain': ['arn:aws:iam::1:role/app', 'ключ'],
    'http.response.status_code': 502,
    'mcp.tool.is_error': false,
    'gen_ai.security.decision.type': 'warn',
    'approval.asked': true,
    'approval.answer': 'approved-for-session',
    'approval.wait_ms': 4210.5,
    'gen_ai.usage.cost': 0.00125,
    duration_ms: 12.625,
    request_bytes: 0,
    response_bytes: Number.MAX_SAFE_INTEGER,
    'gen_ai.usage.input_tokens': 1,
    'gen_ai.usage.output_tokens': 2,
    partition: 4_294_967_295,
    offset: Number.MAX_SAFE_INTEGER,
    record_index: 7,
    argument_keys: ['path', "it's", 'ключ', ''],
    argument_fingerprints: ['to:AAAAAAAA', 'ключ:BBBB_-cc'],
    result_fingerprints: ['DDDDDDDD'],
    argument_flags: ['path-traversal', 'sensitive-path'],
    record_flags: ['shortened', 'late'],
  }
  const texts = Object.fromEntries(
    eventFields
      .filter((field) => field !== 'recorded_at')
      .map((field) => [field, `${field} 'quoted' "double" \\ back\ttab\nline 😀 \u0000 end`]),
  )
  const { event_id, occurred_at, timestamp_source, outcome, capability, sensitivity } = smallEvent()
  return smallEvent({
    ...(texts as Partial<AuditEvent>),
    ...typed,
    ...{ event_id, occurred_at, timestamp_source, outcome, capability, sensitivity },
    ...fields,
  })
}
