import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createTokens } from '../../../../api/credentials/tokens.ts'
import { createManualClock } from '../../../../core/clock.ts'
import { NOW_MS, SECRET } from '../api-fixture.ts'

const principal = { subject: 'alice', tenant: 'acme', capabilities: ['events:read'] } as const

const make = (clock = createManualClock(NOW_MS)) => ({
  clock,
  tokens: createTokens({ keys: [{ kid: 'k1', secret: SECRET }], audience: 'gatewatch', clock }),
})

/** A token with claims of one’s own, signed properly. */
function sign(claims: unknown, { kid = 'k1', secret = SECRET } = {}): string {
  const signed = `v1.${kid}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

const now = NOW_MS / 1000
const claims = {
  sub: 'alice',
  ten: 'acme',
  caps: ['events:read'],
  aud: 'gatewatch',
  iat: now,
  exp: now + 300,
  jti: 'j1',
}

describe('tokens', () => {
  it('accepts what it minted, in another instance with the same key too', () => {
    const { token, expiresAtMs } = make().tokens.mint(principal, 300)
    expect(make().tokens.verify(token)).toMatchObject({ kind: 'accepted', principal })
    expect(expiresAtMs).toBe(NOW_MS + 300_000)
  })

  it('never lives longer than 300 seconds', () => {
    expect(make().tokens.mint(principal, 86_400).expiresAtMs).toBe(NOW_MS + 300_000)
    expect(make().tokens.verify(sign({ ...claims, exp: now + 301 }))).toEqual({
      kind: 'refused',
      reason: 'bad_claims',
    })
  })

  it('ends after its life without a grace, and begins with one', () => {
    const { tokens, clock } = make()
    const { token } = tokens.mint(principal, 60)
    clock.set(NOW_MS + 59_999)
    expect(tokens.verify(token).kind).toBe('accepted')
    clock.set(NOW_MS + 60_000)
    expect(tokens.verify(token)).toEqual({ kind: 'refused', reason: 'expired' })
    clock.set(NOW_MS - 31_000)
    expect(tokens.verify(token)).toEqual({ kind: 'refused', reason: 'not_yet_valid' })
  })

  it.each([
    ['another audience', { ...claims, aud: 'elsewhere' }, 'wrong_audience'],
    ['no subject', { ...claims, sub: '' }, 'bad_claims'],
    ['no tenant', { ...claims, ten: undefined }, 'bad_claims'],
    ['a tenant that is not text', { ...claims, ten: ['acme'] }, 'bad_claims'],
    ['times that are not numbers', { ...claims, exp: `${now + 300}` }, 'bad_claims'],
    ['capabilities that are not a list', { ...claims, caps: 'admin' }, 'bad_claims'],
    ['claims that are not an object', null, 'bad_claims'],
  ])('refuses %s even when signed', (_name, bad, reason) => {
    expect(make().tokens.verify(sign(bad))).toEqual({ kind: 'refused', reason })
  })

  it('gives no right for a capability that it does not know', () => {
    const verdict = make().tokens.verify(sign({ ...claims, caps: ['events:read', 'root'] }))
    expect(verdict).toMatchObject({ principal: { capabilities: ['events:read'] } })
  })

  it('refuses an unknown key id and a key that is not ours', () => {
    const other = Uint8Array.from(SECRET, (byte) => byte ^ 1)
    expect(make().tokens.verify(sign(claims, { kid: 'k2' }))).toEqual({
      kind: 'refused',
      reason: 'unknown_key',
    })
    expect(make().tokens.verify(sign(claims, { secret: other }))).toEqual({
      kind: 'refused',
      reason: 'bad_mac',
    })
  })

  it('verifies with the old key while the new one signs', () => {
    const { token } = make().tokens.mint(principal, 300)
    const next = Uint8Array.from(SECRET, (byte) => 255 - byte)
    const keys = [
      { kid: 'k2', secret: next },
      { kid: 'k1', secret: SECRET },
    ]
    const rotated = createTokens({ keys, audience: 'gatewatch', clock: createManualClock(NOW_MS) })
    expect(rotated.verify(token).kind).toBe('accepted')
    expect(rotated.mint(principal, 300).token).toMatch(/^v1\.k2\./)
  })

  it.each([
    ['no key', []],
    ['a short key', [{ kid: 'k1', secret: SECRET.slice(0, 31) }]],
    ['a key of one byte repeated', [{ kid: 'k1', secret: new Uint8Array(32) }]],
    [
      'two keys of one id',
      [
        { kid: 'k1', secret: SECRET },
        { kid: 'k1', secret: SECRET },
      ],
    ],
  ])('does not start with %s', (_name, keys) => {
    expect(() => createTokens({ keys, audience: 'gatewatch', clock: createManualClock(0) })).toThrowError(
      expect.objectContaining({ code: 'config_invalid' }),
    )
  })

  it('refuses 10,000 altered tokens', () => {
    const { tokens } = make()
    const { token } = tokens.mint(principal, 300)
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.'
    const altered = fc.oneof(
      fc
        .tuple(fc.nat(token.length - 1), fc.constantFrom(...alphabet))
        .map(([at, character]) => token.slice(0, at) + character + token.slice(at + 1)),
      fc.nat(token.length - 1).map((at) => token.slice(0, at)),
      fc
        .tuple(fc.nat(token.length), fc.string({ minLength: 1 }))
        .map(([at, text]) => token.slice(0, at) + text + token.slice(at)),
      fc.string().map((text) => `v1.k1.${Buffer.from(text).toString('base64url')}.${token.split('.')[3]}`),
      fc.string(),
    )
    fc.assert(
      fc.property(altered, (text) => {
        fc.pre(text !== token)
        return tokens.verify(text).kind === 'refused'
      }),
      { numRuns: 10_000 },
    )
  })
})
