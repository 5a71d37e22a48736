import type { EventDraft } from '../../core/audit-event.ts'
import { stableId } from '../../core/hash.ts'
import { outcomeOfStatus } from '../../core/outcome.ts'
import { emptyDraft } from '../empty-draft.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import {
  addressOf,
  fault,
  isObject,
  type JsonObject,
  kindOf,
  listOf,
  millisBetween,
  notACall,
  notATime,
  numberOf,
  objectOf,
  productOf,
  set,
  statusOf,
  textOf,
} from './field-values.ts'
import { readTime } from './read-time.ts'

/**
 * The audit log of Kubernetes (`audit.k8s.io`): single events, and the lists that the webhook backend posts. A request
 * is a call of the tool `<verb>_<resource>` at the server `kubernetes`, for agents that have a kubeconfig instead of
 * a gateway, and for the pods that MCP servers run in.
 *
 * A connection into a container or a kubelet (`pods/exec`, `nodes/proxy`, …) is one tool, named as if it had been opened by
 * `create`: websockets begin with GET where SPDY had POST (kubernetes/kubernetes#133515). Another verb stands in the arguments.
 *
 * One request is reported at several stages; the last one counts. `auditID` is no event id: a client may choose it
 * (the header `Audit-ID`), and could make its own requests look like duplicates.
 */
export const kubernetesAudit: Format = {
  name: 'kubernetes-audit',
  mayBeEmpty: true,
  marks: {
    needs: ['kind=Event', 'apiVersion'],
    usual: ['auditID', 'stage', 'requestURI', 'verb', 'objectRef', 'responseStatus'],
  },
  recognises: ({ json }) =>
    isObject(json) &&
    (json['kind'] === 'Event' || json['kind'] === 'EventList') &&
    /^audit\.k8s\.io\//.test(textOf(json['apiVersion']) ?? ''),
  decode,
}

function decode({ json }: ParsedRecord): readonly Decoded[] {
  const given = objectOf(json)
  if (given['kind'] !== 'EventList') return [decodeEvent(given)]
  const items = given['items'] ?? []
  if (!Array.isArray(items))
    return [fault('field_type', 'items', `items must be an array, but is ${kindOf(items)}.`)]
  return (items as readonly unknown[]).map((item) =>
    isObject(item)
      ? { ...decodeEvent(item), source: { kind: 'Event', apiVersion: given['apiVersion'], ...item } }
      : {
          ...fault('field_type', 'items', `An event must be an object, but is ${kindOf(item)}.`),
          source: item,
        },
  )
}

function decodeEvent(event: JsonObject): Decoded {
  const stage = textOf(event['stage']) ?? 'ResponseComplete'
  const connects = isConnection(objectOf(event['objectRef']))
  const isBegun = stage === 'ResponseStarted' && connects
  if (stage !== 'ResponseComplete' && stage !== 'Panic' && !isBegun)
    return notACall(`The stage ${stage} of a request, which is reported again when it is complete.`)
  const verb = textOf(event['verb'])
  if (verb === undefined) return fault('field_missing', 'verb', 'verb is missing.')
  const draft = emptyDraft()
  const received = event['requestReceivedTimestamp'] ?? event['stageTimestamp']
  const occurredAt = readTime(received)
  if (occurredAt === undefined && received !== undefined)
    return notATime('requestReceivedTimestamp', received)
  set(draft, 'occurred_at', occurredAt)
  if (!isBegun) set(draft, 'duration_ms', millisBetween(occurredAt, readTime(event['stageTimestamp'])))
  readWho(event, draft)
  readWhat(event, verb, draft)
  // How a session that has only begun ends is not known.
  if (!isBegun) readResult(event, stage, draft)
  if (!connects || occurredAt === undefined) return { kind: 'event', draft }
  // A session may last for hours: it is told when it begins, and completed when it ends. The client may choose the audit
  // id, but not when the API server received its request.
  const key = stableId(
    'kubernetes',
    textOf(event['auditID']) ?? '',
    occurredAt,
    verb,
    textOf(event['requestURI']) ?? '',
  )
  draft.timestamp_source = 'event'
  return { kind: 'part', joinKey: `request:${key}`, callKey: `request:${key}`, draft }
}

const isConnection = (object: JsonObject): boolean => CONNECTIONS.has(textOf(object['subresource']) ?? '')

