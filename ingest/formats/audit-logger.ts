import type { EventDraft } from '../../core/audit-event.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { countOf, fault, isObject, kindOf, notATime, objectOf, set, textOf } from './field-values.ts'
import { outcomeOfFlag, outcomeOfWord } from './outcome.ts'
import { readTime } from './read-time.ts'

/** The dict of a minimal audit logger: `{timestamp, tool, caller, param_keys, result_length, success}`. */
export const auditLogger: Format = {
  name: 'audit-logger',
  marks: { needs: ['tool', 'caller', ['timestamp', 'param_keys']], usual: ['result_length', 'success'] },
  recognises: ({ json }) =>
    isObject(json) && 'tool' in json && 'caller' in json && ('timestamp' in json || 'param_keys' in json),
  decode,
}

function decode({ json }: ParsedRecord): readonly Decoded[] {
  if (!isObject(json))
    return [fault('field_type', '', `An audit-logger record must be an object, but is ${kindOf(json)}.`)]
  const draft: EventDraft = { 'mcp.method.name': 'tools/call' }
  const tool = textOf(json['tool'])
  if (tool === undefined) return [fault('field_missing', 'tool', 'tool is missing.')]
  draft['gen_ai.tool.name'] = tool
  if (json['timestamp'] !== undefined && json['timestamp'] !== null) {
    const occurredAt = readTime(json['timestamp'])
    if (occurredAt === undefined) return [notATime('timestamp', json['timestamp'])]
    draft.occurred_at = occurredAt
  }
  set(draft, 'user.id', textOf(json['caller']) ?? textOf(objectOf(json['caller'])['id']))
  const keys = json['param_keys']
  if (Array.isArray(keys)) draft.argument_keys = keys.filter((key) => typeof key === 'string')
  set(draft, 'response_bytes', countOf(json['result_length']))
  set(draft, 'duration_ms', countOf(json['duration_ms']))
  set(draft, 'outcome', outcomeOfFlag(json['success']) ?? outcomeOfWord(json['status'] ?? json['outcome']))
  set(draft, 'error.message', textOf(json['error']))
  return [{ kind: 'event', draft }]
}
