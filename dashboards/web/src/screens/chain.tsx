import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import { type AuditEvent, type Finding, get } from '../api-client.ts'
import { ChainAxis } from '../charts/chain-axis.tsx'
import { foldGaps } from '../charts/fold-gaps.ts'
import { stepsOf } from '../charts/read-baseline.ts'
import { link, route, setParams } from '../location.ts'
import { formatCount } from '../number.ts'
import { usePages } from '../pages.ts'
import { FindingRow } from '../parts/finding-row.tsx'
import { Capability } from '../parts/marks.tsx'
import { Command, Empty, Panel, Problem, Skeleton } from '../parts/notice.tsx'
import { Plain } from '../parts/plain.tsx'
import { VirtualRows } from '../parts/virtual-rows.tsx'
import { formatDuration, formatWindow } from '../time.ts'
import { CallRow } from './chain-call.tsx'
import { EventDetail } from './event-detail.tsx'

const ROW_PX = 30
const SETTLED_POLL_MS = 15_000

interface ChainPage {
  readonly chain: string
  readonly events: readonly AuditEvent[]
  readonly findings: readonly Finding[]
  readonly next_cursor?: string
}

interface Chain extends Pick<ChainPage, 'chain' | 'events' | 'findings'> {
  /** Loads older calls; `undefined` when all are there. */
  readonly loadOlder: (() => void) | undefined
  readonly isLoading: boolean
}

/** Every call of one undertaking in order of time, with the calls that findings matched marked; the newest first to come. */
export function ChainScreen(): JSX.Element {
  const { key, event } = route.value.params
  const answer = usePages<ChainPage>(
    `chain ${key ?? ''}`,
    async (cursor, signal) => {
      if (key === undefined) return { items: [], next: undefined }
      const page = await get<ChainPage>('chains', { key, cursor }, signal)
      return { items: [page], next: page.next_cursor }
    },
    { pollMs: SETTLED_POLL_MS },
  )
  const chain = useMemo(() => chainOf(answer.items), [answer.items])
  const isMissing = key === undefined || (chain === undefined && answer.problem?.code === 'not_found')
  return (
    <div class={answer.stale ? 'screen screen-chain is-stale' : 'screen screen-chain'}>
      <header class="screen-head">
        <h1>Chain</h1>
        <span class="mono chain-key">
          <Plain text={key ?? ''} limit={120} mono />
        </span>
      </header>
      {isMissing ? null : <Problem problem={answer.problem} />}
      {isMissing ? (
        <NoChain />
      ) : chain === undefined ? (
        key !== undefined && answer.problem === undefined ? (
          <Skeleton lines={12} />
        ) : null
      ) : (
        <div class="events-body">
          <Calls chain={{ ...chain, loadOlder: answer.more, isLoading: answer.loadingMore }} chosen={event} />
          {event === undefined ? null : (
            <EventDetail
              id={event}
              known={chain.events.find((item) => item.event_id === event)}
              key={event}
            />
          )}
        </div>
      )}
      {chain === undefined || chain.findings.length === 0 ? null : (
        <Panel title="Findings on this chain">
          <ul class="rows">
            {chain.findings.map((finding) => (
              <FindingRow key={finding.finding_id} finding={finding} />
            ))}
          </ul>
        </Panel>
      )}
    </div>
  )
}

/** Pages come newest first, and are in order of time each. */
function chainOf(pages: readonly ChainPage[] | undefined): ChainPage | undefined {
  const newest = pages?.[0]
  if (pages === undefined || newest === undefined) return undefined
  return { ...newest, events: pages.toReversed().flatMap(({ events }) => events) }
}

function NoChain(): JSX.Element {
  return (
    <Empty title="No calls with this chain key.">
      <p>
        A chain groups the calls of one session, conversation or trace. Find one among the{' '}
        <a href={link(['events'])}>events</a>, or on the command line:
      </p>
      <Command text="npx gatewatch events --json" />
    </Empty>
  )
}

/** Rows of the list: calls, and the silences between them that were folded. */
type Line = { readonly call: number } | { readonly gapMs: number }

function Calls({ chain, chosen }: { chain: Chain; chosen: string | undefined }): JSX.Element {
  const { events, findings } = chain
  const folded = useMemo(() => foldGaps(events.map((event) => Date.parse(event.occurred_at))), [events])
  const steps = useMemo(() => matchedSteps(findings), [findings])
  const lines = useMemo(() => {
    const gaps = new Map(folded.folds.map((fold) => [fold.after, fold.ms]))
    return events.flatMap((_, call): Line[] => {
      const gapMs = gaps.get(call)
      return gapMs === undefined ? [{ call }] : [{ call }, { gapMs }]
    })
  }, [events, folded])
  const first = Date.parse(events[0]?.occurred_at ?? '')
  const last = Date.parse(events.at(-1)?.occurred_at ?? '')
  return (
    <section class="panel events-panel">
      <p class="chain-facts">
        <strong>
          {chain.loadOlder === undefined ? '' : 'newest '}
          {formatCount(events.length)} calls
        </strong>
        <span>
          by <Plain text={events[0]?.actor ?? ''} limit={48} />
        </span>
        <span>{formatWindow(first, last)}</span>
        <span>{formatDuration(last - first)}</span>
      </p>
      <ChainAxis events={events} positions={folded.positions} folds={folded.folds} steps={steps} />
      <Legend events={events} />
      <VirtualRows
        count={lines.length}
        rowHeight={() => ROW_PX}
        label="Calls in order"
        row={(at) => {
          const line = lines[at]
          if (line === undefined) return null
          if ('gapMs' in line) return <p class="chain-gap">{formatDuration(line.gapMs)} without calls</p>
          const event = events[line.call]
          return event === undefined ? null : (
            <CallRow
              event={event}
              sinceStartMs={Date.parse(event.occurred_at) - first}
              position={folded.positions[line.call] ?? 0}
              step={steps.get(event.event_id)}
              isChosen={event.event_id === chosen}
              onChoose={() =>
                setParams({ event: event.event_id === chosen ? undefined : event.event_id }, true)
              }
            />
          )
        }}
      />
      <p class="event-foot">
        {chain.loadOlder === undefined ? null : (
          <button type="button" class="quiet" onClick={chain.loadOlder} disabled={chain.isLoading}>
            {chain.isLoading ? 'Loading' : 'Load older calls'}
          </button>
        )}
        <a href={link(['events'], { chain: chain.chain, from: '-90d', to: 'now' })}>Same calls as events</a>
      </p>
    </section>
  )
}

/** The step of each call that a chained-calls finding matched. */
const matchedSteps = (findings: readonly Finding[]): ReadonlyMap<string, number> =>
  new Map(
    findings
      .filter((finding) => finding.detector === 'chain')
      .flatMap((finding) => stepsOf(finding.explanation.steps))
      .map((step) => [step.event_id, step.step]),
  )

function Legend({ events }: { events: readonly AuditEvent[] }): JSX.Element {
  const present = [...new Set(events.map((event) => event.capability))].sort()
  return (
    <p class="chain-legend">
      {present.map((capability) => (
        <Capability key={capability} capability={capability} named />
      ))}
    </p>
  )
}
