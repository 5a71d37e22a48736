import type { AuditEvent, EventDraft } from '../core/audit-event.ts'
import { stableId } from '../core/hash.ts'
import { type CompletionOptions, createCompleteEvent } from './complete-event.ts'
import { findCalls, type Part } from './find-calls.ts'
import { describeSurroundings, mergeCall } from './merge-call.ts'
import type { EventPart } from './record.ts'

/** A call put together from its parts, with the coordinates of its first part. */
export interface AssembledCall {
  readonly draft: EventDraft & { readonly event_id: string }
  readonly from: EventPart
  /** All its parts were imported as history. */
  readonly imported: true | undefined
}

/**
 * Folds parts into calls: each call once, with the union of what its parts say. A function of the *set* of parts:
 * their order, and the same part twice, change nothing. Parts of several join keys and tenants may be mixed; parts
 * of one must be complete. What no call can be made of (spans around the calls) gives nothing.
 *
 * `event_id` is the source’s own id where a part has one, else a hash of tenant, join key and call key.
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
  const callsWithKey = Map.groupBy(calls.map(callKeyOf), (key) => key)
  return calls.map((call) => {
    const [first] = call.toSorted(byCoordinates)
    if (!first) throw new TypeError('a call has at least one part')
    const draft = mergeCall(call, surroundings)
    const key = callKeyOf(call)
    // A key used again for another tool does not tell the two calls apart; the tool does.
    const tool = (callsWithKey.get(key)?.length ?? 0) > 1 ? [draft['gen_ai.tool.name'] ?? ''] : []
    return {
      from: first,
      imported: call.every(({ body }) => body.imported === true) || undefined,
      draft: { ...draft, event_id: draft.event_id ?? stableId(first.tenant, first.joinKey, key, ...tool) },
    }
  })
}

/** The same as whole events: what the assembler compares and writes. */
export function createAssemble(
  options: CompletionOptions,
): (parts: readonly EventPart[]) => readonly AuditEvent[] {
  const complete = createCompleteEvent(options)
  return (parts) =>
    assembleParts(parts).map(({ draft, from, imported }) => complete(draft, { ...from, imported }))
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
