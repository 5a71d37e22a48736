import type { EventDraft } from '../../core/audit-event.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { definitionsOf } from './definitions.ts'
import {
  isObject,
  type JsonObject,
  jsonTextOf,
  listOf,
  objectOf,
  parsedObjectOf,
  set,
  textOf,
} from './field-values.ts'
import { isErrorResult, toolErrorOf } from './json-rpc.ts'

/**
 * Traces of Invariant’s gateway: one MCP session as a conversation, sent again with every call that is added. Each
 * `tool_calls` entry is a call, joined by session and call id, so that what was sent before counts once. No times.
 */
export const invariant: Format = {
  name: 'invariant',
  marks: { needs: ['messages', ['extra_metadata', 'metadata']] },
  recognises: ({ json }) =>
    isObject(json) && Array.isArray(json['messages']) && objectOf(metadataOf(json))['source'] === 'mcp',
  decode,
}

const metadataOf = (trace: JsonObject): unknown => trace['extra_metadata'] ?? trace['metadata']

function decode({ json }: ParsedRecord): readonly Decoded[] {
  const trace = objectOf(json)
  const metadata = objectOf(metadataOf(trace))
  const session = textOf(metadata['session_id']) ?? ''
  const shared: EventDraft = {}
  set(shared, 'user.id', textOf(metadata['system_user']))
  set(shared, 'mcp.client.name', textOf(metadata['mcp_client']))
  const server = textOf(metadata['mcp_server'])
  set(shared, 'mcp.server.name', server)
  set(shared, 'mcp.session.id', session === '' ? undefined : session)

  const messages = listOf(trace['messages']).map(objectOf)
  const results = new Map(
    messages.flatMap((message) =>
      message['role'] === 'tool' ? [[textOf(message['tool_call_id']) ?? '', message] as const] : [],
    ),
  )
  const blocked = blockedMessages(trace)
  const calls = messages.flatMap((message, index) =>
    listOf(message['tool_calls']).map((call): Decoded => {
      const id = textOf(objectOf(call)['id']) ?? `${index}`
      const draft = { ...shared, ...callDraft(objectOf(objectOf(call)['function'])) }
      draft['gen_ai.tool.call.id'] = id
      const result = results.get(id)
      set(draft, 'gen_ai.tool.call.result', jsonTextOf(result?.['content']))
      setOutcome(draft, result, blocked.has(index))
      return { kind: 'part', joinKey: `call:${session}:${id}`, callKey: `call:${id}`, draft, source: call }
    }),
  )
  return [...calls, ...definitionsOf(listOf(metadata['tools']), server, undefined)]
}

// The gateway writes lists as calls of a tool with the method's name.
function callDraft(called: JsonObject): EventDraft {
  const name = textOf(called['name'])
  if (name === 'tools/list') return { 'mcp.method.name': name }
  const draft: EventDraft = { 'mcp.method.name': 'tools/call' }
  set(draft, 'gen_ai.tool.name', name)
  set(draft, 'gen_ai.tool.call.arguments', jsonTextOf(called['arguments']))
  return draft
}

function setOutcome(draft: EventDraft, result: JsonObject | undefined, isBlocked: boolean): void {
  if (result !== undefined) set(draft, 'mcp.tool.is_error', toolErrorOf(result))
  if (isBlocked) {
    draft.outcome = 'denied'
    draft['gen_ai.security.decision.type'] = 'deny'
    draft['error.type'] = 'guardrail'
  } else if (result === undefined) draft.outcome = 'unknown'
  else if (isErrorResult(result) || textOf(result['error']) !== undefined) {
    draft.outcome = 'failure'
    draft['error.type'] = 'tool_error'
  } else draft.outcome = 'success'
}

/** Indexes of the messages that a guardrail blocked, from annotations at addresses like `messages.2.tool_calls.0`. */
function blockedMessages(trace: JsonObject): ReadonlySet<number> {
  return new Set(
    listOf(trace['annotations']).flatMap((annotation) => {
      const { address, extra_metadata: extra } = objectOf(annotation)
      const details = parsedObjectOf(extra)
      const action = details['guardrail.action'] ?? details['guardrail-action']
      const index = /^messages?[.[](\d{1,6})/.exec(textOf(address) ?? '')?.[1]
      return action === 'block' && index !== undefined ? [Number(index)] : []
    }),
  )
}
