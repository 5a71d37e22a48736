import type { EventDraft } from '../../core/audit-event.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { isObject, jsonTextOf, notACall, objectOf, set, textOf } from './field-values.ts'

/**
 * Session events of Microsoft’s MCP gateway, as its hosted agents stream them. A tool call has a beginning and an end, joined
 * by session and call; neither has a time or a person.
 */
export const microsoftSession: Format = {
  name: 'microsoft-session',
  recognises: ({ json }) =>
    isObject(json) && 'type' in json && 'sessionId' in json && 'iteration' in json && 'toolCallId' in json,
  decode,
}

function decode({ json }: ParsedRecord): readonly Decoded[] {
  const event = objectOf(json)
  const call = textOf(event['toolCallId'])
  const tool = textOf(event['toolName'])
  const session = textOf(event['sessionId']) ?? ''
  if (call === undefined || tool === undefined)
    return [notACall(`A session’s event ${textOf(event['type']) ?? ''}, which is about no tool.`)]
  const draft: EventDraft = { 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': tool }
  draft['gen_ai.tool.call.id'] = call
  set(draft, 'gen_ai.conversation.id', session === '' ? undefined : session)
  set(draft, 'gen_ai.tool.call.arguments', jsonTextOf(event['arguments']))
  set(draft, 'gen_ai.tool.call.result', jsonTextOf(event['result']))
  const error = textOf(event['error']) ?? textOf(objectOf(event['error'])['message'])
  draft.outcome =
    error !== undefined ? 'failure' : jsonTextOf(event['result']) !== undefined ? 'success' : 'unknown'
  if (error !== undefined) {
    draft['error.type'] = 'tool_error'
    draft['error.message'] = error
  }
  return [{ kind: 'part', joinKey: `call:${session}:${call}`, callKey: `call:${call}`, draft }]
}
