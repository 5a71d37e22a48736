import { canonicalArguments } from './canonical-arguments.ts'
import type { EventPart } from './record.ts'

/**
 * Cuts what ids and spans brought together into calls: parts that differ where one call cannot differ are parts of several.
 * That is so where
 * - both have arguments, and the arguments are others (unless a policy rewrote them);
 * - one program reports two whole calls: two spans that no span of the group encloses, side by side, or two results without
 *   a span;
 * - both say how long they took, and one began after the other had ended, by more than layers and clocks differ.
 * In order of time, each part goes to the latest call that it does not contradict. A function of the set of parts, and
 * about linear: a part is compared with a bounded number of calls.
 * @param parts of one group, sorted by time
 */
export function tellRepeatsApart(
  parts: readonly EventPart[],
  parentOf: ReadonlyMap<string, string>,
): EventPart[][] {
  if (parts.length < 2) return [[...parts]]
  const spans = new Set(parts.flatMap(({ body }) => body.draft.span_id ?? []))
  const calls: Call[] = []
  for (const part of parts) {
    const facts = factsOf(part, outermost(part.body.draft.span_id, spans, parentOf))
    const fitting = calls.slice(-MOST_COMPARED).filter((call) => !contradicts(call, facts))
    const own = fitting.findLast((call) => isAbout(call, facts)) ?? fitting.at(-1)
    if (own === undefined) calls.push({ facts: [facts], parts: [part] })
    else {
      own.parts.push(part)
      if (own.facts.length < MOST_FACTS) own.facts.push(facts)
    }
  }
  return calls.map((call) => call.parts)
}

interface Call {
  readonly facts: Facts[]
  readonly parts: EventPart[]
}

/** What is compared of a part. */
interface Facts {
  readonly arguments: string | undefined
  readonly isRewritten: boolean
  /** The program that says so. */
  readonly reporter: string
  readonly span: string | undefined
  /** The span of the group that encloses it, or itself, and that one’s parent. */
  readonly outer: { readonly span: string; readonly parent: string | undefined } | undefined
  /** It says how the call ended. */
  readonly isResult: boolean
  /** Milliseconds since the epoch. */
  readonly atMs: number
  readonly durationMs: number | undefined
}

// Of a group with very many calls only the latest can still be going on.
const MOST_COMPARED = 64
// Layers of one call; beyond, a part says nothing that the others did not.
const MOST_FACTS = 16
// Clocks of two machines, and the time between a call's end and the line about it.
const SLACK_MS = 5_000
const MOST_LEVELS = 100

function factsOf({ topic, sourceFormat, body: { draft } }: EventPart, outer: Facts['outer']): Facts {
  const { duration_ms: durationMs, outcome } = draft
  return {
    arguments: canonicalArguments(draft['gen_ai.tool.call.arguments']),
    isRewritten: draft['gen_ai.security.decision.type'] === 'modify',
    reporter: JSON.stringify([topic, sourceFormat, draft['gateway.id'], draft['mcp.client.name']]),
    span: draft.span_id,
    outer,
    isResult: outcome !== undefined && durationMs !== undefined,
    atMs: Date.parse(draft.occurred_at ?? ''),
    durationMs,
  }
}

const isAbout = (call: Call, { span }: Facts): boolean =>
  span !== undefined && call.facts.some((facts) => facts.span === span)

const contradicts = (call: Call, b: Facts): boolean =>
  call.facts.some((a) => haveOtherArguments(a, b) || areTwoReports(a, b) || areApartInTime(a, b))

const haveOtherArguments = (a: Facts, b: Facts): boolean =>
  a.arguments !== undefined &&
  b.arguments !== undefined &&
  a.arguments !== b.arguments &&
  !a.isRewritten &&
  !b.isRewritten

function areTwoReports(a: Facts, b: Facts): boolean {
  if (!a.isResult || !b.isResult || a.reporter !== b.reporter) return false
  // A log line beside a span is a second report of the same program; the same record sent again is the same report.
  if ((a.outer === undefined) !== (b.outer === undefined)) return false
  if (a.outer === undefined || b.outer === undefined)
    return a.atMs !== b.atMs || a.durationMs !== b.durationMs
  if (a.outer.span === b.outer.span) return false
  const [mine, theirs] = [a.outer.parent, b.outer.parent]
  if (mine === theirs) return true
  // The root of a trace, or spans between the two that were not sent: they may be layers, if one lasted through the other.
  return mine !== undefined && theirs !== undefined && !isWithin(a, b) && !isWithin(b, a)
}

const isWithin = (inner: Facts, outer: Facts): boolean =>
  inner.atMs >= outer.atMs && inner.atMs + (inner.durationMs ?? 0) <= outer.atMs + (outer.durationMs ?? 0)

function outermost(
  span: string | undefined,
  spans: ReadonlySet<string>,
  parentOf: ReadonlyMap<string, string>,
): Facts['outer'] {
  if (span === undefined) return undefined
  let outer = span
  let at = parentOf.get(span)
  for (let level = 0; at !== undefined && at !== span && level < MOST_LEVELS; level++) {
    if (spans.has(at)) outer = at
    at = parentOf.get(at)
  }
  return { span: outer, parent: parentOf.get(outer) }
}

// A span has the time of its beginning, a log line that of the end: so either may lie a duration off.
function areApartInTime(a: Facts, b: Facts): boolean {
  if (a.durationMs === undefined || b.durationMs === undefined) return false
  // The program that made the span says that the line was written in it, whatever its clock says.
  if (a.span !== undefined && a.span === b.span) return false
  const longest = Math.max(a.durationMs, b.durationMs)
  return Math.abs(a.atMs - b.atMs) > 2 * longest + SLACK_MS
}
