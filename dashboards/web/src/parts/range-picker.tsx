import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { nowMs } from '../live.ts'
import { link, range, route, setParams } from '../location.ts'
import { formatHash } from '../route.ts'
import { formatWindow, isRelative, resolveTime } from '../time.ts'

const PRESETS = ['-1h', '-6h', '-24h', '-7d', '-28d'] as const
const WORDS: Readonly<Record<string, string>> = {
  '-1h': '1 h',
  '-6h': '6 h',
  '-24h': '24 h',
  '-7d': '7 d',
  '-28d': '28 d',
}

/** The range now, in milliseconds. It does not follow the clock: a screen is not drawn anew for a second gone by. */
export function rangeMs(): { fromMs: number; toMs: number } {
  const { from, to } = range.value
  const now = nowMs.peek()
  return {
    fromMs: resolveTime(from, now) ?? now - 86_400_000,
    toMs: resolveTime(to, now) ?? now,
  }
}

/** `2026-11-21T14:05` in the viewer's zone, as a date field wants it. */
function toField(ms: number): string {
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000)
  return local.toISOString().slice(0, 16)
}

function CustomRange({ onDone }: { onDone: () => void }): JSX.Element {
  const { fromMs, toMs } = rangeMs()
  const [from, setFrom] = useState(toField(fromMs))
  const [to, setTo] = useState(toField(toMs))
  const isValid = Date.parse(from) < Date.parse(to)
  return (
    <form
      class="popover"
      onSubmit={(event) => {
        event.preventDefault()
        if (!isValid) return
        setParams({ from: new Date(from).toISOString(), to: new Date(to).toISOString() })
        onDone()
      }}
    >
      <label>
        From
        <input type="datetime-local" value={from} onInput={(event) => setFrom(event.currentTarget.value)} />
      </label>
      <label>
        To
        <input type="datetime-local" value={to} onInput={(event) => setTo(event.currentTarget.value)} />
      </label>
      <button type="submit" class="primary" disabled={!isValid}>
        Show
      </button>
    </form>
  )
}

/** Copies the address with the range pinned, so that whoever opens it sees what is seen now. */
function ShareLink(): JSX.Element {
  const [copied, setCopied] = useState(false)
  const share = (): void => {
    const { fromMs, toMs } = rangeMs()
    const pinned = { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() }
    const hash = formatHash(route.value.path, { ...route.value.params, ...pinned })
    navigator.clipboard.writeText(`${location.origin}/${hash}`).then(
      () => {
        setCopied(true)
        setTimeout(() => setCopied(false), 2000)
      },
      () => setParams(pinned),
    )
  }
  return (
    <button
      type="button"
      class="quiet"
      title="Copy a link to exactly this, with the times pinned"
      onClick={share}
    >
      {copied ? 'Copied' : 'Share'}
    </button>
  )
}

export function RangePicker(): JSX.Element {
  const [isOpen, setOpen] = useState(false)
  const { from, to } = range.value
  const isPreset = isRelative(from, to) && (PRESETS as readonly string[]).includes(from)
  const { fromMs, toMs } = rangeMs()
  return (
    <fieldset class="range" aria-label="Time range">
      <div class="segments">
        {PRESETS.map((preset) => (
          <a
            key={preset}
            href={link(route.value.path, { ...route.value.params, from: preset, to: 'now' })}
            aria-current={isPreset && from === preset ? 'true' : undefined}
          >
            {WORDS[preset]}
          </a>
        ))}
        <button
          type="button"
          aria-expanded={isOpen}
          aria-pressed={!isPreset}
          onClick={() => setOpen(!isOpen)}
          title="Choose start and end"
        >
          {isPreset ? 'Custom' : formatWindow(fromMs, toMs)}
        </button>
      </div>
      {isOpen ? <CustomRange onDone={() => setOpen(false)} /> : null}
      <ShareLink />
    </fieldset>
  )
}
