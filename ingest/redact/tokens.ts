import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'

/** Key of the tokens that stand for secrets. `id` (letters, digits, `-`, `_`) is part of each token. */
export interface RedactionKey {
  readonly id: string
  readonly secret: Uint8Array
}

export interface Tokens {
  /** The token of a secret under the newest key; what is a token already stays as it is. */
  token(secret: string, tenant: string): string
  /** The tokens of a secret under every known key, newest first. */
  all(secret: string, tenant: string): readonly string[]
}

const TOKEN = /^hmac:[\w-]{1,64}:[\w-]{22}$/

export const isToken = (text: string): boolean => text.startsWith('hmac:') && TOKEN.test(text)

/** @param keys newest first: the first makes tokens, the others only recognise what older ones stand for */
export function createTokens(keys: readonly [RedactionKey, ...RedactionKey[]]): Tokens {
  // As key objects: Node turns bytes into one at every use, which takes longer than the hash.
  const known = keys.map(({ id, secret }) => ({ id, key: createSecretKey(secret) }))
  const newest = { id: keys[0].id, key: createSecretKey(keys[0].secret) }
  return {
    token: (secret, tenant) => (isToken(secret) ? secret : tokenOf(newest, secret, tenant)),
    all: (secret, tenant) => known.map((key) => tokenOf(key, secret, tenant)),
  }
}

function tokenOf({ id, key }: { id: string; key: KeyObject }, secret: string, tenant: string): string {
  const mac = createHmac('sha256', key)
    .update(`gatewatch/redact\0${tenant.length}:${tenant}\0`)
    .update(secret)
    .digest('base64url')
  return `hmac:${id}:${mac.slice(0, 22)}`
}
