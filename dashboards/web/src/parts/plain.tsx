import type { JSX } from 'preact'
import { nowMs } from '../live.ts'
import { cut, inert } from '../text.ts'
import { formatAgo, formatDayTime, formatDayTimeSeconds } from '../time.ts'

/** Text from outside: isolated from the direction of its surroundings, invisible characters shown, long text cut. */
export function Plain({
  text,
  limit = 80,
  mono = false,
}: {
  text: string
  limit?: number
  mono?: boolean
}): JSX.Element {
  const whole = inert(cut(text, 2000))
  const shown = cut(whole, limit)
  return (
    <bdi class={mono ? 'plain mono' : 'plain'} {...(shown === whole ? {} : { title: whole })}>
      {shown}
    </bdi>
  )
}

/** A moment in the viewer's zone; the exact UTC text on hover. */
export function Time({ iso, seconds = false }: { iso: string; seconds?: boolean }): JSX.Element {
  const ms = Date.parse(iso)
  return (
    <time dateTime={iso} title={iso} class="time">
      {seconds ? formatDayTimeSeconds(ms) : formatDayTime(ms)}
    </time>
  )
}

/** How long ago a moment was; the exact UTC text on hover. */
export function Ago({ iso }: { iso: string }): JSX.Element {
  return (
    <time dateTime={iso} title={`${formatDayTimeSeconds(Date.parse(iso))} · ${iso}`} class="time">
      {formatAgo(Date.parse(iso), nowMs.value)}
    </time>
  )
}
