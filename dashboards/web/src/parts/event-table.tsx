import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { AuditEvent } from '../api-client.ts'
import { toolName } from '../event-fields.ts'
import { formatDuration } from '../time.ts'
import { Capability, Outcome } from './marks.tsx'
import { Plain, Time } from './plain.tsx'
import { VirtualRows } from './virtual-rows.tsx'

const ROW_PX = 30
const NARROW_ROW_PX = 50
const HEADINGS = ['Time', 'Actor', '', 'Tool', 'Outcome', 'Took', 'Destination']
const narrow = matchMedia('(max-width: 700px)')

/** Whether rows stand in two lines, as they do on a small screen. */
function useNarrow(): boolean {
  const [isNarrow, setNarrow] = useState(narrow.matches)
  useEffect(() => {
    const follow = (): void => setNarrow(narrow.matches)
    narrow.addEventListener('change', follow)
    return () => narrow.removeEventListener('change', follow)
  }, [])
  return isNarrow
}

/** Events as rows; only those in sight are drawn, so that length costs nothing. */
export function EventTable(props: {
  events: readonly AuditEvent[]
  chosen: string | undefined
  onChoose: (id: string) => void
  onEnd: (() => void) | undefined
  foot: string
}): JSX.Element {
  const height = useNarrow() ? NARROW_ROW_PX : ROW_PX
  return (
    <div class="event-table">
      <div class="event-row event-head" aria-hidden="true">
        {HEADINGS.map((name) => (
          <span key={name}>{name}</span>
        ))}
      </div>
      <VirtualRows
        key={height}
        count={props.events.length}
        rowHeight={() => height}
        label="Events"
        onEnd={props.onEnd}
        row={(index) => {
          const event = props.events[index]
          return event === undefined ? null : (
            <EventRow event={event} isChosen={event.event_id === props.chosen} onChoose={props.onChoose} />
          )
        }}
      />
      <p class="event-foot">{props.foot}</p>
    </div>
  )
}

function EventRow(props: {
  event: AuditEvent
  isChosen: boolean
  onChoose: (id: string) => void
}): JSX.Element {
  const { event } = props
  return (
    <button
      type="button"
      class={props.isChosen ? 'event-row is-chosen' : 'event-row'}
      data-row
      aria-pressed={props.isChosen}
      onClick={() => props.onChoose(event.event_id)}
    >
      <span>
        <Time iso={event.occurred_at} seconds />
      </span>
      <span>
        <Plain text={event.actor} limit={60} />
      </span>
      <span>
        <Capability capability={event.capability} />
      </span>
      <span class="event-tool">
        <Plain text={toolName(event)} limit={90} />
      </span>
      <span>
        <Outcome outcome={event.outcome} />
      </span>
      <span class="number">{event.duration_ms === undefined ? '' : formatDuration(event.duration_ms)}</span>
      <span class="dim">
        {event.destination === undefined ? '' : <Plain text={event.destination} limit={60} />}
      </span>
    </button>
  )
}
