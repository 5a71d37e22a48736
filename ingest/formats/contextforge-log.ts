import type { EventDraft } from '../../core/audit-event.ts'
import { outcomeOfErrorType } from '../../core/outcome.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import {
  durationOf,
  isObject,
  type JsonObject,
  notACall,
  notATime,
  objectOf,
  parsedObjectOf,
  set,
  textOf,
  traceableId,
} from './field-values.ts'
import { readTime } from './read-time.ts'

/**
 * ContextForge’s structured log: one line for each tool invocation (`component=tool_service`, `resource_action=invoke`). Its
 * other lines — the same call as its layers see it, and everything else that it does — are no calls of their own. A line in a
 * trace is a part, so that it and the spans of the same call are one event.
 */
export const contextforgeLog: Format = {
  name: 'contextforge-log',
  marks: {
    needs: ['component', 'correlation_id', 'process_id'],
    usual: ['levelname', 'user_email', 'resource_action', 'custom_fields', 'hostname', 'category'],
  },
  recognises: ({ json }) =>
    isObject(json) &&
    'component' in json &&
    'correlation_id' in json &&
    ('process_id' in json || isInvocation(json)),
  decode,
}

const isInvocation = (line: JsonObject): boolean =>
  line['component'] === 'tool_service' && line['resource_action'] === 'invoke'

function decode({ json }: ParsedRecord): readonly Decoded[] {
  // Rows of `structured_log_entries` have the rest as JSON text.
  const line = { ...parsedObjectOf(objectOf(json)['context']), ...objectOf(json) }
  if (!isInvocation(line))
    return [notACall('A line of ContextForge’s log that is not about the invocation of a tool.')]
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
  set(draft, 'trace_id', traceableId(line['trace_id']))
  set(draft, 'span_id', traceableId(line['span_id']))
  const errorType = textOf(line['error_type'])
  set(draft, 'error.type', errorType)
  set(draft, 'error.message', textOf(line['error_message']))
  const level = textOf(line['levelname']) ?? textOf(line['level'])
  const failed = errorType !== undefined || level === 'ERROR' || level === 'CRITICAL'
  draft.outcome = failed ? (outcomeOfErrorType(errorType) ?? 'failure') : 'success'
  const { trace_id: trace, span_id: span } = draft
  if (trace === undefined || span === undefined) return [{ kind: 'event', draft }]
  if (draft.occurred_at !== undefined) draft.timestamp_source = 'event'
  return [{ kind: 'part', joinKey: `trace:${trace.toLowerCase()}`, callKey: `span:${span}`, draft }]
}
