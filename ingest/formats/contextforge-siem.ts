import type { EventDraft } from '../../core/audit-event.ts'
import { emptyDraft } from '../empty-draft.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { setActor, setChange } from './contextforge-change.ts'
import {
  addressOf,
  isObject,
  type JsonObject,
  notACall,
  notATime,
  objectOf,
  parsedObjectOf,
  productOf,
  set,
  textOf,
} from './field-values.ts'
import { outcomeOfWord } from './outcome.ts'
import { readTime } from './read-time.ts'

/**
 * ContextForge’s export to a SIEM, one event a record: the JSON envelope, bare or as it goes to Splunk and Datadog, and
 * CEF and LEEF, which arrive as a JSON string or as a line; and the rows of `security_events` it is made of. Administrators’ changes are calls, refused requests are
 * refused requests; all else (each sign-in that went well) is no call.
 */
export const contextforgeSiem: Format = {
  name: 'contextforge-siem',
  reads: 'text',
  marks: {
    needs: ['schema_version', 'event_type', 'source'],
    usual: ['action_taken', 'threat', 'actor', 'category', 'severity'],
  },
  recognises: ({ json, text }) =>
    json === undefined
      ? text !== undefined && LINE.test(text)
      : envelopeOf(json) !== undefined || isBulkHeader(json),
  decode,
}

const LINE = /^(?:<\d{1,3}>.{0,200}? )?(?:CEF:\d|LEEF:[\d.]+)\|IBM\|ContextForge\|/

function decode({ json, text }: ParsedRecord): readonly Decoded[] {
  if (isBulkHeader(json))
    return [notACall('The header line of an Elasticsearch bulk request; the event is the line after it.')]
  const event = envelopeOf(json) ?? readLine(text ?? '')
  const draft = emptyDraft()
  const time = event['timestamp']
  if (time !== undefined) {
    const occurredAt = readTime(time)
    if (occurredAt === undefined) return [notATime('timestamp', time)]
    draft.occurred_at = occurredAt
  }
  set(draft, 'event_id', textOf(event['event_id']))
  set(draft, 'gateway.id', textOf(objectOf(event['source'])['instance_id']))
  const actor = objectOf(event['actor'])
  setActor(draft, actor['user_id'], actor['user_email'])
  set(draft, 'client.address', addressOf(actor['client_ip']))
  set(draft, 'mcp.client.name', productOf(actor['user_agent']))
  return [classify(event, draft)]
}

const REFUSAL =
  /fail|denied|deny|block|reject|refus|unauthori|forbidden|exceeded|violation|invalid|brute|lock/i

function classify(event: JsonObject, draft: EventDraft): Decoded {
  const type = textOf(event['event_type']) ?? 'event'
  const context = objectOf(event['context'])
  const action = textOf(context['action'])
  if (textOf(event['category']) === 'audit' && action !== undefined) {
    setChange(draft, {
      action,
      resourceType: textOf(context['resource_type']),
      resourceName: textOf(context['resource_name']),
      success: context['success'],
      actionTaken: event['action_taken'],
      error: textOf(context['error_message']),
    })
    return { kind: 'event', draft }
  }
  const taken = outcomeOfWord(event['action_taken'])
  if (taken === 'success' || (taken === undefined && !REFUSAL.test(type)))
    return notACall(`The SIEM event ${type} is neither a call nor a refused one.`)
  draft['mcp.method.name'] = 'mcp/request'
  draft.outcome = 'denied'
  draft['gen_ai.security.decision.type'] = 'deny'
  draft['error.type'] = type
  set(draft, 'error.message', textOf(event['description']))
  return { kind: 'event', draft }
}

function envelopeOf(json: unknown): JsonObject | undefined {
  if (typeof json === 'string') return LINE.test(json) ? readLine(json) : undefined
  if (!isObject(json)) return undefined
  if ('schema_version' in json && 'event_type' in json && isObject(json['source'])) return json
  if ('event_type' in json && 'threat_score' in json && 'action_taken' in json) return envelopeOfRow(json)
  // Splunk's collector gets the event in `event`, Datadog in `attributes`, or as a line in `message`.
  if (json['sourcetype'] !== undefined && json['event'] !== undefined) return envelopeOf(json['event'])
  if (json['ddsource'] === undefined) return undefined
  return envelopeOf(json['attributes']) ?? envelopeOf(json['message'])
}

/** A row of the table `security_events`, which the envelope is made of. */
const envelopeOfRow = (row: JsonObject): JsonObject => ({
  ...row,
  event_id: row['id'],
  actor: row,
  context: parsedObjectOf(row['context']),
})

const isBulkHeader = (json: unknown): boolean =>
  isObject(json) && isObject(json['index']) && '_index' in json['index'] && Object.keys(json).length === 1

const CHANGE = /^Audit action (\w{1,80}) on (\w{1,80})\/(\S{0,200})(?: \((.*)\))?$/s

/** A line of CEF or LEEF as the envelope that it was made of, as far as it is in there. No time: it has none. */
function readLine(line: string): JsonObject {
  const isLeef = line.includes('LEEF:')
  const [, , , , id = '', rest = '', severity = '', extension = ''] = line.split(/(?<!\\)\|/)
  const fields = isLeef ? leefFields(rest) : cefFields(extension || severity)
  const type = unescaped(id)
  const message = fields.get('msg') ?? ''
  const [, action, resourceType, , resourceName] = CHANGE.exec(message) ?? []
  return {
    event_type: type.toLowerCase(),
    category: type.startsWith('AUDIT_') ? 'audit' : fields.get('cat'),
    description: message,
    action_taken: fields.get('act') ?? fields.get('action'),
    actor: { user_id: fields.get('suser') ?? fields.get('usrName'), client_ip: fields.get('src') },
    // The name of a resource may hold anything, so the text may not be readable; the type always is.
    context: {
      action: action ?? type.replace(/^AUDIT_/, ''),
      resource_type: resourceType,
      resource_name: resourceName,
    },
  }
}

const leefFields = (text: string): ReadonlyMap<string, string> => firstOf(text.split('\t'))

// Values may hold blanks: one ends where the next name begins.
function cefFields(text: string): ReadonlyMap<string, string> {
  const starts = [...text.matchAll(/(?:^|\s)(?=\w{1,40}=)/g)].map(({ index }) => index)
  return firstOf(starts.map((start, at) => text.slice(start, starts[at + 1]).trim()))
}

// The first of a name counts: addresses come before the text, which others may have written.
function firstOf(pairs: readonly string[]): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    const name = pair.slice(0, at)
    if (at > 0 && !fields.has(name)) fields.set(name, unescaped(pair.slice(at + 1)))
  }
  return fields
}

const unescaped = (text: string): string => text.replace(/\\([|\\=])/g, '$1')
