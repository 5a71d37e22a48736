import type { JSX } from 'preact'
import type { AuditEvent } from '../api-client.ts'
import { toolName } from '../event-fields.ts'
import { Capability, Outcome } from '../parts/marks.tsx'
import { Plain } from '../parts/plain.tsx'
import { formatDuration, formatElapsed } from '../time.ts'
import { capabilityOf } from '../words.ts'

/** One call of a chain: when since the start, where on the axis, what, and how it ended. */
export function CallRow(props: {
  event: AuditEvent
  sinceStartMs: number
  position: number
  step: number | undefined
  isChosen: boolean
  onChoose: () => void
}): JSX.Element {
  const { event, step } = props
  const classes = ['chain-row']
  if (props.isChosen) classes.push('is-chosen')
  if (step !== undefined) classes.push('is-step')
  return (
    <button
      type="button"
      class={classes.join(' ')}
      data-row
      onClick={props.onChoose}
      title={event.occurred_at}
    >
      <span class="chain-since number">+{formatElapsed(props.sinceStartMs)}</span>
      <span class="chain-lane" aria-hidden="true">
        <i
          class={`group-${capabilityOf(event.capability).group}`}
          style={{ left: `${props.position * 100}%` }}
        />
      </span>
      <Capability capability={event.capability} />
      <span class="chain-tool">
        <Plain text={toolName(event)} limit={70} />
        {event.destination === undefined ? null : (
          <span class="dim">
            {' → '}
            <Plain text={event.destination} limit={40} />
          </span>
        )}
      </span>
      <span class="chain-step">
        {step === undefined ? null : <span class="tag tag-bad">step {step}</span>}
      </span>
      <Outcome outcome={event.outcome} />
      <span class="chain-took number dim">
        {event.duration_ms === undefined ? '' : formatDuration(event.duration_ms)}
      </span>
    </button>
  )
}
