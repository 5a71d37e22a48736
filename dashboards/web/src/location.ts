import { computed, signal } from '@preact/signals'
import { DEFAULT_RANGE, formatHash, type Params, parseHash } from './route.ts'
import { keepSessionKey } from './session-key.ts'

keepSessionKey()

/** The address is the state: screens read `route`, and change it by going somewhere. */
export const route = signal(parseHash(location.hash))

window.addEventListener('hashchange', () => {
  route.value = parseHash(location.hash)
})

export const range = computed(() => ({
  from: route.value.params.from ?? DEFAULT_RANGE.from,
  to: route.value.params.to ?? DEFAULT_RANGE.to,
}))

/** A link that keeps the time range, since a number and the view behind it must agree. */
export const link = (path: readonly string[], params: Params = {}): string =>
  formatHash(path, { ...range.value, ...params })

/** Goes to a screen; `replace` leaves no step behind for the back button. */
export function go(hash: string, replace = false): void {
  if (hash === location.hash) return
  if (replace) {
    history.replaceState(null, '', hash)
    route.value = parseHash(hash)
  } else location.hash = hash
}

/** The same screen with some parameters changed; `undefined` takes one away. */
export function setParams(changes: Params, replace = false): void {
  go(formatHash(route.value.path, { ...route.value.params, ...changes }), replace)
}
