import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'

/** Key of the tokens that stand for secrets. `id` (letters, digits, `-`, `_`) is part of each token. */
export interface RedactionKey {
  readonly id: string
  readonly secret: Uint8Array
}

/**
 * Whoever may write into a tenant and read it can have a guess hidden, and compare its token with that of another's secret.
 * So what could be guessed has no token of its own: all such values have this one, which says so.
 */
const UNLINKED = 'short-value-not-linked'

/** The same for values beyond those that a source may have tokens of within an hour (`ingest/link-budget.ts`). */
export const OVER_LIMIT = 'over-limit--not-linked'

export interface Tokens {
  /** The token of a secret under the newest key; what is a token already stays as it is. */
  token(secret: string, tenant: string): string
  /** The tokens of a secret under every known key, newest first; none for one that could be guessed. */
  all(secret: string, tenant: string): readonly string[]
}

// A PIN, a one-time code, a date, a short password: at a thousand guesses a second all are tried within a day.
const SHORTEST_LINKED = 8
const MOST_GUESSABLE_DIGITS = 11

/** Whether a value has so few likely forms that somebody could try them all. */
export function isGuessable(secret: string): boolean {
  // In an address it may be written in percent signs.
  const plain = secret.includes('%') ? secret.replace(/%[0-9a-f]{2}/gi, ' ') : secret
  if (plain.length < SHORTEST_LINKED) return true
  // Digits, with what people write between them.
  if (plain.length > 2 * MOST_GUESSABLE_DIGITS || !/^[\d\s().:/+-]+$/.test(plain)) return false
  return plain.replace(/\D/g, '').length <= MOST_GUESSABLE_DIGITS
}

/** Whether a text is a token that different values share. */
export const isUnlinked = (text: string): boolean =>
  (text.endsWith(`:${UNLINKED}`) || text.endsWith(`:${OVER_LIMIT}`)) && isToken(text)

const TOKEN = /^hmac:[\w-]{1,64}:[\w-]{22}$/

export const isToken = (text: string): boolean => text.startsWith('hmac:') && TOKEN.test(text)

const TOKENS = /hmac:([\w-]{1,64}):([\w-]{22})/g

/** The text with each token in it, but those that different values share, replaced by what `replace` gives. */
export const replaceTokens = (text: string, replace: (token: string, keyId: string) => string): string =>
  text.replace(TOKENS, (token: string, keyId: string, value: string) =>
    value === UNLINKED || value === OVER_LIMIT ? token : replace(token, keyId),
  )

/** @param keys newest first: the first makes tokens, the others only recognise what older ones stand for */
export function createTokens(keys: readonly [RedactionKey, ...RedactionKey[]]): Tokens {
  // As key objects: Node turns bytes into one at every use, which takes longer than the hash.
  const known = keys.map(({ id, secret }) => ({ id, key: createSecretKey(secret) }))
  const newest = { id: keys[0].id, key: createSecretKey(keys[0].secret) }
  return {
    token: (secret, tenant) => {
      if (isToken(secret)) return secret
      return isGuessable(secret) ? `hmac:${newest.id}:${UNLINKED}` : tokenOf(newest, secret, tenant)
    },
    all: (secret, tenant) => (isGuessable(secret) ? [] : known.map((key) => tokenOf(key, secret, tenant))),
  }
}

function tokenOf({ id, key }: { id: string; key: KeyObject }, secret: string, tenant: string): string {
  const mac = createHmac('sha256', key)
    .update(`gatewatch/redact\0${tenant.length}:${tenant}\0`)
    .update(secret)
    .digest('base64url')
  return `hmac:${id}:${mac.slice(0, 22)}`
}
