import type { JSX } from 'preact'
import type { AuditEvent } from '../api-client.ts'
import { formatDuration } from '../time.ts'
import { capabilityOf } from '../words.ts'
import type { Fold } from './fold-gaps.ts'

/** More marks than pixels say nothing more; the list below has every call. */
const MOST_MARKS = 1500

/** All calls of a chain on one line of time, silences folded, matched steps numbered above the line. */
export function ChainAxis(props: {
  events: readonly AuditEvent[]
  positions: readonly number[]
  folds: readonly Fold[]
  steps: ReadonlyMap<string, number>
}): JSX.Element {
  const every = Math.ceil(props.events.length / MOST_MARKS)
  return (
    <div
      class="axis"
      role="img"
      aria-label={`${props.events.length} calls in order, ${props.folds.length} silences folded, ${props.steps.size} matched steps.`}
    >
      {props.folds.map((fold) => {
        const left = props.positions[fold.after] ?? 0
        const right = props.positions[fold.after + 1] ?? left
        return (
          <span
            key={fold.after}
            class="axis-fold"
            title={`${formatDuration(fold.ms)} without calls`}
            style={{ left: `${left * 100}%`, width: `${(right - left) * 100}%` }}
          />
        )
      })}
      {props.events.map((event, at) => {
        const step = props.steps.get(event.event_id)
        if (step === undefined && at % every !== 0) return null
        const { group } = capabilityOf(event.capability)
        const trouble = event.outcome === 'success' || event.outcome === 'unknown' ? '' : ' is-trouble'
        return (
          <span
            key={event.event_id}
            class={`axis-mark group-${group}${trouble}${step === undefined ? '' : ' is-step'}`}
            style={{ left: `${(props.positions[at] ?? 0) * 100}%` }}
          >
            {step ?? ''}
          </span>
        )
      })}
    </div>
  )
}
