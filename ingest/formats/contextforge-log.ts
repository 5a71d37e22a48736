import type { EventDraft } from '../../core/audit-event.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { durationOf, isObject, notATime, objectOf, set, textOf } from './field-values.ts'
import { readTime } from './read-time.ts'

/** ContextForge’s structured log: one line for each tool invocation (`component=tool_service`, `resource_action=invoke`). */
export const contextforgeLog: Format = {
  name: 'contextforge-log',
  recognises: ({ json }) =>
    isObject(json) && json['component'] === 'tool_service' && json['resource_action'] === 'invoke',
  decode,
}

function decode({ json }: ParsedRecord): readonly Decoded[] {
  const line = objectOf(json)
  const draft: EventDraft = { 'mcp.method.name': 'tools/call' }
  const time = line['timestamp'] ?? line['@timestamp']
  if (time !== undefined) {
    const occurredAt = readTime(time)
    if (occurredAt === undefined) return [notATime('timestamp', time)]
    draft.occurred_at = occurredAt
  }
  const user = textOf(line['user_email']) ?? textOf(line['user_id'])
  set(draft, user?.includes('@') ? 'user.email' : 'user.id', user)
  set(draft, 'gateway.id', textOf(line['hostname']))
  set(draft, 'gen_ai.tool.name', textOf(objectOf(line['custom_fields'])['tool_name']))
  set(draft, 'duration_ms', durationOf(line['duration_ms']))
  set(draft, 'trace_id', textOf(line['trace_id']))
  set(draft, 'span_id', textOf(line['span_id']))
  const errorType = textOf(line['error_type'])
  set(draft, 'error.type', errorType)
  set(draft, 'error.message', textOf(line['error_message']))
  const level = textOf(line['levelname']) ?? textOf(line['level'])
  draft.outcome = errorType !== undefined || level === 'ERROR' ? 'failure' : 'success'
  return [{ kind: 'event', draft }]
}
