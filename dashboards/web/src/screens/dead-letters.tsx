import type { JSX } from 'preact'
import { type DeadLetter, get } from '../api-client.ts'
import { useQuery } from '../live.ts'
import { link, route } from '../location.ts'
import { formatBytes, formatCount } from '../number.ts'
import { usePages } from '../pages.ts'
import { Command, Empty, Problem, Skeleton } from '../parts/notice.tsx'
import { Plain, Time } from '../parts/plain.tsx'
import { cut, inert, inertBlock } from '../text.ts'

const SHOWN_RECORD = 4000

interface Answer {
  readonly dead_letters: DeadLetter[]
  readonly counts: Readonly<Record<string, number>>
  readonly next_cursor?: string
}

/** Records that could not become events: where each came from, why, and its bytes. */
export function DeadLettersScreen(): JSX.Element {
  const { reason } = route.value.params
  const counts = useQuery('dead-letter-counts', (signal) => get<Answer>('dead-letters', { limit: 1 }, signal))
  const pages = usePages<DeadLetter>(`dead-letters ${reason ?? ''}`, (cursor, signal) =>
    get<Answer>('dead-letters', { reason, limit: 100, cursor }, signal).then((page) => ({
      items: page.dead_letters,
      next: page.next_cursor,
    })),
  )
  return (
    <div class={pages.stale ? 'screen is-stale' : 'screen'}>
      <header class="screen-head">
        <h1>Dead letters</h1>
        <Reasons counts={counts.data?.counts ?? {}} chosen={reason} />
      </header>
      <Problem problem={pages.problem} />
      {pages.items === undefined ? (
        <Skeleton lines={8} />
      ) : pages.items.length === 0 ? (
        <Empty title="Every record was understood.">
          <p>
            A record that no format can read is kept here with its bytes and the reason. To see how your
            gateway’s log is read:
          </p>
          <Command text="npx gatewatch ingest gateway.log --format auto" />
        </Empty>
      ) : (
        <ul class="rows panel">
          {pages.items.map((letter) => (
            <Letter
              key={`${letter.topic} ${letter.partition} ${letter.offset} ${letter.record_index ?? 0}`}
              letter={letter}
            />
          ))}
        </ul>
      )}
      {pages.more === undefined ? null : (
        <button type="button" class="more" onClick={pages.more} disabled={pages.loadingMore}>
          {pages.loadingMore ? 'Loading…' : 'Load more'}
        </button>
      )}
    </div>
  )
}

function Reasons({
  counts,
  chosen,
}: {
  counts: Readonly<Record<string, number>>
  chosen: string | undefined
}): JSX.Element {
  const reasons = Object.entries(counts).sort((a, b) => b[1] - a[1])
  return (
    <nav class="filters" aria-label="Reasons">
      {reasons.map(([reason, count]) => (
        <a
          key={reason}
          class="chip"
          aria-current={reason === chosen ? 'true' : undefined}
          href={link(['dead-letters'], { reason: reason === chosen ? undefined : reason })}
        >
          <Plain text={reason} limit={40} /> <span class="number">{formatCount(count)}</span>
        </a>
      ))}
    </nav>
  )
}

function Letter({ letter }: { letter: DeadLetter }): JSX.Element {
  const record = letter.record ?? ''
  return (
    <li class="row">
      <details class="letter">
        <summary data-row>
          <span class="row-marks">
            <span class="tag">
              <Plain text={letter.reason} limit={40} />
            </span>
            {letter.source_format ? (
              <span class="dim">
                <Plain text={letter.source_format} limit={40} />
              </span>
            ) : null}
          </span>
          <span class="row-title">
            <bdi>{inert(cut(letter.message, 300))}</bdi>
            {letter.field ? (
              <>
                {' '}
                <Plain text={letter.field} limit={120} mono />
              </>
            ) : null}
          </span>
          <span class="row-facts">
            <span>
              <Plain text={letter.topic} limit={32} /> partition {letter.partition}, offset {letter.offset}
            </span>
            {letter.record_bytes === undefined ? null : <span>{formatBytes(letter.record_bytes)}</span>}
            <Time iso={letter.recorded_at} seconds />
          </span>
        </summary>
        <pre class="block">
          {letter.record_encoding === 'base64' ? 'base64: ' : ''}
          {inertBlock(cut(record, SHOWN_RECORD)) || '(no bytes)'}
        </pre>
      </details>
    </li>
  )
}
