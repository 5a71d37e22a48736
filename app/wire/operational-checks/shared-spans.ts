import type { OperationalIssue } from '../../../alerts/operational.ts'
import type { Clock } from '../../../core/clock.ts'
import type { Sources } from '../../../core/sources.ts'
import { inertText } from '../../../core/text.ts'
import type { Database } from '../../../store/database.ts'
import { type SharedSpans, sharedSpans } from '../../../store/shared-spans.ts'
import type { OperationalCheck } from '../operational.ts'

const EVERY_MS = 60_000

/**
 * Two sources that report the same span: one of them may be making calls of the other up, or one call is counted twice. Of
 * sources that the operator says belong together it is expected.
 */
export function sharedSpansCheck(database: Database, sources: Sources, clock: Clock): OperationalCheck {
  let known: { readonly atMs: number; readonly issues: readonly OperationalIssue[] } | undefined
  return async () => {
    const nowMs = clock.now()
    if (known === undefined || Math.abs(nowMs - known.atMs) >= EVERY_MS) {
      const found = (await sharedSpans(database)).map((row) => ({ ...row, sources: sourcesOf(row, sources) }))
      known = { atMs: nowMs, issues: merged(found).map(issueOf) }
    }
    return known.issues
  }
}

interface Found extends SharedSpans {
  readonly sources: readonly string[]
}

const sourcesOf = ({ topics }: SharedSpans, sources: Sources): string[] =>
  [...new Set(topics.map(sources.of))].sort()

/** Topics of one source, such as those of several processes, are one. */
function merged(found: readonly Found[]): Found[] {
  const several = found.filter((each) => each.sources.length > 1)
  const byName = Map.groupBy(several, (each) => JSON.stringify([each.tenant, each.sources, each.from]))
  return [...byName.values()].flatMap((group) => {
    const shown = group.find(({ different }) => different > 0) ?? group[0]
    if (shown === undefined) return []
    const sum = (of: (each: Found) => number) => group.reduce((all, each) => all + of(each), 0)
    return [{ ...shown, spans: sum((each) => each.spans), different: sum((each) => each.different) }]
  })
}

// Told in steps of ten, so that a flood is a few updates of one alert, not one each time that somebody looks.
const atLeast = (count: number): number => (count === 0 ? 0 : 10 ** Math.floor(Math.log10(count) + 1e-9))

function issueOf({ tenant, sources, spans, different, from, to, traceId, spanId }: Found): OperationalIssue {
  const name = sources.map((source) => inertText(source, 100)).join(' and ')
  const [all, contrary] = [atLeast(spans), atLeast(different)]
  const count = (number: number) => number.toLocaleString('en')
  return {
    code: 'shared-spans',
    tenant,
    title: `${name} report the same spans, ${count(all)} or more${contrary === 0 ? '' : `, ${count(contrary)} or more of them with other content`}; each is kept as a call of its own`,
    entity: { type: 'source', id: sources.join(' and ') },
    severity: contrary === 0 ? 'medium' : 'high',
    window: { start: from, end: to },
    dedupKey: JSON.stringify(sources),
    count: all,
    explanation: {
      observed: {
        spans_at_least: all,
        with_other_content_at_least: contrary,
        trace_id: inertText(traceId, 100),
        span_id: inertText(spanId, 100),
      },
      expected: 'No two sources report one span, unless sources.together names them.',
      history: 'one hour',
      silenced_by: 'sources.together, where both are of one operator and report one call',
      next: `Search for trace_id:"${inertText(traceId, 100)}" span_id:"${inertText(spanId, 100)}" and compare the events: the same telemetry that is forwarded twice, or somebody who sends calls in another’s name`,
    },
  }
}
