import type { EventDraft } from '../../core/audit-event.ts'
import { emptyDraft } from '../empty-draft.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { setActor, setChange } from './contextforge-change.ts'
import { definitionsOf } from './definitions.ts'
import { principalsOf } from './delegation-chain.ts'
import {
  addressOf,
  isObject,
  type JsonObject,
  notATime,
  objectOf,
  parsedObjectOf,
  productOf,
  set,
  textOf,
} from './field-values.ts'
import { readTime } from './read-time.ts'

/**
 * Rows of ContextForge’s `audit_trails`: what administrators do to tools, servers and gateways (calls are not in it). As
 * JSON or as the database has them: JSON columns as text, booleans as 0 and 1, times without a zone.
 */
export const contextforgeAudit: Format = {
  name: 'contextforge-audit',
  marks: {
    needs: ['action', 'resource_type', 'old_values', 'new_values'],
    usual: ['resource_id', 'data_classification', 'requires_review', 'auth_method', 'changes'],
  },
  recognises: ({ json }) =>
    isObject(json) &&
    'action' in json &&
    'resource_type' in json &&
    'old_values' in json &&
    'new_values' in json,
  decode,
}

function decode({ json }: ParsedRecord): readonly Decoded[] {
  const row = objectOf(json)
  const draft = emptyDraft()
  if (row['timestamp'] !== undefined) {
    const occurredAt = readTime(row['timestamp'])
    if (occurredAt === undefined) return [notATime('timestamp', row['timestamp'])]
    draft.occurred_at = occurredAt
  }
  set(draft, 'event_id', textOf(row['id']))
  setActor(draft, row['user_id'], row['user_email'])
  setDelegation(draft, row)
  set(draft, 'client.address', addressOf(row['client_ip']))
  set(draft, 'mcp.client.name', productOf(row['user_agent']))
  const action = textOf(row['action']) ?? 'change'
  const resourceType = textOf(row['resource_type'])
  const resourceName = textOf(row['resource_name'])
  const after = parsedObjectOf(row['new_values'])
  setChange(draft, {
    action,
    resourceType,
    resourceName,
    details: {
      ...present('before', parsedObjectOf(row['old_values'])),
      ...present('after', after),
      ...present('context', parsedObjectOf(row['context'])),
    },
    success: row['success'],
    actionTaken: undefined,
    error: textOf(row['error_message']),
  })
  const defines =
    resourceType === 'tool' && /create|update|register/i.test(action) && draft.outcome === 'success'
  const tools = defines ? definitionsOf([{ name: resourceName, ...after }], undefined, draft.occurred_at) : []
  return [{ kind: 'event', draft }, ...tools]
}

const present = (key: string, value: object): object =>
  Object.keys(value).length === 0 ? {} : { [key]: value }

// `acting_as`: an administrator in somebody else's name; `delegation_chain`: those through whom a request came.
function setDelegation(draft: EventDraft, row: JsonObject): void {
  const actingAs = textOf(row['acting_as'])
  const chain = [...(actingAs === undefined ? [] : [actingAs]), ...principalsOf(row['delegation_chain'])]
  if (chain.length === 0) return
  draft['delegation.chain'] = chain
  draft['delegation.type'] = actingAs === undefined ? 'on-behalf-of' : 'impersonation'
}
