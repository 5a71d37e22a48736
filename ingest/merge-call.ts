import { type EventDraft, eventFields, POLICY_DECISIONS, type RecordFlag } from '../core/audit-event.ts'
import { deriveOutcome, OUTCOMES_WORST_FIRST } from '../core/outcome.ts'
import { MAX_LEVELS, type Part } from './find-calls.ts'

const LARGEST = [
  'duration_ms',
  'request_bytes',
  'response_bytes',
  'gen_ai.usage.input_tokens',
  'gen_ai.usage.output_tokens',
  'gen_ai.usage.cost',
] as const

const ERROR = ['error.type', 'error.message'] as const

// Of these the part with the worst outcome counts: a layer around a call that failed may well be fine.
const LAYERS = [
  'http.response.status_code',
  'rpc.response.status_code',
  'mcp.tool.is_error',
  'approval.asked',
  'approval.by',
  'approval.answer',
] as const

const POLICY = ['gen_ai.security.decision.type', 'gen_ai.security.policy.id'] as const

// What the surroundings of a call may say about it: who and where, never what.
const LENT = [
  'user.id',
  'user.email',
  'gen_ai.agent.id',
  'gen_ai.agent.name',
  'gen_ai.agent.version',
  'ai_agent.instance_uid',
  'ai_agent.parent_uid',
  'delegation.type',
  'delegation.chain',
  'mcp.client.name',
  'mcp.client.version',
  'credential.id',
  'client.address',
  'gateway.id',
  'mcp.session.id',
  'gen_ai.conversation.id',
] as const satisfies readonly (keyof EventDraft)[]

const TIME_ORDER = ['event', 'observed', 'broker', 'received'] as const

/**
 * One draft from the parts of a call, which come sorted by time and id. Precedence: the earliest part that has a field
 * gives it (the outermost layer began first and saw the call as it was asked for); the worst outcome, with
 * its own error and what its layers said; the strictest policy decision with its policy; the largest sizes and duration; the earliest time by the best clock. Fields that no part has are lent
 * by the nearest enclosing span, else by the surroundings when they all agree.
 */
export function mergeCall(call: readonly Part[], surroundings: Surroundings): EventDraft {
  const drafts = call.map(({ body }) => body.draft)
  const [only] = drafts
  if (only && drafts.length === 1 && surroundings === NO_SURROUNDINGS) return only
  const merged: Record<string, unknown> = {}
  for (const draft of drafts) {
    for (const field of eventFields) {
      const value = (draft as Record<string, unknown>)[field]
      if (value !== undefined) merged[field] ??= value
    }
  }
  for (const field of LARGEST) {
    const values = drafts.flatMap((draft) => draft[field] ?? [])
    if (values.length > 0) merged[field] = Math.max(...values)
  }
  mergeOutcome(drafts, merged)
  mergeTime(drafts, merged)
  mergeFlags(drafts, merged)
  mergeNames(drafts, merged)
  lend(call, surroundings, merged)
  return merged as EventDraft
}

function mergeOutcome(drafts: readonly EventDraft[], merged: Record<string, unknown>): void {
  const worstFirst = OUTCOMES_WORST_FIRST.flatMap((outcome) =>
    drafts.filter((draft) => draft.outcome === outcome),
  ).concat(drafts.filter((draft) => draft.outcome === undefined))
  take(LAYERS, worstFirst, merged)
  const [worst] = worstFirst
  if (worst?.outcome !== undefined) merged['outcome'] = worst.outcome
  take(
    ERROR,
    drafts.filter((draft) => draft.outcome === worst?.outcome),
    merged,
  )
  // The decision that did most to the call, with its own policy.
  const strictest = POLICY_DECISIONS.toReversed().flatMap((decision) =>
    drafts.filter((draft) => draft['gen_ai.security.decision.type'] === decision),
  )[0]
  if (strictest) for (const field of POLICY) merged[field] = strictest[field]
  const outcome = deriveOutcome(merged as EventDraft)
  if (outcome !== undefined) merged['outcome'] = outcome
}

/** Sets each field to the first value that one of the drafts has. */
function take(
  fields: readonly (keyof EventDraft)[],
  drafts: readonly EventDraft[],
  merged: Record<string, unknown>,
): void {
  for (const field of fields) {
    const value = drafts.find((draft) => draft[field] !== undefined)?.[field]
    if (value !== undefined) merged[field] = value
  }
}

