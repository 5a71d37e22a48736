import type { EventDraft } from './audit-event.ts'

/** Calls of an actor that are further apart than this are not one undertaking, when nothing better groups them. */
export const CHAIN_GAP_MS = 30 * 60_000

/**
 * The chain key: session → conversation → trace → actor. The last is only a partition: whoever reads such a chain
 * splits it where two calls are more than `CHAIN_GAP_MS` apart (a gap cannot be seen from one event alone).
 */
export function deriveChain(draft: EventDraft, actor: string): string {
  const session = draft['mcp.session.id']
  if (session) return `session:${session}`
  const conversation = draft['gen_ai.conversation.id']
  if (conversation) return `conversation:${conversation}`
  if (draft.trace_id) return `trace:${draft.trace_id}`
  return `actor:${actor}`
}
