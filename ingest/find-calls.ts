import type { EventDraft } from '../core/audit-event.ts'
import type { EventPart } from './record.ts'
import { tellRepeatsApart } from './repeated-calls.ts'

export type Part = EventPart

export interface Calls {
  /** The parts of each call, in the order given. */
  readonly calls: readonly (readonly Part[])[]
  /** Parts that are no call: they may lend facts. */
  readonly around: readonly Part[]
}

/** Begins the `callKey` of a part that is no call but says something about the call of the span that follows. */
export const ABOUT = 'about:'

// Ids that name one call wherever they appear: two parts that differ in one of them are two calls.
const OWN_IDS = ['event_id', 'gen_ai.tool.call.id'] as const

/**
 * Tells the calls of one undertaking (a trace) apart. Two parts belong to one call when
 * - they share the source’s event id, the model’s id of the tool call, or JSON-RPC id and session — unless they share no
 *   event id and name two tools: ids that programs choose are used again; or
 * - they are about the same span (a log line and its span), or one’s span encloses the other’s with no call between
 *   them, under the same method and a name that only differs by prefix (`crm-get-customer` and `get_customer`: the
 *   layers of a gateway) — unless an id says that they are two.
 * An approval and a result without any id are paired in their order, for the same conversation and tool.
 * Whatever brought parts together, what one call cannot be is more than one (`repeated-calls.ts`): the agent chooses many of
 * these ids, and uses one again to hide what it repeats.
 * What a gateway asks its upstream while it serves a call (`tools/list`, `server/discover` inside a `tools/call`) is
 * nobody’s call and is left out. Which parts are linked depends on those two alone, so the result does not depend on any order.
 */
export function findCalls(parts: readonly Part[]): Calls {
  const [only] = parts
  // The most frequent case of all: there is nothing to be told apart.
  if (only && parts.length === 1)
    return isCallPart(only) ? { calls: [parts], around: [] } : { calls: [], around: parts }
  const parentOf = spanParents(parts)
  const callParts = withoutHousekeeping(parts.filter(isCallPart), parentOf)
  const notes = parts.filter(isNote)
  const groups = createGroups(callParts.length)

  const byKey = new Map<string, number[]>()
  const bySpan = new Map<string, number[]>()
  callParts.forEach(({ body }, index) => {
    for (const key of strongKeys(body.draft, body.callKey)) add(byKey, key, index)
    if (body.draft.span_id !== undefined) add(bySpan, body.draft.span_id, index)
  })
  for (const [key, indexes] of byKey) joinByTool(key, indexes, callParts, groups)

  const kindsBySpan = new Map<string, readonly number[]>()
  for (const [span, indexes] of bySpan) kindsBySpan.set(span, joinBySpan(indexes, callParts, groups))
  callParts.forEach((part, index) => {
    const span = part.body.draft.span_id
    if (span === undefined) return
    for (const other of nearestCalls(span, parentOf, kindsBySpan)) {
      if (isSameCall(part, callParts[other])) groups.join(index, other)
    }
  })
  pairApprovals(callParts, groups)
  const calls = groups.list().flatMap((indexes) =>
    tellRepeatsApart(
      indexes.flatMap((index) => callParts[index] ?? []),
      parentOf,
    ),
  )
  const used = addNotes(notes, calls)
  return {
    calls,
    around: parts.filter((part) => part.body.callKey === '' || (isNote(part) && !used.has(part))),
  }
}

const isNote = ({ body }: Part): boolean => body.callKey.startsWith(ABOUT)

/** Whether a call can be made of the part by itself. */
export const isCallPart = (part: Part): boolean => part.body.callKey !== '' && !isNote(part)

// Adds each note to the call of its span; returns those that found one.
function addNotes(notes: readonly Part[], calls: Part[][]): ReadonlySet<Part> {
  const used = new Set<Part>()
  if (notes.length === 0) return used
  const bySpan = new Map<string, Part[]>()
  for (const call of calls) {
    for (const { body } of call) {
      const span = body.draft.span_id
      if (span !== undefined && !bySpan.has(span)) bySpan.set(span, call)
    }
  }
  for (const note of notes) {
    const call = bySpan.get(note.body.callKey.slice(ABOUT.length))
    if (call === undefined) continue
    call.push(note)
    used.add(note)
  }
  return used
}

