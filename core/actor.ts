import type { EventDraft } from './audit-event.ts'
import { canonicalPrincipal } from './identity.ts'

/** Fields that can name the accountable principal, strongest first. Configurable as `actor.precedence`. */
export const DEFAULT_ACTOR_PRECEDENCE = [
  'user.email',
  'user.id',
  'gen_ai.agent.id',
  'gen_ai.agent.name',
  'credential.id',
  'client.address',
  'mcp.client.name',
] as const satisfies readonly (keyof EventDraft)[]

/** The actor of an event that names nobody. A word that no precedence field can produce by accident. */
export const UNKNOWN_ACTOR = '(unknown)'

/**
 * The accountable principal: the first field of `precedence` that the event has, in its canonical spelling
 * (`canonicalPrincipal`), so that `Alice@x` and `alice@x` share one baseline.
 * @param aliases canonical spelling → the actor that the operator says it is
 */
export function deriveActor(
  draft: EventDraft,
  precedence: readonly (keyof EventDraft)[] = DEFAULT_ACTOR_PRECEDENCE,
  aliases?: ReadonlyMap<string, string>,
): string {
  for (const field of precedence) {
    const value = draft[field]
    if (typeof value !== 'string') continue
    const actor = canonicalPrincipal(value)
    if (actor !== '') return aliases?.get(actor) ?? actor
  }
  return UNKNOWN_ACTOR
}
