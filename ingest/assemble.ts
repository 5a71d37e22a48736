import type { AuditEvent, EventDraft } from '../core/audit-event.ts'
import { stableId } from '../core/hash.ts'
import type { AssembledIdentity } from './assembled-identity.ts'
import { type CompletionOptions, createCompleteEvent } from './complete-event.ts'
import { findCalls, type Part } from './find-calls.ts'
import { ownKeyOf } from './join-key.ts'
import { describeSurroundings, mergeCall } from './merge-call.ts'
import type { EventPart } from './record.ts'

/** A call put together from its parts, with the coordinates of its first part. */
export interface AssembledCall {
  readonly draft: EventDraft & { readonly event_id: string }
  readonly from: EventPart
  /** All its parts were imported as history. */
  readonly imported: true | undefined
  readonly identity: AssembledIdentity
}

/**
 * Folds parts into calls: each call once, with the union of what its parts say. A function of the *set* of parts:
 * their order, and the same part twice, change nothing. Parts of several join keys and tenants may be mixed; parts
 * of one must be complete. What no call can be made of (spans around the calls) gives nothing.
 *
 * `event_id` is the source’s own id where a part has one, else a hash of tenant, join key (which says the source) and call
 * key. Of several calls with one key the first has that hash, so that a repetition changes nothing about it.
 */
export function assembleParts(parts: readonly EventPart[]): readonly AssembledCall[] {
  if (parts.length < 2) return assembleUndertaking(parts)
  const distinct = new Map(parts.map((part) => [`${part.tenant}\0${part.partId}`, part]))
  const undertakings = Map.groupBy(distinct.values(), ({ tenant, joinKey }) => `${tenant}\0${joinKey}`)
  return [...undertakings.keys()].sort().flatMap((key) => assembleUndertaking(undertakings.get(key) ?? []))
}

function assembleUndertaking(parts: readonly Part[]): readonly AssembledCall[] {
  const sorted = parts.toSorted(byTimeAndId)
  const { calls, around } = findCalls(sorted)
  const surroundings = describeSurroundings(around)
  const firstOf = new Map<string, readonly Part[]>()
  for (const call of calls) {
    const key = callKeyOf(call)
    if (isBefore(call, firstOf.get(key))) firstOf.set(key, call)
  }
  const seen = new Map<string, number>()
  return calls.map((call) => {
    const [first] = call.toSorted(byCoordinates)
    if (!first) throw new TypeError('a call has at least one part')
    const draft = mergeCall(call, surroundings)
    const key = callKeyOf(call)
    // A key that is used again does not tell the calls apart; what was called, and when, does.
    const more = firstOf.get(key) === call ? [] : repetitionOf(call, draft)
    const said = JSON.stringify([key, ...more])
    const nth = seen.get(said) ?? 0
    seen.set(said, nth + 1)
    const distinct = nth === 0 ? more : [...more, nth]
    const own = draft.event_id
    const ownId = own === undefined || (more.length === 0 && nth === 0) ? own : undefined
    const hashed = stableId(first.tenant, first.joinKey, key, ...distinct)
    return {
      from: first,
      imported: call.every(({ body }) => body.imported === true) || undefined,
      draft: { ...draft, event_id: ownId ?? hashed },
      identity: {
        isOwn: ownId !== undefined,
        ...(own === undefined || ownId !== undefined ? {} : { claimed: own }),
        formerId: ownId ?? stableId(first.tenant, ownKeyOf(first.joinKey), key, ...distinct),
      },
    }
  })
}

const isBefore = (call: readonly Part[], other: readonly Part[] | undefined): boolean => {
  const [mine, theirs] = [call[0], other?.[0]]
  return theirs === undefined || (mine !== undefined && byTimeAndId(mine, theirs) < 0)
}

const repetitionOf = (call: readonly Part[], draft: EventDraft): (string | number)[] => [
  'repeated',
  draft['gen_ai.tool.name'] ?? '',
  call[0]?.body.draft.occurred_at ?? '',
  call.flatMap(({ body }) => body.draft.span_id ?? []).sort()[0] ?? '',
  draft['gen_ai.tool.call.arguments'] ?? '',
]

/** The same as whole events: what the assembler compares and writes. */
export function createAssemble(options: CompletionOptions): Assemble {
  const complete = createCompleteEvent(options)
  const identities = new WeakMap<AuditEvent, AssembledIdentity>()
  const assemble = (parts: readonly EventPart[]) =>
    assembleParts(parts).map(({ draft, from, imported, identity }) => {
      const whole = complete(draft, { ...from, imported })
      const event =
        identity.claimed === undefined ? whole : { ...whole, conflicting_event_id: identity.claimed }
      identities.set(event, identity)
      return event
    })
  return Object.assign(assemble, { identityOf: (event: AuditEvent) => identities.get(event) })
}

export interface Assemble {
  (parts: readonly EventPart[]): readonly AuditEvent[]
  /** Of an event that it made. */
  identityOf(event: AuditEvent): AssembledIdentity | undefined
}

// The kind of key says how well it identifies the call; see otlp-call.ts.
const KEY_ORDER = ['id:', 'call:', 'rpc:', 'span:', 'record:']

function callKeyOf(call: readonly Part[]): string {
  const keys = call.map(({ body }) => body.callKey).sort()
  for (const kind of KEY_ORDER) {
    const key = keys.find((candidate) => candidate.startsWith(kind))
    if (key !== undefined) return key
  }
  return keys[0] ?? ''
}

function byTimeAndId(a: Part, b: Part): number {
  return (
    compare(a.body.draft.occurred_at ?? '', b.body.draft.occurred_at ?? '') || compare(a.partId, b.partId)
  )
}

const byCoordinates = (a: Part, b: Part): number =>
  compare(a.topic, b.topic) ||
  a.partition - b.partition ||
  a.offset - b.offset ||
  a.recordIndex - b.recordIndex ||
  compare(a.partId, b.partId)

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
