/** Where the viewer is, read from and written to the address's fragment: `#/findings/ab12?from=-7d`. */
export interface Route {
  /** Decoded segments: `['findings', 'ab12']`; empty for the overview. */
  readonly path: readonly string[]
  readonly params: Readonly<Record<string, string>>
}

export type Params = Readonly<Record<string, string | undefined>>

export const DEFAULT_RANGE = { from: '-24h', to: 'now' } as const

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/** The route of a fragment. Anything can be parsed; what is nonsense becomes a path that no screen has. */
export function parseHash(hash: string): Route {
  const text = hash.replace(/^#/, '')
  const mark = text.indexOf('?')
  const path = (mark < 0 ? text : text.slice(0, mark)).split('/').filter((segment) => segment !== '')
  const params: Record<string, string> = Object.create(null) as Record<string, string>
  for (const [key, value] of new URLSearchParams(mark < 0 ? '' : text.slice(mark + 1))) params[key] = value
  return { path: path.map(decode), params }
}

/** The fragment of a route; absent and empty parameters are left out, and so is the default range. */
export function formatHash(path: readonly string[], params: Params = {}): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(params)) {
    if (value === undefined || value === '') continue
    if (key === 'from' && value === DEFAULT_RANGE.from) continue
    if (key === 'to' && value === DEFAULT_RANGE.to) continue
    // A lone surrogate would become U+FFFD here, which is what the server would have made of it.
    search.set(key, value)
  }
  const query = search.toString()
  const encoded = path.map((segment) => encodeURIComponent(segment.toWellFormed())).join('/')
  return `#/${encoded}${query === '' ? '' : `?${query}`}`
}
