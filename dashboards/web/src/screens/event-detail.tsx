import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { type AuditEvent, get } from '../api-client.ts'
import { FIELD_GROUPS, prettyArguments, toolName } from '../event-fields.ts'
import { withTerm } from '../filter-text.ts'
import { useQuery } from '../live.ts'
import { link, route, setParams } from '../location.ts'
import { Icon } from '../parts/icons.tsx'
import { Capability, Outcome } from '../parts/marks.tsx'
import { Problem, Skeleton } from '../parts/notice.tsx'
import { Plain, Time } from '../parts/plain.tsx'
import { inert, inertBlock } from '../text.ts'

const ARGUMENTS = 'gen_ai.tool.call.arguments'

/** Everything known about one event, beside the list so that the place is not lost. */
export function EventDetail({ id, known }: { id: string; known: AuditEvent | undefined }): JSX.Element {
  const answer = useQuery(
    known === undefined ? `event ${id}` : undefined,
    (signal) => get<AuditEvent>(`events/${encodeURIComponent(id)}`, {}, signal),
    { pollMs: 0 },
  )
  const event = known ?? answer.data
  const [isJson, setJson] = useState(false)
  return (
    <aside class="panel detail" aria-label="Event">
      <header class="panel-head">
        <h2>Event</h2>
        <div class="panel-aside">
          <button type="button" class="quiet" aria-pressed={isJson} onClick={() => setJson(!isJson)}>
            JSON
          </button>
          <button
            type="button"
            class="quiet"
            aria-label="Close the event"
            data-escape
            onClick={() => setParams({ event: undefined }, true)}
          >
            <Icon name="close" />
          </button>
        </div>
      </header>
      <Problem problem={answer.problem} />
      {event === undefined ? (
        answer.problem === undefined ? (
          <Skeleton lines={12} />
        ) : null
      ) : isJson ? (
        <pre class="block">{inertBlock(JSON.stringify(event, null, 2))}</pre>
      ) : (
        <EventFields event={event} />
      )}
    </aside>
  )
}

function EventFields({ event }: { event: AuditEvent }): JSX.Element {
  const left = new Map(
    Object.entries(event).filter(([field, value]) => field !== ARGUMENTS && value !== undefined),
  )
  const groups = FIELD_GROUPS.map((group) => {
    const fields = [...left].filter(([field]) => group.matches.test(field))
    for (const [field] of fields) left.delete(field)
    return { name: group.name, fields }
  })
  const call = event[ARGUMENTS]
  return (
    <div class="detail-body">
      <p class="detail-title">
        <Capability capability={event.capability} /> <Plain text={toolName(event)} limit={400} />
      </p>
      <p class="row-facts">
        <Outcome outcome={event.outcome} />
        <Time iso={event.occurred_at} seconds />
        <a href={link(['chain'], { key: event.chain, event: event.event_id })}>
          <Icon name="chain" /> Chain
        </a>
      </p>
      {call === undefined ? null : (
        <section class="detail-group">
          <h3>Arguments</h3>
          <pre class="block">{inertBlock(prettyArguments(call))}</pre>
        </section>
      )}
      {groups.map((group) =>
        group.fields.length === 0 ? null : (
          <section class="detail-group" key={group.name}>
            <h3>{group.name}</h3>
            <dl>
              {group.fields.map(([field, value]) => (
                <Field key={field} field={field} value={value} />
              ))}
            </dl>
          </section>
        ),
      )}
    </div>
  )
}

function Field({ field, value }: { field: string; value: unknown }): JSX.Element {
  const isText = typeof value === 'string'
  const take = (exclude: boolean): void =>
    setParams({ q: withTerm(route.value.params.q ?? '', field, String(value), exclude) })
  const canTake = isText && !/_at$/.test(field)
  return (
    <div class="detail-field">
      <dt>{inert(field)}</dt>
      <dd>
        <bdi>{isText ? inert(value) : inert(JSON.stringify(value))}</bdi>
        {canTake ? (
          <span class="detail-acts">
            <button
              type="button"
              title="Only these"
              aria-label={`Only this ${field}`}
              onClick={() => take(false)}
            >
              <Icon name="plus" />
            </button>
            <button
              type="button"
              title="Without these"
              aria-label={`Without this ${field}`}
              onClick={() => take(true)}
            >
              <Icon name="minus" />
            </button>
          </span>
        ) : null}
      </dd>
    </div>
  )
}
