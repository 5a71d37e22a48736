import type { JSX } from 'preact'
import { type AuditEvent, type Baseline, type Finding, get } from '../api-client.ts'
import { AdoptionList } from '../charts/adoption-list.tsx'
import { BaselineChart } from '../charts/baseline-chart.tsx'
import { readBaseline, stepsOf } from '../charts/read-baseline.ts'
import { StepList } from '../charts/step-list.tsx'
import { WeekHeatMap } from '../charts/week-heat-map.tsx'
import { useQuery } from '../live.ts'
import { Panel, Problem, Skeleton } from '../parts/notice.tsx'

const TITLES: Readonly<Record<string, string>> = {
  volume: 'Against the actor’s own past',
  'off-hours': 'When this actor is usually active',
  'new-value': 'Who used it, and since when',
  chain: 'The steps, in order',
}

/** The picture that belongs to the kind of finding: the expectation drawn, what broke it marked. */
export function FindingPicture({
  finding,
  events,
}: {
  finding: Finding
  events: readonly AuditEvent[]
}): JSX.Element {
  const baseline = useQuery(
    `baseline ${finding.finding_id}`,
    (signal) => get<Baseline>(`findings/${encodeURIComponent(finding.finding_id)}/baseline`, {}, signal),
    { pollMs: 0 },
  )
  return (
    <Panel title={TITLES[finding.detector] ?? 'Baseline'}>
      <div class="panel-body">
        <Problem problem={baseline.problem} />
        {baseline.data === undefined ? (
          baseline.problem === undefined ? (
            <Skeleton lines={6} />
          ) : null
        ) : (
          <Picture baseline={baseline.data} finding={finding} events={events} />
        )}
      </div>
    </Panel>
  )
}

function Picture(props: {
  baseline: Baseline
  finding: Finding
  events: readonly AuditEvent[]
}): JSX.Element {
  const { finding, events } = props
  const picture = readBaseline(props.baseline)
  const ownSteps = stepsOf(finding.explanation.steps)
  switch (picture.kind) {
    case 'volume':
      return <BaselineChart series={{ ...picture, window: finding.window }} />
    case 'off-hours':
      return <WeekHeatMap {...picture} />
    case 'new-value':
      return <AdoptionList firstSeen={picture.firstSeen} actor={finding.actor} />
    case 'chain':
      // The rule's own steps say which calls belong to one step; the baseline only knows their order.
      return <StepList steps={ownSteps.length > 0 ? ownSteps : picture.steps} events={events} />
    default:
      return <p class="dim">This kind of finding has no picture; the figures are below.</p>
  }
}
