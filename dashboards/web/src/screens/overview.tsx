import type { JSX } from 'preact'
import {
  type Alert,
  type Delivery,
  type Finding,
  get,
  type Overview,
  type VolumeBucket,
} from '../api-client.ts'
import { VolumeChart } from '../charts/volume-chart.tsx'
import { useQuery } from '../live.ts'
import { link, range } from '../location.ts'
import { formatCount } from '../number.ts'
import { FindingRow } from '../parts/finding-row.tsx'
import { DeliveryMark } from '../parts/marks.tsx'
import { Command, Empty, Panel, Problem, Skeleton } from '../parts/notice.tsx'
import { Plain } from '../parts/plain.tsx'
import { rangeMs } from '../parts/range-picker.tsx'
import { chooseStepSeconds } from '../time.ts'
import { SEVERITIES } from '../words.ts'
import { KindCards } from './kind-cards.tsx'
import { OverviewTiles } from './overview-tiles.tsx'

/** The delivery that tells most about a finding: that of its alert, the newest attempt first. */
function useDeliveries(): {
  deliveries: readonly Delivery[]
  deliveryOf: (finding: Finding) => Delivery | undefined
} {
  const alerts = useQuery('overview-alerts', (signal) =>
    get<{ alerts: Alert[] }>('alerts', { limit: 200 }, signal),
  )
  const deliveries = useQuery('overview-deliveries', (signal) =>
    get<{ deliveries: Delivery[] }>('deliveries', { limit: 500 }, signal),
  )
  const alertOf = new Map<string, string>()
  for (const alert of alerts.data?.alerts ?? []) {
    for (const id of alert.finding_ids) alertOf.set(id, alert.alert_id)
  }
  const byAlert = new Map<string, Delivery>()
  for (const delivery of deliveries.data?.deliveries ?? []) {
    if (!byAlert.has(delivery.alert_id)) byAlert.set(delivery.alert_id, delivery)
  }
  return {
    deliveries: deliveries.data?.deliveries ?? [],
    deliveryOf: (finding) => byAlert.get(alertOf.get(finding.finding_id) ?? ''),
  }
}

export function OverviewScreen(): JSX.Element {
  const { from, to } = range.value
  const { fromMs, toMs } = rangeMs()
  const stepSeconds = chooseStepSeconds(toMs - fromMs)
  const overview = useQuery(`overview ${from} ${to}`, (signal) =>
    get<Overview>('overview', { from, to }, signal),
  )
  const volume = useQuery(`volume ${from} ${to} ${stepSeconds}`, (signal) =>
    get<{ step_seconds: number; buckets: VolumeBucket[] }>(
      'volume',
      { from, to, step_seconds: stepSeconds },
      signal,
    ),
  )
  const newest = useQuery(`newest ${from} ${to}`, (signal) =>
    get<{ findings: Finding[] }>('findings', { from, to, status: 'current', limit: 50 }, signal),
  )
  const { deliveries, deliveryOf } = useDeliveries()
  const findings = newest.data?.findings ?? []
  const data = overview.data

  return (
    <div class={overview.stale ? 'screen is-stale' : 'screen'}>
      <h1 class="sr-only">Overview</h1>
      <Problem problem={overview.problem ?? volume.problem ?? newest.problem} />
      {data === undefined ? <Skeleton lines={2} /> : <OverviewTiles overview={data} />}
      <div class="columns">
        <Panel title="Call volume" class="wide">
          {volume.data === undefined ? (
            <Skeleton lines={6} />
          ) : (
            <VolumeChart
              buckets={volume.data.buckets}
              stepSeconds={volume.data.step_seconds}
              findings={findings}
            />
          )}
        </Panel>
        <Panel title="Open alerts" aside={<a href={link(['alerts'])}>Queue</a>}>
          {data === undefined ? <Skeleton /> : <OpenAlerts counts={data.open_alerts_by_severity} />}
          <DeliverySummary deliveries={deliveries} />
        </Panel>
      </div>
      <KindCards counts={data?.findings_by_detector} />
      <div class="columns">
        <Panel title="Newest findings" class="wide" aside={<a href={link(['findings'])}>All findings</a>}>
          {newest.data === undefined ? (
            <Skeleton lines={8} />
          ) : findings.length === 0 ? (
            <NoFindings events={data?.ingest.events_total ?? 0} />
          ) : (
            <ul class="rows">
              {findings.slice(0, 12).map((finding) => {
                const delivery = deliveryOf(finding)
                return (
                  <FindingRow key={finding.finding_id} finding={finding}>
                    {delivery === undefined ? null : <DeliveryMark delivery={delivery} />}
                  </FindingRow>
                )
              })}
            </ul>
          )}
        </Panel>
        <Panel title="Busiest actors">
          {data === undefined ? <Skeleton /> : <TopActors actors={data.top_actors} />}
        </Panel>
      </div>
    </div>
  )
}