/**
 * Joins an approval that waits for its call with the next result of the same conversation and tool, where neither has an
 * id (Claude Code before `tool_use_id`). An approval that no result follows stays a call: it may be all that was sent.
 */
function pairApprovals(parts: readonly Part[], groups: Groups): void {
  const waiting = new Map<string, number[]>()
  parts.forEach(({ body }, index) => {
    const { draft } = body
    const [conversation, tool] = [draft['gen_ai.conversation.id'], draft['gen_ai.tool.name']]
    if (!body.callKey.startsWith('record:') || conversation === undefined || tool === undefined) return
    const key = `${conversation}\0${draft['mcp.server.name'] ?? ''}\0${tool}`
    if (draft.outcome === undefined && draft['approval.answer']?.startsWith('approved'))
      add(waiting, key, index)
    else if (draft.outcome !== undefined && draft.duration_ms !== undefined) {
      const approval = waiting.get(key)?.shift()
      if (approval !== undefined) groups.join(approval, index)
    }
  })
}

function add(lists: Map<string, number[]>, key: string, index: number): void {
  const list = lists.get(key)
  if (list) list.push(index)
  else lists.set(key, [index])
}

// What Claude Code calls every tool of an MCP server unless told to say more.
const ANY_TOOL = 'mcp_tool'
const MAX_TOOLS_COMPARED = 32

// Joins the parts with one key, apart from those that name another tool.
function joinByTool(key: string, indexes: readonly number[], parts: readonly Part[], groups: Groups): void {
  const firstOf = new Map<string, number>()
  for (const index of indexes) {
    const tool = parts[index]?.body.draft['gen_ai.tool.name']
    const name = tool === undefined || tool === ANY_TOOL || OWN_EVENT.test(key) ? '' : plain(tool)
    const first = firstOf.get(name)
    if (first === undefined) firstOf.set(name, index)
    else groups.join(first, index)
  }
  if (firstOf.size < 2) return
  const names = [...firstOf].slice(0, MAX_TOOLS_COMPARED)
  for (const [name, index] of names) {
    for (const [other, otherIndex] of names) {
      if (name < other && (name === '' || sameTool(name, other))) groups.join(index, otherIndex)
    }
  }
}

// What two parts are compared by: parts with the same are interchangeable.
const COMPARED = [
  ...OWN_IDS,
  'mcp.method.name',
  'gen_ai.tool.name',
  'mcp.resource.uri',
  'gen_ai.prompt.name',
] as const satisfies readonly (keyof EventDraft)[]
const MAX_KINDS_COMPARED = 64

// Joins the parts about one span; returns one of each kind. Kinds, not parts, are compared in pairs: a program that
// puts all it sends under one span must not stall the assembler.
function joinBySpan(indexes: readonly number[], parts: readonly Part[], groups: Groups): readonly number[] {
  const firstOf = new Map<string, number>()
  for (const index of indexes) {
    const draft = parts[index]?.body.draft
    const kind = JSON.stringify(COMPARED.map((field) => draft?.[field]))
    const first = firstOf.get(kind)
    if (first === undefined) firstOf.set(kind, index)
    else groups.join(first, index)
  }
  const kinds = [...firstOf.values()].slice(0, MAX_KINDS_COMPARED)
  for (const [place, index] of kinds.entries()) {
    const part = parts[index]
    for (const other of kinds.slice(place + 1)) {
      if (part && !contradict(part, parts[other])) groups.join(index, other)
    }
  }
  return kinds
}

const OWN_EVENT = /^(?:id|event_id):/

/** How far outwards a span's enclosing spans are looked at; no gateway nests deeper, and circles end here. */
export const MAX_LEVELS = 100

