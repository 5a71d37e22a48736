/**
 * The page's half of the session. The browser sends the cookie to every port of this host; what is stored here only pages
 * of this origin, port included, can read. All tabs share it, so that a link from elsewhere opens signed in.
 */
const PLACE = 'gatewatch-session-key'
const FRAGMENT = /^#session-key=([\w-]{43})$/

// Where the browser refuses storage, the key lives as long as the page.
let own: string | undefined

/** Takes the key that `/login` put into the fragment out of the address; to be called before anything reads the address. */
export function keepSessionKey(): void {
  const given = FRAGMENT.exec(location.hash)?.[1]
  if (given === undefined) return
  own = given
  try {
    localStorage.setItem(PLACE, given)
  } catch {
    // As said above.
  }
  history.replaceState(null, '', `${location.pathname}${location.search}`)
}

/** The newest key: another tab may have signed in since. */
export function sessionKey(): string | undefined {
  try {
    return localStorage.getItem(PLACE) ?? own
  } catch {
    return own
  }
}
