import type { EventDraft, Outcome } from '../../core/audit-event.ts'
import { outcomeOfErrorType, outcomeOfStatus } from '../../core/outcome.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { policyDecisionOf } from './decisions.ts'
import {
  addressOf,
  countOf,
  durationOf,
  isObject,
  type JsonObject,
  jsonTextOf,
  listOf,
  notACall,
  notATime,
  numberOf,
  objectOf,
  productOf,
  set,
  statusOf,
  textOf,
} from './field-values.ts'
import { outcomeOfWord } from './outcome.ts'
import { readTime } from './read-time.ts'

/**
 * OCSF: API Activity (class 6003) is a call; every other class (findings, logins, …) is none. The AI profile's agent,
 * message context and trace are read where they are. OCSF has no field for a tool: it is the resource of the type
 * `mcp_tool`, else the operation itself.
 */
export const ocsf: Format = {
  name: 'ocsf',
  marks: {
    needs: ['class_uid', 'category_uid', 'metadata'],
    usual: ['activity_id', 'type_uid', 'severity_id', 'api', 'actor', 'class_name'],
  },
  recognises: ({ json }) =>
    isObject(json) &&
    'class_uid' in json &&
    numberOf(json['class_uid']) !== undefined &&
    numberOf(json['category_uid']) !== undefined &&
    isObject(json['metadata']),
  decode,
}

const API_ACTIVITY = 6003

function decode({ json }: ParsedRecord): readonly Decoded[] {
  const event = objectOf(json)
  const kind = numberOf(event['class_uid'])
  if (kind !== API_ACTIVITY) {
    const name = textOf(event['class_name']) ?? ''
    return [notACall(`OCSF class ${kind} ${name}: only API Activity (${API_ACTIVITY}) reports calls.`)]
  }
  const time = event['time'] ?? event['time_dt']
  const occurredAt = readTime(time)
  if (occurredAt === undefined) return [notATime('time', time)]
  const draft: EventDraft = { occurred_at: occurredAt }
  const metadata = objectOf(event['metadata'])
  set(draft, 'event_id', textOf(metadata['uid']))
  set(draft, 'event.sequence', countOf(metadata['sequence']))
  set(draft, 'gateway.id', textOf(objectOf(metadata['product'])['name']))
  readWho(event, draft)
  readWhat(event, draft)
  readChain(event, draft)
  readResult(event, draft)
  return [{ kind: 'event', draft }]
}

function readWho(event: JsonObject, draft: EventDraft): void {
  const user = objectOf(objectOf(event['actor'])['user'])
  set(draft, 'user.id', textOf(user['uid']) ?? textOf(user['name']))
  set(draft, 'user.email', textOf(user['email_addr']))
  set(draft, 'credential.id', textOf(user['credential_uid']))
  const agent = objectOf(event['ai_agent'])
  set(draft, 'gen_ai.agent.id', textOf(agent['uid']))
  set(draft, 'gen_ai.agent.name', textOf(agent['name']))
  set(draft, 'gen_ai.agent.version', textOf(agent['version']))
  set(draft, 'ai_agent.instance_uid', textOf(agent['instance_uid']))
  const model = objectOf(agent['ai_model'] ?? event['ai_model'])
  set(draft, 'gen_ai.request.model', textOf(model['name']))
  set(draft, 'gen_ai.provider.name', textOf(model['ai_provider']))
  const invokedBy = textOf(objectOf(event['actor'])['invoked_by'])
  if (invokedBy !== undefined) {
    draft['delegation.chain'] = [invokedBy]
    draft['delegation.type'] = 'on-behalf-of'
  }
  const client = objectOf(objectOf(event['message_context'])['application'])
  const agentString = objectOf(event['http_request'])['user_agent']
  set(draft, 'mcp.client.name', textOf(client['name']) ?? productOf(agentString))
  set(draft, 'mcp.client.version', textOf(client['version']))
  set(draft, 'client.address', addressOf(objectOf(event['src_endpoint'])['ip']))
}

