import type { JSX } from 'preact'
import { type Alert, get } from '../api-client.ts'
import { link, route } from '../location.ts'
import { usePages } from '../pages.ts'
import { AlertButtons } from '../parts/alert-buttons.tsx'
import { Choice, FilterChip, Filters } from '../parts/filters.tsx'
import { AlertStatus, Kind, Severity } from '../parts/marks.tsx'
import { Command, Empty, Problem, Skeleton } from '../parts/notice.tsx'
import { Ago, Plain } from '../parts/plain.tsx'
import { SEVERITIES } from '../words.ts'

/** The queue: alerts with what is to be done about them. All ages; the range does not hide an open alert. */
export function AlertsScreen(): JSX.Element {
  const { status, severity, digest } = route.value.params
  const pages = usePages<Alert>(
    `alerts ${status ?? ''} ${severity ?? ''} ${digest ?? ''}`,
    (cursor, signal) =>
      get<{ alerts: Alert[]; next_cursor?: string }>(
        'alerts',
        { status, severity, digest, limit: 100, cursor },
        signal,
      ).then((page) => ({ items: page.alerts, next: page.next_cursor })),
  )
  return (
    <div class={pages.stale ? 'screen is-stale' : 'screen'}>
      <header class="screen-head">
        <h1>Alerts</h1>
        <Filters>
          <Choice
            name="status"
            label="Status"
            options={['open', 'acknowledged', 'closed'].map((value) => ({ value, name: value }))}
          />
          <Choice
            name="severity"
            label="Severity"
            options={SEVERITIES.map((value) => ({ value, name: value }))}
          />
          <FilterChip name="actor" />
          <FilterChip name="digest" />
        </Filters>
      </header>
      <Problem problem={pages.problem} />
      {pages.items === undefined ? (
        <Skeleton lines={10} />
      ) : pages.items.length === 0 ? (
        <Empty title={status === 'open' ? 'The queue is empty.' : 'No alerts match.'}>
          <p>
            Alerts open when a detector finds something. To see what the rules would have found in the past:
          </p>
          <Command text="npx gatewatch backtest --from -28d --to now" />
        </Empty>
      ) : (
        <ul class="rows panel">
          {pages.items.map((alert) => (
            <AlertRow key={alert.alert_id} alert={alert} />
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

function AlertRow({ alert }: { alert: Alert }): JSX.Element {
  const sent = alert.deliveries_summary
  return (
    <li class={`row row-acts is-${alert.status === 'closed' ? 'closed' : 'open'}`} data-keys>
      <div class="row-body">
        <a class="row-main" href={link(['alerts', alert.alert_id])} data-row>
          <span class="row-marks">
            <Severity severity={alert.severity} />
            <Kind detector={alert.detector} />
            <AlertStatus status={alert.status} reason={alert.closed_reason} />
          </span>
          <span class="row-title">
            <Plain text={alert.title} limit={500} />
          </span>
        </a>
        <div class="row-facts">
          <Plain text={alert.actor === '' ? alert.entity.id : alert.actor} limit={48} />
          <span>
            {alert.finding_ids.length} {alert.finding_ids.length === 1 ? 'finding' : 'findings'}
          </span>
          <span>
            opened <Ago iso={alert.opened_at} />
          </span>
          {alert.acknowledged_by === undefined ? null : (
            <span>
              taken by <Plain text={alert.acknowledged_by} limit={32} />
            </span>
          )}
          {sent === undefined ? null : <Sent summary={sent} />}
        </div>
      </div>
      <AlertButtons alert={alert} />
    </li>
  )
}

function Sent({ summary }: { summary: NonNullable<Alert['deliveries_summary']> }): JSX.Element {
  const states = (['delivered', 'due', 'failed', 'digested'] as const).filter((state) => summary[state] > 0)
  if (states.length === 0) return <span>nothing sent</span>
  return (
    <span class={summary.failed > 0 ? 'tone-bad' : ''}>
      {states.map((state) => `${summary[state]} ${state}`).join(', ')}
    </span>
  )
}
