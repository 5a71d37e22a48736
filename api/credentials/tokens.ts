import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import { GatewatchError } from '../../core/errors.ts'
import { type ApiCapability, isApiCapability, type Principal, SOURCE_NAME } from './principal.ts'

/** Longest life of a token, in seconds. */
export const MAX_TOKEN_SECONDS = 300
/** The clock of the machine that made a token may be ahead by this much, in seconds. */
export const MAX_SKEW_SECONDS = 30
/** Shortest key, in bytes: as long as the output of the hash. */
export const MIN_KEY_BYTES = 32

const MAX_TOKEN_LENGTH = 4096
const VERSION = 'v1'

export interface TokenKey {
  /** Tells keys apart while one replaces another: 1–32 of `[A-Za-z0-9_-]`. */
  readonly kid: string
  readonly secret: Uint8Array
}

export interface TokenOptions {
  /** The first signs; all verify, so that a key can be replaced without a gap. */
  readonly keys: readonly TokenKey[]
  /** Which service the tokens are for; a token for another one is refused. */
  readonly audience: string
  readonly clock: Clock
  /** In the memory of this process unless given. */
  readonly revocations?: Revocations
}

/** Tokens that were taken back before their end, by id. An id can be forgotten when its token is over by itself. */
export interface Revocations {
  has(jti: string): boolean
  /** @throws GatewatchError `internal` when it cannot be kept: then the token goes on */
  add(jti: string, expiresAtMs: number): void
}

/** Revocations that end with the process. */
export function createRevocations(clock: Clock): Revocations {
  const ends = new Map<string, number>()
  return {
    has: (jti) => ends.has(jti),
    add: (jti, expiresAtMs) => {
      for (const [known, endsAtMs] of ends) if (endsAtMs < clock.now()) ends.delete(known)
      ends.set(jti, expiresAtMs)
    },
  }
}

/** Why a token was refused: for logs and metrics. The caller is told only that it was. */
export type TokenRefusal =
  | 'malformed'
  | 'unknown_key'
  | 'bad_mac'
  | 'bad_claims'
  | 'expired'
  | 'not_yet_valid'
  | 'wrong_audience'
  | 'revoked'

export type TokenVerdict =
  | {
      readonly kind: 'accepted'
      readonly principal: Principal
      readonly jti: string
      readonly expiresAtMs: number
    }
  | { readonly kind: 'refused'; readonly reason: TokenRefusal }

export interface Tokens {
  /** @param seconds life of the token, 1 to `MAX_TOKEN_SECONDS` */
  mint(principal: Principal, seconds: number): { readonly token: string; readonly expiresAtMs: number }
  verify(text: string): TokenVerdict
  /** Takes a token back that `verify` accepted. @throws GatewatchError `internal` when that cannot be kept */
  revoke(token: { readonly jti: string; readonly expiresAtMs: number }): void
}

/**
 * Short-lived bearer tokens `v1.<kid>.<payload>.<mac>`: payload is base64url JSON, mac is HMAC-SHA-256 over the bytes
 * as received. There is no algorithm field to be lied to about, and nothing in the payload is looked at before the
 * mac holds.
 * @throws GatewatchError `config_invalid` for a missing, repeated or short key
 */
