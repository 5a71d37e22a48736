import type { EventDraft } from '../../core/audit-event.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { definitionsOf } from './definitions.ts'
import {
  fault,
  isObject,
  type JsonObject,
  jsonTextOf,
  kindOf,
  listOf,
  millisBetween,
  notATime,
  objectOf,
  set,
  textOf,
  traceableId,
} from './field-values.ts'
import { outcomeOfErrorMessage } from './json-rpc.ts'
import { readTime } from './read-time.ts'

/**
 * Traces of the OpenAI Agents SDK as its processors export them: single spans and traces, arrays, and the body
 * `{"data": […]}` of its exporter. A `function` span is a call, `mcp_tools` a list of a server’s tools (names only);
 * agents, traces and what else is around lend the agent and the conversation. All of a trace is put together, as in OTLP.
 */
export const openaiAgents: Format = {
  name: 'openai-agents',
  marks: {
    needs: ['object=trace.span'],
    usual: ['span_data', 'trace_id', 'parent_id', 'started_at', 'ended_at'],
  },
  recognises: ({ json }) =>
    isObject(json) &&
    (isItem(json) || (Array.isArray(json['data']) && json['data'].length > 0 && json['data'].every(isItem))),
  decode,
}

const isItem = (value: unknown): boolean =>
  isObject(value) &&
  (value['object'] === 'trace.span' ||
    (value['object'] === 'trace' && ('workflow_name' in value || 'group_id' in value)))

function decode({ json }: ParsedRecord): readonly Decoded[] {
  const given = objectOf(json)
  if (isItem(given)) return decodeItem(given)
  return listOf(given['data']).flatMap((item) =>
    isObject(item)
      ? decodeItem(item)
      : [
          {
            ...fault('field_type', 'data', `A span must be an object, but is ${kindOf(item)}.`),
            source: item,
          },
        ],
  )
}

// "trace_4bf9…" is a W3C id with a word before it: without it, records of the same trace from a gateway join.
const traceIdOf = (id: unknown): string | undefined => traceableId(textOf(id)?.replace(/^trace_/, ''))

function decodeItem(item: JsonObject): readonly Decoded[] {
  const isTrace = item['object'] === 'trace'
  const trace = traceIdOf(isTrace ? item['id'] : item['trace_id'])
  if (trace === undefined)
    return [{ ...fault('field_missing', 'trace_id', 'trace_id is missing.'), source: item }]
  const joinKey = `trace:${trace.toLowerCase()}`
  const draft: EventDraft = { trace_id: trace }
  if (isTrace) {
    set(draft, 'gen_ai.conversation.id', textOf(item['group_id']))
    return [{ kind: 'part', joinKey, callKey: '', draft, source: item }]
  }
  if (item['started_at'] !== undefined && item['started_at'] !== null) {
    const startedAt = readTime(item['started_at'])
    if (startedAt === undefined) return [{ ...notATime('started_at', item['started_at']), source: item }]
    draft.occurred_at = startedAt
    draft.timestamp_source = 'event'
    set(draft, 'duration_ms', millisBetween(startedAt, readTime(item['ended_at'])))
  }
  const span = textOf(item['id'])
  set(draft, 'span_id', span)
  set(draft, 'parent_span_id', textOf(item['parent_id']))
  const data = objectOf(item['span_data'])
  const isCall = readData(data, draft)
  if (isCall) readResult(item, draft)
  const tools =
    data['type'] === 'mcp_tools'
      ? definitionsOf(listOf(data['result']), textOf(data['server']), draft.occurred_at)
      : []
  const callKey = isCall && span !== undefined ? `span:${span}` : ''
  return [{ kind: 'part', joinKey, callKey, draft, source: item }, ...tools]
}

function readData(data: JsonObject, draft: EventDraft): boolean {
  switch (data['type']) {
    case 'function':
      draft['mcp.method.name'] = 'tools/call'
      set(draft, 'gen_ai.tool.name', textOf(data['name']))
      set(draft, 'mcp.server.name', textOf(objectOf(data['mcp_data'])['server']))
      set(draft, 'gen_ai.tool.call.arguments', textOf(data['input']))
      set(draft, 'gen_ai.tool.call.result', jsonTextOf(data['output']))
      return draft['gen_ai.tool.name'] !== undefined
    case 'mcp_tools':
      draft['mcp.method.name'] = 'tools/list'
      set(draft, 'mcp.server.name', textOf(data['server']))
      return true
    case 'agent':
      set(draft, 'gen_ai.agent.name', textOf(data['name']))
      return false
    default:
      return false
  }
}

function readResult(item: JsonObject, draft: EventDraft): void {
  const error = objectOf(item['error'])
  const message = textOf(error['message']) ?? textOf(item['error'])
  if (message === undefined) {
    draft.outcome = 'success'
    return
  }
  const detail = textOf(objectOf(error['data'])['error'])
  draft.outcome = outcomeOfErrorMessage(detail) ?? outcomeOfErrorMessage(message) ?? 'failure'
  draft['error.type'] = 'tool_error'
  draft['error.message'] = detail === undefined ? message : `${message}: ${detail}`
}