function readWhat(event: JsonObject, draft: EventDraft): void {
  const api = objectOf(event['api'])
  const operation = textOf(api['operation'])
  const service = textOf(objectOf(api['service'])['name'])
  const resources = listOf(event['resources']).filter(isObject)
  const nameOf = (type: string) => textOf(resources.find((resource) => resource['type'] === type)?.['name'])
  set(draft, 'mcp.server.name', service)
  const destination = objectOf(event['dst_endpoint'])
  set(draft, 'server.address', textOf(destination['hostname']) ?? textOf(destination['ip']))
  set(draft, 'gen_ai.tool.name', nameOf('mcp_tool'))
  set(draft, 'gen_ai.prompt.name', nameOf('mcp_prompt'))
  set(draft, 'mcp.resource.uri', nameOf('mcp_resource'))
  if (operation !== undefined && /^(?:[a-z]+\/[\w/]+|initialize|ping)$/.test(operation))
    draft['mcp.method.name'] = operation
  else if (draft['gen_ai.tool.name'] === undefined && operation !== undefined) {
    draft['mcp.method.name'] = 'api/call'
    draft['gen_ai.tool.name'] = operation
  }
  const request = objectOf(api['request'])
  const given = request['data'] ?? objectOf(event['unmapped'])['requestParameters']
  if (isObject(given)) set(draft, 'gen_ai.tool.call.arguments', jsonTextOf(given))
}

function readChain(event: JsonObject, draft: EventDraft): void {
  set(draft, 'mcp.session.id', textOf(objectOf(objectOf(event['actor'])['session'])['uid']))
  const context = objectOf(event['message_context'])
  set(
    draft,
    'gen_ai.conversation.id',
    textOf(context['uid']) ?? textOf(objectOf(event['ai_agent'])['instance_uid']),
  )
  const request = textOf(objectOf(objectOf(event['api'])['request'])['uid'])
  if (draft['mcp.method.name'] !== 'api/call') set(draft, 'jsonrpc.request.id', request)
  const trace = objectOf(event['trace'])
  const span = objectOf(trace['span'])
  set(draft, 'trace_id', textOf(trace['uid']))
  set(draft, 'span_id', textOf(span['uid']))
  set(draft, 'parent_span_id', textOf(span['parent_uid']))
  set(draft, 'duration_ms', durationOf(event['duration']))
}

function readResult(event: JsonObject, draft: EventDraft): void {
  const response = objectOf(objectOf(event['api'])['response'])
  const error = textOf(response['error'])
  draft.outcome = outcomeOf(event, response, error)
  set(draft, 'http.response.status_code', statusOf(objectOf(event['http_response'])['code']))
  readPolicy(event, draft)
  if (draft.outcome === 'success' || draft.outcome === 'unknown') return
  set(draft, 'error.type', error ?? textOf(event['status_code']) ?? textOf(response['code']))
  set(
    draft,
    'error.message',
    textOf(response['error_message']) ?? textOf(response['message']) ?? textOf(event['status_detail']),
  )
}

// `action_id`: 1 allowed, 2 denied, 3 observed, 4 modified. The policy is the event's own, or that of an authorization.
const ACTIONS: readonly (EventDraft['gen_ai.security.decision.type'] | undefined)[] = [
  undefined,
  'allow',
  'deny',
  'audit',
  'modify',
]

function readPolicy(event: JsonObject, draft: EventDraft): void {
  const [authorization] = listOf(objectOf(event['actor'])['authorizations']).filter(isObject)
  set(
    draft,
    'gen_ai.security.decision.type',
    ACTIONS[numberOf(event['action_id']) ?? 0] ?? policyDecisionOf(authorization?.['decision']),
  )
  const policy = objectOf(event['policy'] ?? authorization?.['policy'])
  set(draft, 'gen_ai.security.policy.id', textOf(policy['uid']) ?? textOf(policy['name']))
}

function outcomeOf(event: JsonObject, response: JsonObject, error: string | undefined): Outcome {
  if (numberOf(event['action_id']) === 2 || numberOf(event['disposition_id']) === 2) return 'denied'
  const http = outcomeOfStatus(numberOf(objectOf(event['http_response'])['code']))
  if (http === 'denied' || http === 'timeout') return http
  if (error !== undefined) return outcomeOfErrorType(error) ?? 'failure'
  const status = numberOf(event['status_id'])
  if (status === 1) return 'success'
  if (status === 2) return outcomeOfErrorType(textOf(event['status_code'])) ?? 'failure'
  // Mappings of logs that know no status leave it at "other" and say what went wrong in the response.
  const said = outcomeOfWord(event['status']) ?? http
  return said ?? ('error' in response ? 'success' : 'unknown')
}
