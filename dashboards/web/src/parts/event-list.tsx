import type { JSX } from 'preact'
import type { AuditEvent } from '../api-client.ts'
import { toolName } from '../event-fields.ts'
import { link } from '../location.ts'
import { Capability, Outcome } from './marks.tsx'
import { Plain, Time } from './plain.tsx'

/** A short list of events, whole; the events screen has the long ones. */
export function EventList({ events }: { events: readonly AuditEvent[] }): JSX.Element {
  if (events.length === 0) return <p class="panel-body dim">No events are stored for it any more.</p>
  return (
    <ul class="event-list">
      {events.map((event) => (
        <li key={event.event_id}>
          <a
            href={link(['events'], {
              event: event.event_id,
              chain: event.chain,
              from: shifted(event.occurred_at, -3_600_000),
              to: shifted(event.occurred_at, 3_600_000),
            })}
            data-row
          >
            <Time iso={event.occurred_at} seconds />
            <Capability capability={event.capability} />
            <span class="event-list-tool">
              <Plain text={toolName(event)} limit={56} />
            </span>
            <span class="event-list-to dim">
              {event.destination === undefined ? null : <Plain text={event.destination} limit={40} />}
            </span>
            <Outcome outcome={event.outcome} />
          </a>
        </li>
      ))}
    </ul>
  )
}

const shifted = (iso: string, ms: number): string => new Date(Date.parse(iso) + ms).toISOString()
