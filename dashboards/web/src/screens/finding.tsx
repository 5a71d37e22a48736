import type { JSX } from 'preact'
import { type AuditEvent, type Finding, type FindingDetail, get } from '../api-client.ts'
import { useQuery } from '../live.ts'
import { link } from '../location.ts'
import { formatNumber } from '../number.ts'
import { EventList } from '../parts/event-list.tsx'
import { Fields, Value } from '../parts/explain.tsx'
import { DeliveryMark, Kind, Severity } from '../parts/marks.tsx'
import { Panel, Problem, Skeleton } from '../parts/notice.tsx'
import { Ago, Plain } from '../parts/plain.tsx'
import { formatWindow } from '../time.ts'
import { FindingPicture } from './finding-picture.tsx'

const SETTLED_POLL_MS = 15_000
const SAID_ELSEWHERE = new Set(['observed', 'expected', 'history', 'silenced_by', 'peers'])

export function FindingScreen({ id }: { id: string }): JSX.Element {
  const detail = useQuery(
    `finding ${id}`,
    (signal) => get<FindingDetail>(`findings/${encodeURIComponent(id)}`, {}, signal),
    { pollMs: SETTLED_POLL_MS },
  )
  if (detail.data === undefined) {
    return (
      <div class="screen">
        <Problem problem={detail.problem} />
        {detail.problem === undefined ? <Skeleton lines={10} /> : null}
      </div>
    )
  }
  const { finding, events } = detail.data
  return (
    <div class="screen">
      <a class="back" href={link(['findings'])} data-escape>
        Findings
      </a>
      <Head finding={finding} />
      <Problem problem={detail.problem} />
      <div class="columns">
        <div class="stack wide">
          <FindingPicture finding={finding} events={events} />
          <div class="versus">
            <section>
              <h2>Observed</h2>
              <Value value={finding.explanation.observed} />
            </section>
            <section>
              <h2>Expected</h2>
              <Value value={finding.explanation.expected} />
            </section>
          </div>
          <Panel
            title={`Events (${formatNumber(finding.event_count)})`}
            aside={
              <a
                href={link(['events'], {
                  from: finding.window.start,
                  to: finding.window.end,
                  actor: finding.actor,
                })}
              >
                All of this window
              </a>
            }
          >
            <EventList events={events} />
          </Panel>
        </div>
        <Side detail={detail.data} />
      </div>
    </div>
  )
}

function Head({ finding }: { finding: Finding }): JSX.Element {
  return (
    <header class="finding-head">
      <p class="row-marks">
        <Severity severity={finding.severity} />
        <Kind detector={finding.detector} />
        {finding.status === 'superseded' ? <span class="tag">superseded by a later judgement</span> : null}
      </p>
      <h1>
        <Plain text={finding.title} limit={1000} />
      </h1>
      <p class="row-facts">
        <a href={link(['events'], { actor: finding.actor })}>
          <Plain text={finding.actor === '' ? finding.entity.id : finding.actor} limit={64} />
        </a>
        <span title={`${finding.window.start} – ${finding.window.end}`}>
          {formatWindow(Date.parse(finding.window.start), Date.parse(finding.window.end))}
        </span>
        <span title="How improbable: the negative power of ten of the chance, or bits of surprise">
          score {formatNumber(finding.score)}
        </span>
        {finding.found_at === undefined ? null : (
          <span>
            found <Ago iso={finding.found_at} />
          </span>
        )}
      </p>
    </header>
  )
}

function Side({ detail }: { detail: FindingDetail }): JSX.Element {
  const { finding } = detail
  const { history, peers, silenced_by } = finding.explanation
  const rest = Object.fromEntries(
    Object.entries(finding.explanation).filter(
      ([key, value]) => !SAID_ELSEWHERE.has(key) && !(typeof value === 'object' && value !== null),
    ),
  )
  return (
    <div class="stack">
      <Panel title="Alert and deliveries">
        <Caused detail={detail} />
      </Panel>
      <Panel title="Chains">
        <Chains events={detail.events} finding={finding} />
      </Panel>
      <Panel title="From how much history">
        <div class="panel-body">
          <Value value={history} />
        </div>
      </Panel>
      {peers === undefined ? null : (
        <Panel title="Peers">
          <div class="panel-body">
            <Value value={peers} />
          </div>
        </Panel>
      )}
      <Panel title="What would have silenced it">
        <div class="panel-body">
          <Value value={silenced_by} />
        </div>
      </Panel>
      <Panel title="Rule">
        <div class="panel-body">
          <Fields
            fields={{
              rule: finding.rule,
              version: finding.rule_version,
              finding_id: finding.finding_id,
              ...rest,
            }}
          />
        </div>
      </Panel>
    </div>
  )
}

function Caused({ detail }: { detail: FindingDetail }): JSX.Element {
  if (detail.alert_id === undefined) return <p class="panel-body dim">This finding opened no alert.</p>
  return (
    <div class="panel-body stack-small">
      <a href={link(['alerts', detail.alert_id])}>Open the alert</a>
      {detail.deliveries.length === 0 ? (
        <span class="dim">
          Nothing was sent: no receiver wants this severity, or the finding was too old.
        </span>
      ) : (
        detail.deliveries.map((delivery) => <DeliveryMark key={delivery.delivery_id} delivery={delivery} />)
      )}
    </div>
  )
}

/** The undertakings that the events belong to, those with most events first. */
function Chains({ events, finding }: { events: readonly AuditEvent[]; finding: Finding }): JSX.Element {
  const counts = new Map<string, number>()
  if (finding.entity.type === 'chain') counts.set(finding.entity.id, 0)
  for (const event of events) counts.set(event.chain, (counts.get(event.chain) ?? 0) + 1)
  const chains = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 8)
  if (chains.length === 0) return <p class="panel-body dim">No events are stored for it any more.</p>
  return (
    <ul class="bars">
      {chains.map(([chain, count]) => (
        <li key={chain}>
          <a
            href={link(['chain'], {
              key: chain,
              finding: finding.finding_id,
              from: undefined,
              to: undefined,
            })}
          >
            <span class="bars-name">
              <Plain text={chain} limit={38} mono />
            </span>
            <span class="number">{count}</span>
          </a>
        </li>
      ))}
    </ul>
  )
}