function mergeTime(drafts: readonly EventDraft[], merged: Record<string, unknown>): void {
  for (const source of TIME_ORDER) {
    const times = drafts.flatMap((draft) =>
      draft.timestamp_source === source && draft.occurred_at !== undefined ? [draft.occurred_at] : [],
    )
    const [earliest] = times.sort()
    if (earliest === undefined) continue
    merged['occurred_at'] = earliest
    merged['timestamp_source'] = source
    return
  }
}

// Whether a call came late is said by the record that gives it its time: a later one must not make it late, nor old.
function mergeFlags(drafts: readonly EventDraft[], merged: Record<string, unknown>): void {
  const timing = drafts.find((draft) => draft.occurred_at === merged['occurred_at'])?.record_flags ?? []
  const flags: RecordFlag[] = timing.filter((flag) => !OF_ANY_PART.includes(flag))
  for (const flag of OF_ANY_PART)
    if (drafts.some((draft) => draft.record_flags?.includes(flag))) flags.unshift(flag)
  merged['record_flags'] = flags.length === 0 ? undefined : flags
}

// What holds of the call when it holds of one of its parts.
const OF_ANY_PART: readonly RecordFlag[] = ['unwrapped', 'shortened']

// As received is the longest of the names that the layers use, plain the shortest.
function mergeNames(drafts: readonly EventDraft[], merged: Record<string, unknown>): void {
  const raw = drafts.flatMap((draft) => draft['tool.name.raw'] ?? []).sort(byLength)
  const plain = drafts.flatMap((draft) => draft['gen_ai.tool.name'] ?? []).sort(byLength)
  if (raw.length > 0) merged['tool.name.raw'] = raw.at(-1)
  if (plain.length > 0) merged['gen_ai.tool.name'] = plain[0]
}

const byLength = (a: string, b: string): number => a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)

/** What the parts around the calls of one undertaking say; made once for all its calls. */
export interface Surroundings {
  readonly bySpan: ReadonlyMap<string, EventDraft>
  /** The fields in which all of them agree. */
  readonly agreed: EventDraft
}

const NO_SURROUNDINGS: Surroundings = { bySpan: new Map(), agreed: {} }

export function describeSurroundings(around: readonly Part[]): Surroundings {
  if (around.length === 0) return NO_SURROUNDINGS
  const bySpan = new Map<string, EventDraft>()
  const said = new Map<string, Set<unknown>>()
  for (const { body } of around) {
    const span = body.draft.span_id
    if (span !== undefined && !bySpan.has(span)) bySpan.set(span, body.draft)
    for (const field of LENT) {
      const value = body.draft[field]
      if (value === undefined) continue
      const values = said.get(field)
      if (values) values.add(value)
      else said.set(field, new Set([value]))
    }
  }
  const agreed = [...said].flatMap(([field, values]) =>
    values.size === 1 ? [[field, [...values][0]] as const] : [],
  )
  return { bySpan, agreed: Object.fromEntries(agreed) as EventDraft }
}

function lend(call: readonly Part[], surroundings: Surroundings, merged: Record<string, unknown>): void {
  const enclosing = enclosingDrafts(call, surroundings.bySpan)
  for (const field of LENT) {
    if (merged[field] !== undefined) continue
    const nearest = enclosing.find((draft) => draft[field] !== undefined) ?? surroundings.agreed
    if (nearest[field] !== undefined) merged[field] = nearest[field]
  }
}

function enclosingDrafts(
  call: readonly Part[],
  bySpan: ReadonlyMap<string, EventDraft>,
): readonly EventDraft[] {
  const own = new Map(call.map(({ body }) => [body.draft.span_id, body.draft.parent_span_id]))
  const enclosing: EventDraft[] = []
  const seen = new Set<string>()
  for (const { body } of call) {
    let at = body.draft.parent_span_id ?? body.draft.span_id
    for (let level = 0; at !== undefined && !seen.has(at) && level < MAX_LEVELS; level++) {
      seen.add(at)
      const draft = bySpan.get(at)
      if (draft) enclosing.push(draft)
      at = draft?.parent_span_id ?? own.get(at)
    }
  }
  return enclosing
}
