import type { EventDraft } from '../../core/audit-event.ts'
import { outcomeOfStatus } from '../../core/outcome.ts'
import { emptyDraft } from '../empty-draft.ts'
import { exactJsonText } from '../exact-json.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { policyDecisionOf } from './decisions.ts'
import { definitionsOf } from './definitions.ts'
import {
  addressOf,
  countOf,
  durationOf,
  isObject,
  type JsonObject,
  jsonTextOf,
  listOf,
  notATime,
  numberOf,
  objectOf,
  parsedObjectOf,
  set,
  statusOf,
  textOf,
} from './field-values.ts'
import { listedTools, outcomeOfErrorMessage, readAnswer, toolErrorOf } from './json-rpc.ts'
import { readTime } from './read-time.ts'

/**
 * Kong’s log with the entries of its AI MCP plugins. One HTTP request holds any number of calls (`ai.mcp.rpc`) and of
 * access decisions (`ai.mcp.audit`): each call becomes an event, joined to the decision about the same primitive; a
 * refusal without a call is an event of its own.
 */
export const kong: Format = {
  name: 'kong',
  marks: {
    needs: ['ai.mcp'],
    usual: [
      'request',
      'response',
      'latencies',
      'service',
      'route',
      'client_ip',
      'started_at',
      'upstream_uri',
    ],
  },
  recognises: ({ json }) => isObject(json) && isObject(json['ai']) && isObject(json['ai']['mcp']),
  decode,
}

const METHODS: ReadonlyMap<string, string> = new Map([
  ['tool', 'tools/call'],
  ['prompt', 'prompts/get'],
  ['resource', 'resources/read'],
])

function decode({ json }: ParsedRecord): readonly Decoded[] {
  const log = objectOf(json)
  const mcp = objectOf(objectOf(log['ai'])['mcp'])
  const shared = sharedFields(log, mcp)
  if ('kind' in shared) return [shared]
  const status = numberOf(objectOf(log['response'])['status'])
  const calls = listOf(mcp['rpc']).filter(isObject)
  const undecided = listOf(mcp['audit']).filter(isObject)

  const decoded: Decoded[] = calls.map((call) => {
    const name = nameOf(call)
    const at = undecided.findIndex((decision) => name !== undefined && decision['primitive_name'] === name)
    const decision = at === -1 ? undefined : undecided.splice(at, 1)[0]
    return { kind: 'event', draft: callDraft(shared, call, decision, status), source: call }
  })
  for (const decision of undecided) {
    // What was allowed and not called is the list of tools that somebody may see.
    if (decision['action'] !== 'deny' && calls.length > 0) continue
    decoded.push({ kind: 'event', draft: callDraft(shared, {}, decision, status), source: decision })
  }
  for (const call of calls) {
    if (call['method'] !== 'tools/list') continue
    const answer = parsedObjectOf(objectOf(call['payload'])['response'])
    decoded.push(...definitionsOf(listedTools(answer), shared['mcp.server.name'], shared.occurred_at))
  }
  return decoded
}

function sharedFields(log: JsonObject, mcp: JsonObject): EventDraft | (Decoded & { kind: 'fault' }) {
  const draft = emptyDraft()
  if (log['started_at'] !== undefined) {
    const occurredAt = readTime(log['started_at'])
    if (occurredAt === undefined)
      return notATime('started_at', log['started_at']) as Decoded & { kind: 'fault' }
    draft.occurred_at = occurredAt
  }
  const consumer = objectOf(log['consumer'])
  const headers = objectOf(objectOf(log['request'])['headers'])
  set(
    draft,
    'user.id',
    textOf(consumer['username']) ?? textOf(consumer['custom_id']) ?? textOf(consumer['id']),
  )
  set(draft, 'credential.id', textOf(objectOf(log['authenticated_entity'])['id']))
  set(draft, 'client.address', addressOf(log['client_ip']))
  set(draft, 'gateway.id', textOf(objectOf(log['route'])['name']))
  set(draft, 'mcp.client.name', textOf(headers['user-agent'])?.split(/[\s/]/, 1)[0])
  set(draft, 'mcp.server.name', textOf(objectOf(log['service'])['name']))
  set(draft, 'server.address', textOf(objectOf(log['service'])['host']))
  set(draft, 'network.transport', 'tcp')
  set(draft, 'mcp.session.id', textOf(mcp['mcp_session_id']))
  return draft
}