export function createTokens({
  keys,
  audience,
  clock,
  revocations = createRevocations(clock),
}: TokenOptions): Tokens {
  const signing = checkKeys(keys)
  const secrets = new Map(keys.map(({ kid, secret }) => [kid, secret]))
  return {
    mint: (principal, seconds) => {
      const iat = Math.floor(clock.now() / 1000)
      const exp = iat + Math.min(Math.max(1, Math.floor(seconds)), MAX_TOKEN_SECONDS)
      const claims: Claims = {
        sub: principal.subject,
        ten: principal.tenant,
        caps: principal.capabilities,
        aud: audience,
        iat,
        exp,
        jti: randomUUID(),
        ...(principal.source === undefined ? {} : { src: principal.source }),
        ...(principal.login === undefined ? {} : { lgn: principal.login }),
      }
      const signed = `${VERSION}.${signing.kid}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`
      return {
        token: `${signed}.${macOf(signing.secret, signed).toString('base64url')}`,
        expiresAtMs: exp * 1000,
      }
    },
    verify: (text) => {
      const received = takeApart(text)
      if (received === undefined) return refused('malformed')
      const secret = secrets.get(received.kid)
      if (secret === undefined) return refused('unknown_key')
      const expected = macOf(secret, received.signed)
      if (received.mac.length !== expected.length || !timingSafeEqual(received.mac, expected)) {
        return refused('bad_mac')
      }
      const claims = claimsOf(received.payload)
      if (claims === undefined) return refused('bad_claims')
      const nowSeconds = clock.now() / 1000
      if (claims.exp - claims.iat > MAX_TOKEN_SECONDS || claims.exp <= claims.iat)
        return refused('bad_claims')
      if (claims.aud !== audience) return refused('wrong_audience')
      // No grace at the end: what is promised to live 300 s does not live longer.
      if (nowSeconds >= claims.exp) return refused('expired')
      if (nowSeconds < claims.iat - MAX_SKEW_SECONDS) return refused('not_yet_valid')
      if (revocations.has(claims.jti)) return refused('revoked')
      return {
        kind: 'accepted',
        principal: {
          subject: claims.sub,
          tenant: claims.ten,
          capabilities: claims.caps,
          ...(claims.src === undefined ? {} : { source: claims.src }),
          ...(claims.lgn === undefined ? {} : { login: claims.lgn }),
        },
        jti: claims.jti,
        expiresAtMs: claims.exp * 1000,
      }
    },
    revoke: ({ jti, expiresAtMs }) => revocations.add(jti, expiresAtMs),
  }
}

interface Claims {
  readonly sub: string
  readonly ten: string
  readonly caps: readonly ApiCapability[]
  readonly aud: string
  readonly iat: number
  readonly exp: number
  readonly jti: string
  readonly src?: string
  readonly lgn?: string
}

const refused = (reason: TokenRefusal): TokenVerdict => ({ kind: 'refused', reason })

const macOf = (secret: Uint8Array, signed: string): Buffer =>
  createHmac('sha256', secret).update(signed, 'utf8').digest()

function checkKeys(keys: readonly TokenKey[]): TokenKey {
  const [signing] = keys
  const remedy = `Give at least one key of ${MIN_KEY_BYTES} random bytes.`
  if (signing === undefined) {
    throw new GatewatchError('config_invalid', 'There is no token key.', { field: 'token_keys', remedy })
  }
  if (new Set(keys.map(({ kid }) => kid)).size !== keys.length) {
    throw new GatewatchError('config_invalid', 'Two token keys have the same id.', { field: 'token_keys' })
  }
  for (const { kid, secret } of keys) {
    if (!/^[\w-]{1,32}$/.test(kid)) {
      throw new GatewatchError('config_invalid', 'A token key’s id has characters outside A–Z a–z 0–9 _ -.', {
        field: 'token_keys',
      })
    }
    if (secret.length < MIN_KEY_BYTES || new Set(secret).size < 8) {
      throw new GatewatchError('config_invalid', `The token key ${kid} is too short or not random.`, {
        field: 'token_keys',
        remedy,
      })
    }
  }
  return signing
}

const SOURCE = new RegExp(SOURCE_NAME)
const TOKEN = /^v1\.([\w-]{1,32})\.([\w-]+)\.([\w-]{43})$/

function takeApart(text: string) {
  if (text.length > MAX_TOKEN_LENGTH) return undefined
  const match = TOKEN.exec(text)
  if (match === null) return undefined
  const [, kid, payload, macText] = match as unknown as [string, string, string, string]
  const mac = Buffer.from(macText, 'base64url')
  // 43 characters hold 258 bits: without this check four spellings would mean the same mac.
  if (mac.toString('base64url') !== macText) return undefined
  return { kid, payload, mac, signed: `${VERSION}.${kid}.${payload}` }
}

function claimsOf(payload: string): Claims | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
  } catch {
    return undefined
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined
  const { sub, ten, caps, aud, iat, exp, jti, src, lgn } = parsed as Record<string, unknown>
  const valid =
    [sub, ten, aud, jti].every((value) => typeof value === 'string' && value !== '') &&
    [iat, exp].every(Number.isSafeInteger) &&
    Array.isArray(caps) &&
    (src === undefined || (typeof src === 'string' && SOURCE.test(src))) &&
    (lgn === undefined || typeof lgn === 'string')
  // A capability this version does not know gives no right; it does not spoil the others.
  if (!valid) return undefined
  const bound = { ...(src === undefined ? {} : { src }), ...(lgn === undefined ? {} : { lgn }) }
  return { sub, ten, aud, jti, iat, exp, ...bound, caps: caps.filter(isApiCapability) } as Claims
}
