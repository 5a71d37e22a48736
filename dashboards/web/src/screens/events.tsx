import type { JSX } from 'preact'
import { useRef } from 'preact/hooks'
import { type AuditEvent, get, type VolumeBucket } from '../api-client.ts'
import { VolumeChart } from '../charts/volume-chart.tsx'
import { isLive, useQuery } from '../live.ts'
import { link, range, route, setParams } from '../location.ts'
import { formatCount } from '../number.ts'
import { usePages } from '../pages.ts'
import { EventTable } from '../parts/event-table.tsx'
import { Choice, FilterChip, Filters } from '../parts/filters.tsx'
import { Command, Empty, Problem, Skeleton } from '../parts/notice.tsx'
import { rangeMs } from '../parts/range-picker.tsx'
import { SearchBar } from '../parts/search-bar.tsx'
import { chooseStepSeconds } from '../time.ts'
import { CAPABILITIES, OUTCOMES } from '../words.ts'
import { EventDetail } from './event-detail.tsx'
import { Facets } from './facets.tsx'

const PAGE = 200

/** Raw events of the range, newest first, narrowed by the filter language and the facets. */
export function EventsScreen(): JSX.Element {
  const { from, to } = range.value
  const { q, actor, server, tool, outcome, capability, chain, event } = route.value.params
  const query = { from, to, q, actor, server, tool, outcome, capability, chain }
  const key = JSON.stringify(query)
  const pages = usePages<AuditEvent>(`events ${key}`, (cursor, signal) =>
    get<{ events: AuditEvent[]; next_cursor?: string }>(
      'events',
      { ...query, limit: PAGE, cursor },
      signal,
    ).then((page) => ({ items: page.events, next: page.next_cursor })),
  )
  const box = useRef<HTMLDivElement>(null)
  return (
    <div class={pages.stale ? 'screen screen-events is-stale' : 'screen screen-events'} ref={box}>
      <header class="screen-head">
        <h1>Events</h1>
        <SearchBar problem={pages.problem} />
        <Filters>
          <Choice
            name="outcome"
            label="Outcome"
            options={OUTCOMES.map((value) => ({ value, name: value }))}
          />
          <Choice
            name="capability"
            label="Capability"
            options={Object.keys(CAPABILITIES).map((value) => ({ value, name: value }))}
          />
          <FilterChip name="actor" />
          <FilterChip name="server" />
          <FilterChip name="tool" />
          <FilterChip name="chain" />
        </Filters>
      </header>
      {pages.problem?.code === 'filter_syntax' ? null : <Problem problem={pages.problem} />}
      <Histogram query={query} />
      <div class="events-body">
        <Facets query={query} />
        <section class="panel events-panel">
          {pages.items === undefined ? (
            <Skeleton lines={12} />
          ) : pages.items.length === 0 ? (
            <NoEvents />
          ) : (
            <EventTable
              events={pages.items}
              chosen={event}
              onEnd={pages.more}
              onChoose={(id) => setParams({ event: id === event ? undefined : id }, true)}
              foot={`${formatCount(pages.items.length)}${pages.more === undefined ? '' : '+'} events${isLive.value ? '' : ', paused'}`}
            />
          )}
        </section>
        {event === undefined ? null : (
          <EventDetail id={event} known={pages.items?.find((item) => item.event_id === event)} key={event} />
        )}
      </div>
    </div>
  )
}

function Histogram({ query }: { query: Readonly<Record<string, string | undefined>> }): JSX.Element | null {
  const { fromMs, toMs } = rangeMs()
  const stepSeconds = chooseStepSeconds(toMs - fromMs)
  const volume = useQuery(`histogram ${stepSeconds} ${JSON.stringify(query)}`, (signal) =>
    get<{ step_seconds: number; buckets: VolumeBucket[] }>(
      'volume',
      { ...query, step_seconds: stepSeconds },
      signal,
    ),
  )
  if (volume.data === undefined) return null
  return (
    <div class="panel histogram">
      <VolumeChart
        buckets={volume.data.buckets}
        stepSeconds={volume.data.step_seconds}
        findings={[]}
        height={104}
      />
    </div>
  )
}

function NoEvents(): JSX.Element {
  return (
    <Empty title="No events match.">
      <p>
        Take away a filter, or <a href={link(['events'], { from: '-28d', to: 'now' })}>look at 28 days</a>. If
        nothing has arrived yet, send your gateway’s log:
      </p>
      <Command text="npx gatewatch ingest gateway.log --format auto" />
    </Empty>
  )
}
