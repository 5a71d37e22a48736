import type { JSX } from 'preact'
import type { AuditEvent } from '../api-client.ts'
import { toolName } from '../event-fields.ts'
import { Capability, Outcome } from '../parts/marks.tsx'
import { Plain, Time } from '../parts/plain.tsx'
import { formatDuration } from '../time.ts'
import type { Step } from './read-baseline.ts'

/** The matched calls of a chained-call finding, in order, with the time between them. */
export function StepList({
  steps,
  events,
}: {
  steps: readonly Step[]
  events: readonly AuditEvent[]
}): JSX.Element {
  const byId = new Map(events.map((event) => [event.event_id, event]))
  let before: number | undefined
  return (
    <ol class="steps">
      {steps.map((step) => {
        const event = byId.get(step.event_id)
        const at = event === undefined ? undefined : Date.parse(event.occurred_at)
        const wait = at === undefined || before === undefined ? undefined : at - before
        before = at ?? before
        return (
          <li key={step.event_id}>
            <span class="steps-number">{step.step}</span>
            {wait === undefined ? null : <span class="steps-wait">{formatDuration(wait)} later</span>}
            <div class="steps-call">
              <Capability capability={step.capability} named />
              {event === undefined ? (
                <Plain text={step.event_id} limit={40} mono />
              ) : (
                <>
                  <span class="steps-tool">
                    <Plain text={toolName(event)} limit={60} />
                  </span>
                  {event.destination === undefined ? null : (
                    <span class="dim">
                      to <Plain text={event.destination} limit={40} />
                    </span>
                  )}
                  <Outcome outcome={event.outcome} />
                  <Time iso={event.occurred_at} seconds />
                </>
              )}
            </div>
          </li>
        )
      })}
    </ol>
  )
}
