import { signal } from '@preact/signals'
import { go, link } from './location.ts'

export const isHelpOpen = signal(false)

/** Every key the dashboard knows, for the help and for the handler's readers. */
export const KEYS: readonly (readonly [key: string, meaning: string])[] = [
  ['j / k', 'Next / previous row'],
  ['Enter', 'Open the row'],
  ['e', 'Acknowledge the alert (alerts)'],
  ['c', 'Close the alert (alerts)'],
  ['/', 'Search'],
  ['g then o f a e d', 'Go to overview, findings, alerts, events, deliveries'],
  ['Esc', 'Close what is open, else go back'],
  ['?', 'This help'],
]

const PLACES: Readonly<Record<string, string>> = {
  o: '',
  f: 'findings',
  a: 'alerts',
  e: 'events',
  d: 'deliveries',
  l: 'dead-letters',
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]')

function moveRow(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')]
  const at = rows.indexOf(document.activeElement as HTMLElement)
  const next = at < 0 ? (step === 1 ? rows[0] : rows.at(-1)) : rows[at + step]
  next?.focus({ preventScroll: true })
  next?.scrollIntoView({ block: 'nearest' })
}

/** Presses the button that the focused row (or, without one, the screen) offers for a key. */
function press(key: string): boolean {
  const scope = document.activeElement?.closest('[data-keys]') ?? document.querySelector('main')
  const button = scope?.querySelector<HTMLButtonElement>(`button[data-key="${key}"]`)
  button?.click()
  return button !== null && button !== undefined
}

let afterG = false

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
  if (event.key === 'Escape') {
    if (isHelpOpen.value) isHelpOpen.value = false
    else if (isTyping(event.target)) (event.target as HTMLElement).blur()
    else document.querySelector<HTMLElement>('[data-escape]')?.click()
    return
  }
  if (isTyping(event.target)) return
  const wasAfterG = afterG
  afterG = false
  const place = PLACES[event.key]
  if (wasAfterG && place !== undefined) go(link(place === '' ? [] : [place]))
  else if (event.key === 'g') afterG = true
  else if (event.key === 'j') moveRow(1)
  else if (event.key === 'k') moveRow(-1)
  else if (event.key === '?') isHelpOpen.value = !isHelpOpen.value
  else if (event.key === '/') document.querySelector<HTMLElement>('[data-search]')?.focus()
  else if (event.key !== 'e' && event.key !== 'c') return
  else if (!press(event.key)) return
  event.preventDefault()
}

/** Starts listening; called once, by the page. */
export function listenToKeys(): void {
  document.addEventListener('keydown', onKey)
}
