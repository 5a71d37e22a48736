import type { JSX } from 'preact'
import type { Overview } from '../api-client.ts'
import { nowMs } from '../live.ts'
import { link } from '../location.ts'
import { formatCount, formatShare } from '../number.ts'
import { formatAgo, formatDuration } from '../time.ts'

interface Tile {
  readonly name: string
  readonly value: string
  readonly note: string
  readonly href: string
  readonly tone?: 'bad' | 'attention' | undefined
}

const LATE_AFTER_S = 120

/** When the newest record came in; how far event time lags behind it is the server's figure. */
function ingestTile(ingest: Overview['ingest']): Tile {
  const last = ingest.last_recorded_at
  const lag = ingest.lag_seconds
  return {
    name: 'Ingest lag',
    value: typeof lag === 'number' ? formatDuration(lag * 1000) : '–',
    note: last ? `last record ${formatAgo(Date.parse(last), nowMs.value)}` : 'no records yet',
    href: link(['events']),
    tone: typeof lag === 'number' && lag > LATE_AFTER_S ? 'attention' : undefined,
  }
}

function tiles(overview: Overview): readonly Tile[] {
  const { calls, failures, denials, ingest } = overview
  return [
    {
      name: 'Calls',
      value: formatCount(calls),
      note: `${formatCount(ingest.events_total)} stored in all`,
      href: link(['events']),
    },
    {
      name: 'Failures',
      value: formatCount(failures),
      note: `${formatShare(failures, calls)} of calls`,
      href: link(['events'], { outcome: 'failure' }),
    },
    {
      name: 'Denied',
      value: formatCount(denials),
      note: `${formatShare(denials, calls)} of calls`,
      href: link(['events'], { outcome: 'denied' }),
    },
    {
      name: 'Active actors',
      value: formatCount(overview.active_actors),
      note: `${formatCount(overview.active_tools)} tools on ${formatCount(overview.servers)} servers`,
      href: link(['events']),
    },
    ingestTile(ingest),
    {
      name: 'Dead letters',
      value: formatCount(ingest.dead_letters_total),
      note: ingest.dead_letters_total === 0 ? 'every record understood' : 'records not understood',
      href: link(['dead-letters']),
      tone: ingest.dead_letters_total > 0 ? 'attention' : undefined,
    },
  ]
}

/** The state of things in six numbers, each the way to the view behind it. */
export function OverviewTiles({ overview }: { overview: Overview }): JSX.Element {
  return (
    <ul class="tiles">
      {tiles(overview).map((tile) => (
        <li key={tile.name}>
          <a href={tile.href}>
            <span class="tile-name">{tile.name}</span>
            <span class={tile.tone === undefined ? 'tile-value' : `tile-value tone-${tile.tone}`}>
              {tile.value}
            </span>
            <span class="tile-note">{tile.note}</span>
          </a>
        </li>
      ))}
    </ul>
  )
}