function readWho(event: JsonObject, draft: EventDraft): void {
  const user = objectOf(event['user'])
  set(draft, 'user.id', textOf(user['username']))
  // The one who impersonates is accountable; the call was made in the other's name.
  const impersonated = textOf(objectOf(event['impersonatedUser'])['username'])
  if (impersonated !== undefined) {
    draft['delegation.type'] = 'impersonation'
    draft['delegation.chain'] = [impersonated]
  }
  const extra = objectOf(user['extra'])
  readAwsSession(extra, draft)
  set(
    draft,
    'credential.id',
    textOf(listOf(extra['authentication.kubernetes.io/credential-id'])[0]) ??
      textOf(listOf(extra['accessKeyId'])[0]),
  )
  // The first is the one that the request came from, the others are proxies on the way.
  set(draft, 'client.address', addressOf(listOf(event['sourceIPs'])[0]))
  set(draft, 'mcp.client.name', productOf(event['userAgent']))
  set(draft, 'network.transport', 'tcp')
}

/**
 * On EKS everybody who takes a role has one name, and the person stands beside it, as the session (aws/aws-eks-best-practices#61).
 * As in CloudTrail, a session that is named by an address is that person’s; other names are made anew for each session.
 */
function readAwsSession(extra: JsonObject, draft: EventDraft): void {
  const session = textOf(listOf(extra['sessionName'])[0])
  // Some versions of the authenticator write a dash for the at sign; the ARN has it as it was.
  const person = [SESSION_IN_ARN.exec(textOf(listOf(extra['arn'])[0]) ?? '')?.[1], session].find((name) =>
    name?.includes('@'),
  )
  if (person === undefined) return
  draft['user.email'] = person
  const role = textOf(listOf(extra['canonicalArn'])[0])
  if (draft['delegation.chain'] !== undefined || role === undefined) return
  draft['delegation.type'] = 'assumed-role'
  draft['delegation.chain'] = [role]
}

const SESSION_IN_ARN = /^arn:[^:]{1,32}:sts::\d{0,20}:assumed-role\/[^/]{1,255}\/([^/]{1,255})$/

// What the API server itself handles as the operation CONNECT.
const CONNECTIONS: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward', 'proxy'])

function readWhat(event: JsonObject, verb: string, draft: EventDraft): void {
  const object = objectOf(event['objectRef'])
  const resource = [object['resource'], object['subresource']].flatMap((part) => textOf(part) ?? [])
  draft['mcp.method.name'] = 'api/call'
  draft['mcp.server.name'] = 'kubernetes'
  const named = resource.length === 0 ? 'url' : resource.join('/')
  const connects = isConnection(object)
  draft['gen_ai.tool.name'] = `${connects ? 'create' : verb}_${named}`
  set(draft, 'mcp.resource.uri', textOf(event['requestURI']))
  const target = Object.fromEntries(
    ['namespace', 'name', 'apiGroup'].flatMap((field) => {
      const value = textOf(object[field])
      return value === undefined ? [] : [[field, value]]
    }),
  )
  const impersonated = textOf(objectOf(event['impersonatedUser'])['username'])
  draft['gen_ai.tool.call.arguments'] = JSON.stringify({
    ...target,
    ...(connects && verb !== 'create' ? { verb } : {}),
    ...(impersonated === undefined ? {} : { impersonate: impersonated }),
  })
}

function readResult(event: JsonObject, stage: string, draft: EventDraft): void {
  const status = objectOf(event['responseStatus'])
  const code = numberOf(status['code'])
  const annotations = objectOf(event['annotations'])
  const decision = annotations['authorization.k8s.io/decision']
  set(draft, 'http.response.status_code', statusOf(code))
  if (decision === 'forbid' || decision === 'allow') {
    draft['gen_ai.security.decision.type'] = decision === 'forbid' ? 'deny' : 'allow'
    set(draft, 'gen_ai.security.policy.id', bindingOf(textOf(annotations['authorization.k8s.io/reason'])))
  }
  draft.outcome =
    decision === 'forbid' ? 'denied' : stage === 'Panic' ? 'failure' : (outcomeOfStatus(code) ?? 'unknown')
  if (draft.outcome === 'success' || draft.outcome === 'unknown') return
  set(draft, 'error.type', textOf(status['reason']) ?? textOf(code) ?? stage)
  set(draft, 'error.message', textOf(status['message']))
}

// 'RBAC: allowed by RoleBinding "a/b" of Role "c" to …': the binding is what an administrator would look at.
const bindingOf = (reason: string | undefined): string | undefined => {
  const [, kind, name] = /\bby (\w{1,40}) "([^"]{1,500})"/.exec(reason ?? '') ?? []
  return kind === undefined ? undefined : `${kind}/${name}`
}
