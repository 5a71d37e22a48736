import type { EventDraft } from '../../core/audit-event.ts'
import { outcomeOfStatus } from '../../core/outcome.ts'
import { emptyDraft } from '../empty-draft.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { definitionsOf } from './definitions.ts'
import { actorsOf } from './delegation-chain.ts'
import {
  addressOf,
  fault,
  isObject,
  type JsonObject,
  jsonTextOf,
  kindOf,
  listOf,
  notACall,
  notATime,
  numberOf,
  objectOf,
  parsedObjectOf,
  productOf,
  set,
  setPerson,
  statusOf,
  textOf,
} from './field-values.ts'
import { listedTools, readAnswer, setRequest, toolErrorOf } from './json-rpc.ts'
import { readTime } from './read-time.ts'
import { splitTool } from './split-tool.ts'

/**
 * AWS CloudTrail: files (`{"Records": […]}`), single events, and events that EventBridge wraps in `detail`. Data events
 * of AgentCore Gateway carry the JSON-RPC message and are calls of MCP; every other API call is the call of a tool by
 * its own name at the service, because agents with credentials of AWS use it without a gateway. Insights, sign-ins
 * and what AWS does by itself are no calls.
 */
export const cloudtrail: Format = {
  name: 'cloudtrail',
  mayBeEmpty: true,
  marks: {
    needs: ['eventVersion', 'eventID', 'eventSource'],
    usual: ['Records', 'eventName', 'eventTime', 'userIdentity', 'awsRegion', 'requestID'],
  },
  recognises: ({ json }) => isObject(json) && recordsOf(json) !== undefined,
  decode,
}

function recordsOf(json: JsonObject): readonly unknown[] | undefined {
  if (isEvent(json)) return [json]
  if ('Records' in json) {
    const { Records: records } = json
    // S3 and SNS notifications are lists of that name too; they have no eventID.
    return Array.isArray(records) && (records.length === 0 || isEvent(records[0])) ? records : undefined
  }
  return 'detail-type' in json && isEvent(json['detail']) ? [json['detail']] : undefined
}

const isEvent = (value: unknown): boolean =>
  isObject(value) && 'eventVersion' in value && 'eventID' in value && 'eventSource' in value

function decode({ json }: ParsedRecord): readonly Decoded[] {
  const records = isObject(json) ? recordsOf(json) : undefined
  if (records === undefined)
    return [fault('field_missing', 'Records', 'The record holds no CloudTrail event.')]
  return records.flatMap((record) =>
    isObject(record) && isEvent(record)
      ? decodeEvent(record)
      : [
          {
            ...fault('field_type', 'Records', `An event must be an object, but is ${kindOf(record)}.`),
            source: record,
          },
        ],
  )
}

function decodeEvent(event: JsonObject): readonly Decoded[] {
  const kind = textOf(event['eventType']) ?? 'AwsApiCall'
  const name = textOf(event['eventName'])
  if (kind !== 'AwsApiCall' || name === undefined)
    return [notACall(`CloudTrail reports ${kind} ${name ?? ''}, which is no API call.`, event)]
  const draft = emptyDraft()
  // Log shippers move the time to a field of their own.
  const time = event['eventTime'] ?? event['@timestamp']
  const occurredAt = readTime(time)
  if (occurredAt === undefined) return [{ ...notATime('eventTime', time), source: event }]
  draft.occurred_at = occurredAt
  set(draft, 'event_id', textOf(event['eventID']))
  readWho(event, draft)

  const request = parsedObjectOf(objectOf(event['requestParameters'])['body'])
  const gatewayCall = textOf(request['method']) !== undefined
  const answer = parsedObjectOf(objectOf(event['responseElements'])['body'])
  if (gatewayCall) readGatewayCall(event, request, answer, draft)
  else readApiCall(event, name, draft)

  const tools =
    draft['mcp.method.name'] === 'tools/list'
      ? definitionsOf(listedTools(answer), undefined, occurredAt, ownNameOf)
      : []
  return [{ kind: 'event', draft, source: event }, ...tools]
}

const SEPARATOR = '___'

function ownNameOf(name: string): { readonly server?: string; readonly tool: string } {
  const at = name.indexOf(SEPARATOR)
  return at <= 0 ? { tool: name } : { server: name.slice(0, at), tool: name.slice(at + SEPARATOR.length) }
}

/**
 * Who it was, and in whose name. `userIdentity` by its type (AWS: "CloudTrail userIdentity element"): a person of IAM
 * Identity Center is `onBehalfOf.userId`; a role's session acts for that person, else for the `sourceIdentity` that was
 * set when it was assumed; a federated user is the session itself, not the user that asked for it.
 */
