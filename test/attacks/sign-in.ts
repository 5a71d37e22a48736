import type { GatewatchProcess } from '../helpers/gatewatch.ts'

/** What a browser has after opening a printed address once: the cookie, and the key that the page was given (if any). */
export interface SignIn {
  readonly cookie: string
  /** Headers of a page of the dashboard that asks for a change. */
  readonly headers: Readonly<Record<string, string>>
}

/** Signs in with a path such as a ticket’s; without one, with the address that the process printed. */
export async function rawLogin(
  { url, loginUrl }: Pick<GatewatchProcess, 'url' | 'loginUrl'>,
  path = loginUrl,
): Promise<SignIn> {
  if (path === undefined) throw new Error('no address to sign in with')
  const answer = await fetch(new URL(path, url), { redirect: 'manual' })
  const cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
  if (answer.status !== 303) throw new Error(`sign-in: ${answer.status}`)
  const key = /#session-key=([\w-]+)/.exec(answer.headers.get('location') ?? '')?.[1]
  return {
    cookie,
    headers: {
      cookie,
      ...{ 'x-gatewatch-csrf': '1', 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' },
      ...(key === undefined ? {} : { 'x-gatewatch-session-key': key }),
    },
  }
}
