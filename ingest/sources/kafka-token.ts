import { readFile } from 'node:fs/promises'
import { GatewatchError, messageOf } from '../../core/errors.ts'

/** Where the token of SASL/OAUTHBEARER comes from. */
export type TokenOrigin =
  /** A file that somebody else keeps fresh (a projected service account token, a sidecar). */
  | { readonly file: string }
  /** The token endpoint of an identity provider, asked with client credentials (RFC 6749, section 4.4). */
  | {
      readonly url: string
      readonly clientId: string
      readonly clientSecret: string
      readonly scope?: string
    }

// A token that ends within this time is asked for anew: the login and the session after it must not outlive it.
const SPARE_MS = 30_000
const ANSWER_MS = 10_000
// RFC 6749 leaves expires_in optional.
const LIFE_UNLESS_SAID_S = 300

/**
 * The token for the next login. A file is read each time; a token of an endpoint is kept until it is about to end.
 * The function throws `broker_unavailable`, retryable, when there is none.
 */
export function createTokenSource(origin: TokenOrigin, now: () => number = Date.now): () => Promise<string> {
  if ('file' in origin) return () => readToken(origin.file)
  let kept: { readonly token: string; readonly untilMs: number } | undefined
  return async () => {
    if (kept !== undefined && now() < kept.untilMs) return kept.token
    const { token, lifeSeconds } = await askForToken(origin)
    kept = { token, untilMs: now() + lifeSeconds * 1000 - SPARE_MS }
    return token
  }
}

async function readToken(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw noToken(`The file ${path} of kafka.sasl.token_file cannot be read: ${messageOf(cause)}`, cause)
  })
  const token = text.trim()
  if (token === '') throw noToken(`The file ${path} of kafka.sasl.token_file is empty.`)
  return token
}

async function askForToken({
  url,
  clientId,
  clientSecret,
  scope,
}: Extract<TokenOrigin, { url: string }>): Promise<{ token: string; lifeSeconds: number }> {
  const form = encodeURIComponent
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      // RFC 6749, section 2.3.1: both are form-encoded before they become a user and a password.
      authorization: `Basic ${Buffer.from(`${form(clientId)}:${form(clientSecret)}`).toString('base64')}`,
      accept: 'application/json',
    },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      ...(scope === undefined ? {} : { scope }),
    }),
    redirect: 'error',
    signal: AbortSignal.timeout(ANSWER_MS),
  }).catch((cause: unknown) => {
    throw noToken(`The token endpoint ${url} does not answer: ${messageOf(cause)}.`, cause)
  })
  // What it says may repeat what it was sent, so only the status is told.
  const said: unknown = await answer.json().catch(() => undefined)
  if (!answer.ok) throw noToken(`The token endpoint ${url} answered ${answer.status}.`)
  const { access_token: token, expires_in: life } = (said ?? {}) as Record<string, unknown>
  if (typeof token !== 'string' || token === '')
    throw noToken(`The token endpoint ${url} gave no access_token.`)
  const seconds = Number(life)
  return { token, lifeSeconds: seconds > 0 ? seconds : LIFE_UNLESS_SAID_S }
}

const noToken = (message: string, cause?: unknown) =>
  new GatewatchError('broker_unavailable', message, cause === undefined ? {} : { cause })
