import type { EventDraft } from '../../core/audit-event.ts'
import { set, setPerson, textOf } from './field-values.ts'
import { outcomeOfFlag, outcomeOfWord } from './outcome.ts'

/** What an administrator did to the gateway itself: `action` on a resource. */
export interface GatewayChange {
  readonly action: string
  readonly resourceType: string | undefined
  readonly resourceName: string | undefined
  /** What else the record says of it; becomes arguments. */
  readonly details?: Readonly<Record<string, unknown>>
  readonly success: unknown
  readonly actionTaken: unknown
  readonly error: string | undefined
}

/**
 * A change as a call: the tool is the action (`update_tool`), its server the gateway. The resource stands in the
 * arguments: who changes a tool has not called it.
 */
export function setChange(draft: EventDraft, change: GatewayChange): void {
  const { action, resourceType, resourceName, details = {}, success, actionTaken, error } = change
  draft['mcp.method.name'] = 'api/call'
  draft['mcp.server.name'] = 'contextforge'
  draft['gen_ai.tool.name'] = action.toLowerCase()
  draft.capability = 'admin'
  const resource = { type: resourceType, name: resourceName }
  draft['gen_ai.tool.call.arguments'] = JSON.stringify({ resource, ...details })
  const refused = outcomeOfWord(actionTaken) === 'denied'
  if (refused) draft['gen_ai.security.decision.type'] = 'deny'
  draft.outcome = refused ? 'denied' : (outcomeOfFlag(success) ?? outcomeOfWord(actionTaken) ?? 'unknown')
  set(draft, 'error.message', error)
}

const HIDDEN = '***REDACTED***'

/** Who did it. By default the gateway hides the address and leaves it in the id. */
export function setActor(draft: EventDraft, id: unknown, email: unknown): void {
  const [person, address] = [textOf(id), textOf(email)]
  if (person !== HIDDEN) setPerson(draft, person)
  if (address !== HIDDEN) set(draft, 'user.email', address)
}
