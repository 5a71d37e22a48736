import type { EventDraft } from '../../core/audit-event.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { fault, flagOf, isObject, objectOf, set, textOf } from './field-values.ts'
import { readTime } from './read-time.ts'

/**
 * The tracing plugin of Lasso’s MCP gateway (xetrack): one row for each block of a call’s result, with the arguments as
 * fields beside its own. Rows of one `call_id` are one call. An argument with the name of one of its own fields hides
 * that field; nothing can be done about it here.
 */
export const lasso: Format = {
  name: 'lasso-xetrack',
  marks: {
    needs: ['capability_name', 'capability_type', 'server_name'],
    usual: ['response_type', 'isError', 'call_id', 'content_type'],
  },
  recognises: ({ json }) =>
    isObject(json) && 'capability_name' in json && 'capability_type' in json && 'server_name' in json,
  decode,
}

const OWN = new Set(
  'server_name capability_type capability_name response_type meta isError call_id timestamp track_id _id'.split(
    ' ',
  ),
)

function decode({ json }: ParsedRecord): readonly Decoded[] {
  const row = objectOf(json)
  const name = textOf(row['capability_name'])
  if (name === undefined) return [fault('field_missing', 'capability_name', 'capability_name is missing.')]
  const draft: EventDraft = { 'mcp.method.name': 'tools/call' }
  const type = textOf(row['capability_type'])
  if (type === 'resource') {
    draft['mcp.method.name'] = 'resources/read'
    draft['mcp.resource.uri'] = name
  } else if (type === 'prompt') {
    draft['mcp.method.name'] = 'prompts/get'
    draft['gen_ai.prompt.name'] = name
  } else draft['gen_ai.tool.name'] = name
  set(draft, 'mcp.server.name', textOf(row['server_name']))
  const time = readTime(row['timestamp'])
  if (time !== undefined) {
    draft.occurred_at = time
    draft.timestamp_source = 'event'
  }
  const given = Object.entries(row).filter(([key]) => !OWN.has(key) && !key.startsWith('content_'))
  draft['gen_ai.tool.call.arguments'] = JSON.stringify(Object.fromEntries(given))
  const isError = flagOf(row['isError'])
  set(draft, 'mcp.tool.is_error', isError)
  draft.outcome = isError === undefined ? 'unknown' : isError ? 'failure' : 'success'
  if (draft.outcome === 'failure') draft['error.type'] = 'tool_error'
  const call = textOf(row['call_id'])
  if (call === undefined) return [{ kind: 'event', draft }]
  draft['gen_ai.tool.call.id'] = call
  return [{ kind: 'part', joinKey: `call::${call}`, callKey: `call:${call}`, draft }]
}