function OpenAlerts({ counts }: { counts: Overview['open_alerts_by_severity'] }): JSX.Element {
  const most = Math.max(1, ...SEVERITIES.map((severity) => counts[severity] ?? 0))
  return (
    <ul class="bars">
      {SEVERITIES.map((severity) => {
        const count = counts[severity] ?? 0
        return (
          <li key={severity}>
            <a href={link(['alerts'], { status: 'open', severity })}>
              <span class="bars-name">{severity}</span>
              <span class="bars-line">
                <i class={`fill-${severity}`} style={{ width: `${(count / most) * 100}%` }} />
              </span>
              <span class="number">{formatCount(count)}</span>
            </a>
          </li>
        )
      })}
    </ul>
  )
}

/** What became of what was sent: the newest deliveries counted by state, and the newest of all. */
function DeliverySummary({ deliveries }: { deliveries: readonly Delivery[] }): JSX.Element | null {
  const [newest] = deliveries
  if (newest === undefined) return null
  const count = (status: string): number => deliveries.filter((delivery) => delivery.status === status).length
  const failed = count('failed')
  return (
    <div class="sent">
      <p>
        <a href={link(['deliveries'])}>Deliveries</a> {formatCount(count('delivered'))} delivered,{' '}
        {formatCount(count('due'))} due,{' '}
        <span class={failed > 0 ? 'tone-bad' : ''}>{formatCount(failed)} failed</span>
      </p>
      <DeliveryMark delivery={newest} />
    </div>
  )
}

function TopActors({ actors }: { actors: Overview['top_actors'] }): JSX.Element {
  if (actors.length === 0) return <Empty title="No calls in this range." />
  const most = Math.max(1, ...actors.map((entry) => entry.calls))
  return (
    <ul class="bars">
      {actors.slice(0, 12).map((entry) => (
        <li key={entry.actor}>
          <a href={link(['events'], { actor: entry.actor })}>
            <span class="bars-name">
              <Plain text={entry.actor} limit={28} />
            </span>
            <span class="bars-line">
              <i class="fill-bar" style={{ width: `${(entry.calls / most) * 100}%` }} />
            </span>
            <span class="number">{formatCount(entry.calls)}</span>
          </a>
          {entry.findings > 0 ? (
            <a class="bars-tag" href={link(['findings'], { actor: entry.actor })}>
              {entry.findings} {entry.findings === 1 ? 'finding' : 'findings'}
            </a>
          ) : null}
        </li>
      ))}
    </ul>
  )
}

function NoFindings({ events }: { events: number }): JSX.Element {
  return events === 0 ? (
    <Empty title="Nothing has arrived yet.">
      <p>Send your gateway’s log, or watch the demo organisation:</p>
      <Command text="npx gatewatch ingest gateway.log --format auto" />
      <Command text="npm run demo" />
    </Empty>
  ) : (
    <Empty title="No findings in this range.">
      <p>
        Detectors need history: three active days for volume, seven for off-hours and new tools. Widen the
        range to <a href={link(['findings'], { from: '-28d', to: 'now' })}>28 days</a>, or ask the past what
        it would have found:
      </p>
      <Command text="npx gatewatch backtest --from -28d --to now" />
    </Empty>
  )
}
