import type { JSX } from 'preact'
import { formatOffset } from '../time.ts'

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']
const HALF_HOURS = 48
const STEPS = 5

const clock = (halfHour: number): string =>
  `${String(Math.floor(halfHour / 2)).padStart(2, '0')}:${halfHour % 2 === 0 ? '00' : '30'}`

/** Shade 0–5 of a count; one day seen is already more than none. */
const shade = (count: number, most: number): number =>
  count <= 0 ? 0 : Math.max(1, Math.ceil((count / Math.max(1, most)) * STEPS))

/**
 * When the actor is usually active: weekday × half hour in the actor's own zone, darker where more days were seen,
 * with the flagged cells framed. `cells[weekday][halfHour]` counts distinct days; weekday 0 is Monday.
 */
export function WeekHeatMap({
  cells,
  flagged,
  offsetMinutes,
}: {
  cells: readonly (readonly number[])[]
  flagged: readonly { readonly weekday: number; readonly half_hour: number }[]
  offsetMinutes: number
}): JSX.Element {
  const most = Math.max(1, ...cells.flat())
  const marked = new Set(flagged.map((cell) => cell.weekday * HALF_HOURS + cell.half_hour))
  const spoken = flagged.map((cell) => `${DAYS[cell.weekday] ?? ''} ${clock(cell.half_hour)}`).join(', ')
  return (
    <figure class="chart">
      <p class="readout">
        <span class="key key-heat">days seen active (most: {most})</span>
        <span class="key key-flagged">flagged calls</span>
        <span class="dim">local time of the actor, {formatOffset(offsetMinutes)}</span>
      </p>
      <div
        class="heat"
        role="img"
        aria-label={`Usual activity by weekday and half hour. Flagged: ${spoken}.`}
      >
        {DAYS.map((day, weekday) => (
          <div class="heat-row" key={day}>
            <span class="heat-day">{day}</span>
            {Array.from({ length: HALF_HOURS }, (_, halfHour) => {
              const count = cells[weekday]?.[halfHour] ?? 0
              const isMarked = marked.has(weekday * HALF_HOURS + halfHour)
              return (
                <i
                  key={halfHour}
                  class={`heat-cell shade-${shade(count, most)}${isMarked ? ' flagged' : ''}`}
                  title={`${day} ${clock(halfHour)}: active on ${count} ${count === 1 ? 'day' : 'days'}${isMarked ? ', flagged' : ''}`}
                />
              )
            })}
          </div>
        ))}
        <div class="heat-row heat-hours" aria-hidden="true">
          <span class="heat-day" />
          {[0, 3, 6, 9, 12, 15, 18, 21].map((hour) => (
            <span key={hour}>{String(hour).padStart(2, '0')}</span>
          ))}
        </div>
      </div>
    </figure>
  )
}
