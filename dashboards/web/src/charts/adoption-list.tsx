import type { JSX } from 'preact'
import { Plain, Time } from '../parts/plain.tsx'

const MOST_SHOWN = 12

/** Who used the value first, on one line of time; the flagged actor stands out. */
export function AdoptionList({
  firstSeen,
  actor,
}: {
  firstSeen: readonly { readonly actor: string; readonly at: string }[]
  actor: string
}): JSX.Element {
  const sorted = [...firstSeen].sort((a, b) => a.at.localeCompare(b.at))
  const times = sorted.map((entry) => Date.parse(entry.at))
  const first = times[0] ?? 0
  const span = Math.max(1, (times.at(-1) ?? 0) - first)
  const shown = sorted.filter(
    (entry, at) => entry.actor === actor || at < MOST_SHOWN / 2 || at >= sorted.length - MOST_SHOWN / 2,
  )
  return (
    <figure class="chart">
      <p class="readout">
        <span class="key key-bar">first use by others</span>
        <span class="key key-bad">this actor</span>
        <span class="dim">
          {sorted.length} {sorted.length === 1 ? 'actor has' : 'actors have'} used it
        </span>
      </p>
      <ol class="adoption">
        {shown.map((entry) => (
          <li key={entry.actor} class={entry.actor === actor ? 'is-flagged' : ''}>
            <span class="adoption-who">
              <Plain text={entry.actor} limit={36} />
            </span>
            <span class="adoption-line" aria-hidden="true">
              <i style={{ left: `${((Date.parse(entry.at) - first) / span) * 100}%` }} />
            </span>
            <Time iso={entry.at} />
          </li>
        ))}
      </ol>
      {shown.length < sorted.length ? <p class="dim">{sorted.length - shown.length} more between.</p> : null}
    </figure>
  )
}