function readWho(event: JsonObject, draft: EventDraft): void {
  const identity = objectOf(event['userIdentity'])
  const context = objectOf(identity['sessionContext'])
  const issuer = objectOf(context['sessionIssuer'])
  const arn = textOf(identity['arn'])
  // A role's session name is made anew for each session, unless it is the person's address (IAM Identity Center).
  const session = /^arn:[^:]*:sts::[^/]*assumed-role\/[^/]*\/(.+)$/.exec(arn ?? '')?.[1]
  const role = identity['type'] === 'FederatedUser' ? undefined : textOf(issuer['arn'])
  const onBehalfOf = textOf(objectOf(identity['onBehalfOf'])['userId'])
  const sourceIdentity = textOf(context['sourceIdentity'])
  const service = textOf(identity['invokedBy'])

  const person = onBehalfOf ?? sourceIdentity
  if (person !== undefined) setPerson(draft, person)
  else {
    if (session?.includes('@')) draft['user.email'] = session
    set(draft, 'user.id', role ?? arn ?? textOf(identity['userName']) ?? service ?? principalOf(identity))
  }
  const isFederated = identity['type'] === 'FederatedUser'
  const ownPerson = person ?? (session?.includes('@') ? session : undefined)
  const assumed = isFederated ? textOf(issuer['arn']) : ownPerson === undefined ? undefined : role
  const chain = [service === draft['user.id'] ? undefined : service, assumed].filter(isText)
  if (chain.length > 0) {
    draft['delegation.chain'] = chain
    const isAssumed = assumed !== undefined && onBehalfOf === undefined
    draft['delegation.type'] = isAssumed ? 'assumed-role' : 'on-behalf-of'
  }
  set(draft, 'credential.id', textOf(identity['accessKeyId']) ?? textOf(identity['credentialId']))
  set(draft, 'client.address', addressOf(event['sourceIPAddress']))
  set(draft, 'mcp.client.name', productOf(event['userAgent']))
  set(draft, 'network.transport', 'tcp')
}

const isText = (value: string | undefined): value is string => value !== undefined

// Other accounts and unknown callers have nothing but this. `AROA…:session` is a role by its number.
const principalOf = (identity: JsonObject): string | undefined => textOf(identity['principalId'])

function readGatewayCall(
  event: JsonObject,
  request: JsonObject,
  answer: JsonObject,
  draft: EventDraft,
): void {
  // userIdentity is "anonymous" here: the caller is whoever the gateway's own token names.
  const additional = objectOf(event['additionalEventData'])
  const claims = objectOf(objectOf(additional['jwt'])['claims'])
  setPerson(draft, textOf(claims['sub']))
  set(draft, 'user.email', textOf(claims['email']))
  // RFC 8693: who acts for the subject, and who for that one.
  const chain = actorsOf(claims)
  if (chain.length > 0) {
    draft['delegation.chain'] = chain
    draft['delegation.type'] = 'on-behalf-of'
  }
  set(draft, 'credential.id', textOf(claims['client_id']) ?? textOf(claims['azp']))
  setRequest(draft, request)
  const tool = draft['gen_ai.tool.name']
  if (tool?.includes(SEPARATOR)) splitTool(draft, tool, SEPARATOR)
  const [resource] = listOf(event['resources'])
  set(draft, 'gateway.id', textOf(objectOf(resource)['ARN']))
  const target = textOf(additional['targetId'])
  if (target !== undefined) draft['mcp.server.name'] ??= target

  const status = numberOf(objectOf(event['responseElements'])['statusCode'])
  const byStatus = outcomeOfStatus(status)
  const said = readAnswer(answer)
  set(draft, 'http.response.status_code', statusOf(status))
  set(draft, 'rpc.response.status_code', textOf(objectOf(answer['error'])['code']))
  set(draft, 'mcp.tool.is_error', toolErrorOf(answer['result']))
  const refused = byStatus === 'denied' || byStatus === 'timeout'
  draft.outcome = (refused ? byStatus : said?.outcome) ?? outcomeOfCode(event) ?? byStatus ?? 'unknown'
  if (draft.outcome === 'success' || draft.outcome === 'unknown') return
  set(draft, 'error.type', said?.errorType ?? textOf(event['errorCode']) ?? textOf(status))
  set(draft, 'error.message', said?.errorMessage ?? textOf(event['errorMessage']))
}

function readApiCall(event: JsonObject, name: string, draft: EventDraft): void {
  draft['mcp.method.name'] = 'api/call'
  draft['gen_ai.tool.name'] = name
  set(draft, 'mcp.server.name', textOf(event['eventSource']))
  set(draft, 'gateway.id', textOf(event['recipientAccountId']))
  const parameters = event['requestParameters']
  if (isObject(parameters)) draft['gen_ai.tool.call.arguments'] = jsonTextOf(parameters) ?? '{}'
  draft.outcome = outcomeOfCode(event) ?? 'success'
  set(draft, 'error.type', textOf(event['errorCode']))
  set(draft, 'error.message', textOf(event['errorMessage']))
}

// Services word it differently: AccessDenied, AccessDeniedException, Client.UnauthorizedOperation, Client.AuthFailure, …
const DENIED =
  /access_?denied|unauthori[sz]ed|forbidden|auth_?failure|not_?authori[sz]ed|throttl|limit_?exceeded|too_?many_?requests|invalid_?client_?token|expired_?token/i
const TIMED_OUT = /timeout|timed_?out/i

function outcomeOfCode(event: JsonObject): EventDraft['outcome'] {
  const code = textOf(event['errorCode'])
  if (code === undefined) return undefined
  return DENIED.test(code) ? 'denied' : TIMED_OUT.test(code) ? 'timeout' : 'failure'
}
