import type { JSX } from 'preact'
import { type AlertAction, type AlertDetail, get } from '../api-client.ts'
import { useQuery } from '../live.ts'
import { link } from '../location.ts'
import { AlertButtons } from '../parts/alert-buttons.tsx'
import { DeliveryTable } from '../parts/delivery-table.tsx'
import { FindingRow } from '../parts/finding-row.tsx'
import { AlertStatus, Kind, Severity } from '../parts/marks.tsx'
import { Panel, Problem, Skeleton } from '../parts/notice.tsx'
import { Ago, Plain, Time } from '../parts/plain.tsx'
import { inert } from '../text.ts'
import { closeReasonName } from '../words.ts'

export function AlertScreen({ id }: { id: string }): JSX.Element {
  const detail = useQuery(`alert ${id}`, (signal) =>
    get<AlertDetail>(`alerts/${encodeURIComponent(id)}`, {}, signal),
  )
  if (detail.data === undefined) {
    return (
      <div class="screen">
        <Problem problem={detail.problem} />
        {detail.problem === undefined ? <Skeleton lines={8} /> : null}
      </div>
    )
  }
  const { alert, actions, findings, deliveries } = detail.data
  return (
    <div class="screen" data-keys>
      <a class="back" href={link(['alerts'])} data-escape>
        Alerts
      </a>
      <header class="finding-head">
        <p class="row-marks">
          <Severity severity={alert.severity} />
          <Kind detector={alert.detector} />
          <AlertStatus status={alert.status} reason={alert.closed_reason} />
        </p>
        <h1>
          <Plain text={alert.title} limit={1000} />
        </h1>
        <p class="row-facts">
          <a href={link(['events'], { actor: alert.actor })}>
            <Plain text={alert.actor === '' ? alert.entity.id : alert.actor} limit={64} />
          </a>
          <span>
            rule <Plain text={alert.rule} limit={48} />
          </span>
          <span>
            opened <Ago iso={alert.opened_at} />
          </span>
          <span>
            last change <Ago iso={alert.updated_at} />
          </span>
        </p>
        <AlertButtons alert={alert} />
      </header>
      <Problem problem={detail.problem} />
      <div class="columns">
        <div class="stack wide">
          <Panel title={findings.length === 1 ? 'Finding' : `Findings (${findings.length})`}>
            <ul class="rows">
              {findings.map((finding) => (
                <FindingRow key={finding.finding_id} finding={finding} />
              ))}
            </ul>
          </Panel>
          <Panel title="Deliveries">
            {deliveries.length === 0 ? (
              <p class="panel-body dim">
                Nothing was sent: no receiver wants this severity, or the finding was too old to page for.
              </p>
            ) : (
              <DeliveryTable deliveries={deliveries} />
            )}
          </Panel>
        </div>
        <Panel title="History">
          <ol class="history">
            {actions.toReversed().map((action, at) => (
              <Action key={`${action.kind} ${action.at} ${actions.length - at}`} action={action} />
            ))}
          </ol>
        </Panel>
      </div>
    </div>
  )
}

const ACTION_WORDS: Readonly<Record<string, string>> = {
  opened: 'Opened',
  finding_added: 'Another finding',
  finding_superseded: 'A finding was superseded',
  acknowledged: 'Acknowledged',
  closed: 'Closed',
}

function Action({ action }: { action: AlertAction }): JSX.Element {
  return (
    <li>
      <p>
        <strong>{ACTION_WORDS[action.kind] ?? inert(action.kind)}</strong>
        {action.reason === undefined ? null : <> as {inert(closeReasonName(action.reason))}</>} by{' '}
        <Plain text={action.by} limit={40} />
      </p>
      {action.note === undefined ? null : (
        <blockquote>
          <bdi>{inert(action.note)}</bdi>
        </blockquote>
      )}
      <Time iso={action.at} seconds />
    </li>
  )
}