const WORK = new Set(['tools/call', 'resources/read', 'prompts/get'])

const isWork = ({ body }: Part): boolean => WORK.has(body.draft['mcp.method.name'] ?? 'tools/call')

function withoutHousekeeping(parts: readonly Part[], parentOf: ReadonlyMap<string, string>): readonly Part[] {
  const workSpans = new Set(parts.filter(isWork).flatMap(({ body }) => body.draft.span_id ?? []))
  return parts.filter((part) => {
    if (isWork(part)) return true
    let at = part.body.draft.span_id
    for (let level = 0; at !== undefined && level < MAX_LEVELS; level++) {
      if (workSpans.has(at)) return false
      at = parentOf.get(at)
    }
    return true
  })
}

function strongKeys(draft: EventDraft, callKey: string): readonly string[] {
  const keys = [callKey]
  for (const field of OWN_IDS) if (draft[field] !== undefined) keys.push(`${field}:${draft[field]}`)
  const request = draft['jsonrpc.request.id']
  const session = draft['mcp.session.id']
  if (request !== undefined && session !== undefined) keys.push(`rpc:${session}:${request}`)
  return keys
}

function spanParents(parts: readonly Part[]): ReadonlyMap<string, string> {
  const parents = new Map<string, string>()
  for (const { body } of parts) {
    const { span_id: span, parent_span_id: parent } = body.draft
    if (span === undefined || parent === undefined || span === parent) continue
    // Two parts that name different parents for one span: the smaller one, so that order does not matter.
    const known = parents.get(span)
    if (known === undefined || parent < known) parents.set(span, parent)
  }
  return parents
}

function nearestCalls(
  span: string,
  parentOf: ReadonlyMap<string, string>,
  bySpan: ReadonlyMap<string, readonly number[]>,
): readonly number[] {
  let at = parentOf.get(span)
  for (let level = 0; at !== undefined && level < MAX_LEVELS; level++) {
    // Spans that name each other as parents: not its own enclosing call.
    if (at === span) return []
    const calls = bySpan.get(at)
    if (calls) return calls
    at = parentOf.get(at)
  }
  return []
}

function contradict(a: Part, b: Part | undefined): boolean {
  if (!b) return true
  return OWN_IDS.some((field) => {
    const [mine, theirs] = [a.body.draft[field], b.body.draft[field]]
    return mine !== undefined && theirs !== undefined && mine !== theirs
  })
}

function isSameCall(inner: Part, outer: Part | undefined): boolean {
  if (!outer || contradict(inner, outer)) return false
  const [a, b] = [inner.body.draft, outer.body.draft]
  if ((a['mcp.method.name'] ?? 'tools/call') !== (b['mcp.method.name'] ?? 'tools/call')) return false
  const [tool, other] = [a['gen_ai.tool.name'], b['gen_ai.tool.name']]
  if (tool === undefined || other === undefined)
    return (
      a['mcp.resource.uri'] === b['mcp.resource.uri'] && a['gen_ai.prompt.name'] === b['gen_ai.prompt.name']
    )
  return sameTool(tool, other)
}

/** Whether two names are one tool’s, apart from a prefix and the separator: `crm-get-customer`, `get_customer`. */
export function sameTool(a: string, b: string): boolean {
  const [x, y] = [plain(a), plain(b)]
  return x === y || x.endsWith(`_${y}`) || y.endsWith(`_${x}`)
}

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]+/g, '_')

type Groups = ReturnType<typeof createGroups>

function createGroups(size: number) {
  const parent = Array.from({ length: size }, (_, index) => index)
  const root = (index: number): number => {
    let at = index
    while (parent[at] !== at) {
      parent[at] = parent[parent[at] as number] as number
      at = parent[at] as number
    }
    return at
  }
  return {
    join(a: number, b: number): void {
      const [x, y] = [root(a), root(b)]
      parent[Math.max(x, y)] = Math.min(x, y)
    },
    list: (): number[][] => [...Map.groupBy(parent.keys(), root).values()],
  }
}