function callDraft(
  shared: EventDraft,
  call: JsonObject,
  decision: JsonObject | undefined,
  status: number | undefined,
): EventDraft {
  const draft: EventDraft = { ...shared }
  const primitive = textOf(decision?.['primitive']) ?? 'tool'
  const method = textOf(call['method']) ?? METHODS.get(primitive)
  set(draft, 'mcp.method.name', method)
  const name = nameOf(call) ?? textOf(decision?.['primitive_name'])
  if (method === 'prompts/get') set(draft, 'gen_ai.prompt.name', name)
  else if (method === 'resources/read') set(draft, 'mcp.resource.uri', name)
  else set(draft, 'gen_ai.tool.name', name)
  set(draft, 'jsonrpc.request.id', textOf(call['id']))
  const request = parsedObjectOf(objectOf(call['payload'])['request'])
  const callArguments = objectOf(request['params'])['arguments']
  if (isObject(callArguments)) draft['gen_ai.tool.call.arguments'] = exactJsonText(callArguments)
  const answered = parsedObjectOf(objectOf(call['payload'])['response'])
  if (method !== 'tools/list') set(draft, 'gen_ai.tool.call.result', jsonTextOf(answered['result']))
  set(draft, 'duration_ms', durationOf(call['latency']))
  set(draft, 'response_bytes', countOf(call['response_body_size']))
  const consumer = objectOf(decision?.['consumer'])
  const person = textOf(consumer['name']) ?? textOf(consumer['id'])
  if (draft['user.id'] === undefined) set(draft, 'user.id', person)

  set(draft, 'http.response.status_code', statusOf(status))
  set(draft, 'gen_ai.security.decision.type', policyDecisionOf(decision?.['action']))
  // Kong's access lists have no id; whose list decided stands in its place.
  const list = textOf(consumer['identifier'])
  if (list !== undefined)
    draft['gen_ai.security.policy.id'] = `${textOf(decision?.['scope']) ?? 'acl'}:${list}`
  const { error: failed, result } = answered
  set(
    draft,
    'rpc.response.status_code',
    textOf(objectOf(call['error'])['code']) ?? textOf(objectOf(failed)['code']),
  )
  set(draft, 'mcp.tool.is_error', toolErrorOf(result))

  // The HTTP status is 200 for what fails inside JSON-RPC; the payload, where it is logged, knows.
  const error = textOf(call['error']) ?? textOf(objectOf(call['error'])['message'])
  const answer = readAnswer(answered)
  const byStatus = outcomeOfStatus(status) ?? 'success'
  draft.outcome =
    decision?.['action'] === 'deny'
      ? 'denied'
      : byStatus === 'denied' || byStatus === 'timeout'
        ? byStatus
        : error !== undefined
          ? (outcomeOfErrorMessage(error) ?? 'failure')
          : answer !== undefined && answer.outcome !== 'success'
            ? answer.outcome
            : byStatus
  if (draft.outcome === 'success') return draft
  set(draft, 'error.message', error ?? answer?.errorMessage)
  if (decision?.['action'] === 'deny') draft['error.type'] = 'acl_denied'
  else
    set(
      draft,
      'error.type',
      textOf(objectOf(call['error'])['code']) ?? answer?.errorType ?? statusType(status),
    )
  return draft
}

const statusType = (status: number | undefined): string | undefined =>
  status !== undefined && status >= 400 ? String(status) : undefined

const nameOf = (call: JsonObject): string | undefined =>
  textOf(call['tool_name']) ?? textOf(call['prompt_name']) ?? textOf(call['resource_uri'])
