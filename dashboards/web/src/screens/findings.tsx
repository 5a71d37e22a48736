import type { JSX } from 'preact'
import { type Finding, get } from '../api-client.ts'
import { link, range, route } from '../location.ts'
import { usePages } from '../pages.ts'
import { Choice, FilterChip, Filters } from '../parts/filters.tsx'
import { FindingRow } from '../parts/finding-row.tsx'
import { Command, Empty, Problem, Skeleton } from '../parts/notice.tsx'
import { KINDS, SEVERITIES } from '../words.ts'

/** Findings of the range, the newest window first. */
export function FindingsScreen(): JSX.Element {
  const { from, to } = range.value
  const { detector, severity, actor, rule, status } = route.value.params
  const query = { from, to, detector, severity, actor, rule, status: status ?? 'current' }
  const pages = usePages<Finding>(`findings ${JSON.stringify(query)}`, (cursor, signal) =>
    get<{ findings: Finding[]; next_cursor?: string }>(
      'findings',
      { ...query, limit: 100, cursor },
      signal,
    ).then((page) => ({ items: page.findings, next: page.next_cursor })),
  )
  return (
    <div class={pages.stale ? 'screen is-stale' : 'screen'}>
      <header class="screen-head">
        <h1>Findings</h1>
        <Filters>
          <Choice
            name="detector"
            label="Kind"
            options={KINDS.map((kind) => ({ value: kind.id, name: kind.name }))}
          />
          <Choice
            name="severity"
            label="Severity"
            options={SEVERITIES.map((value) => ({ value, name: value }))}
          />
          <Choice
            name="status"
            label="Status"
            none="current"
            options={[{ value: 'superseded', name: 'superseded' }]}
          />
          <FilterChip name="actor" />
          <FilterChip name="rule" />
        </Filters>
      </header>
      <Problem problem={pages.problem} />
      {pages.items === undefined ? (
        <Skeleton lines={10} />
      ) : pages.items.length === 0 ? (
        <Empty title="No findings match.">
          <p>
            Look further back, over <a href={link(['findings'], { from: '-28d', to: 'now' })}>28 days</a>, or
            see what the detectors would have said about any past range:
          </p>
          <Command text="npx gatewatch backtest --from -28d --to now" />
        </Empty>
      ) : (
        <ul class="rows panel">
          {pages.items.map((finding) => (
            <FindingRow key={finding.finding_id} finding={finding} />
          ))}
        </ul>
      )}
      {pages.more === undefined ? null : (
        <button type="button" class="more" onClick={pages.more} disabled={pages.loadingMore}>
          {pages.loadingMore ? 'Loading…' : 'Load more'}
        </button>
      )}
    </div>
  )
}
