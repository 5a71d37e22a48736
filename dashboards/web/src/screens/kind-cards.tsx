import type { JSX } from 'preact'
import { type Finding, type FindingDetail, get } from '../api-client.ts'
import { useQuery } from '../live.ts'
import { link } from '../location.ts'
import { formatCount } from '../number.ts'
import { DeliveryMark, Severity } from '../parts/marks.tsx'
import { Skeleton } from '../parts/notice.tsx'
import { Ago, Plain } from '../parts/plain.tsx'
import { rangeMs } from '../parts/range-picker.tsx'
import { cut, inert } from '../text.ts'
import { KINDS, type KindOfFinding } from '../words.ts'

/** How far back the newest finding of a kind is looked for when the range has none. */
const LOOK_BACK = '-90d'
const SETTLED_POLL_MS = 30_000

/** One card for each kind of finding, always all four: how many, and the newest with what it caused. */
export function KindCards({ counts }: { counts: Readonly<Record<string, number>> | undefined }): JSX.Element {
  return (
    <section class="kind-cards" aria-label="Findings by kind">
      {KINDS.map((kind) => (
        <KindCard key={kind.id} kind={kind} count={counts?.[kind.id] ?? 0} isKnown={counts !== undefined} />
      ))}
    </section>
  )
}

function KindCard({
  kind,
  count,
  isKnown,
}: {
  kind: KindOfFinding
  count: number
  isKnown: boolean
}): JSX.Element {
  // The count is part of the question: a new finding in the range has it asked again at once.
  const newest = useQuery(
    `kind ${kind.id} ${count}`,
    (signal) =>
      get<{ findings: Finding[] }>(
        'findings',
        { detector: kind.id, from: LOOK_BACK, to: 'now', status: 'current', limit: 1 },
        signal,
      ),
    { pollMs: SETTLED_POLL_MS },
  )
  const finding = newest.data?.findings[0]
  return (
    <article class="panel kind-card">
      <header class="panel-head">
        <h2 title={kind.meaning}>{kind.name}</h2>
        <a class="kind-count" href={link(['findings'], { detector: kind.id })}>
          {isKnown ? formatCount(count) : '–'} <span class="dim">in range</span>
        </a>
      </header>
      {newest.data === undefined ? (
        <Skeleton lines={3} />
      ) : finding === undefined ? (
        <p class="dim kind-none">{kind.meaning}. None found so far.</p>
      ) : (
        <Newest finding={finding} />
      )}
    </article>
  )
}

function Newest({ finding }: { finding: Finding }): JSX.Element {
  const { fromMs } = rangeMs()
  const isOlder = Date.parse(finding.last_event_at) < fromMs
  return (
    <>
      <a
        class="kind-sentence"
        href={link(['findings', finding.finding_id])}
        title={inert(cut(finding.title, 1000))}
        data-row
      >
        <Plain text={finding.title} limit={300} />
      </a>
      <p class="kind-facts">
        <Severity severity={finding.severity} />
        <Plain text={finding.actor === '' ? finding.entity.id : finding.actor} limit={30} />
        <span class="dim">
          <Ago iso={finding.last_event_at} />
          {isOlder ? ', before the range' : ''}
        </span>
      </p>
      <Caused finding={finding} />
    </>
  )
}

/** The newest message that the finding caused, and how many there were. */
function Caused({ finding }: { finding: Finding }): JSX.Element | null {
  const detail = useQuery(`caused ${finding.finding_id}`, (signal) =>
    get<FindingDetail>(`findings/${encodeURIComponent(finding.finding_id)}`, {}, signal),
  )
  if (detail.data === undefined) return <Skeleton lines={1} />
  const { alert_id, deliveries } = detail.data
  if (deliveries.length === 0) {
    return (
      <p class="kind-delivery dim">{alert_id === undefined ? 'No alert.' : 'Alert without a delivery.'}</p>
    )
  }
  const newest = deliveries.reduce((a, b) => (b.created_at > a.created_at ? b : a))
  return (
    <div class="kind-delivery">
      <a href={link(['alerts', newest.alert_id])}>
        <DeliveryMark delivery={newest} />
      </a>
      {deliveries.length > 1 ? <span class="dim">the newest of {deliveries.length} messages</span> : null}
    </div>
  )
}
