import { describe, expect, it } from 'vitest'
import { createKeywordScanner } from '../../../ingest/redact/keyword-scanner.ts'
import { createRedactor } from '../../../ingest/redact/redactor.ts'
import { createSecrecyOf, looksOpaque, NAME_KEYWORDS } from '../../../ingest/redact/secret-keys.ts'

const redactor = createRedactor({ id: 'k1', secret: new Uint8Array(32).fill(7) })
const secrecyOf = createSecrecyOf()
const json = (value: unknown) => redactor.json(value, 't')
const text = (value: string) => redactor.text(value, 't')

const SECRET_NAMES = (
  'password DB_PASSWORD db_pass mysql_pwd passwords1 password1 userPassword new_password apiKey api-key x-api-key ApiKey ' +
  'clientSecret access_token refreshToken Authorization Set-Cookie privateKey private_key_pem ssh_key pin PIN1 otp ' +
  'SecretString secret_value auth_header credentials_json pat github_pat seed_phrase mnemonic session_cookie cookies_header ' +
  'aws_secret_access_key totp_code passphrase keystore_pass user_pass cvv jwt bearer_token signing_key connectionString ' +
  'verification_code backup_code dsn database_dsn service_account_json ssn psk secret_text client_assertion auth ' +
  'PASSWORD_OLD api_key_prod webhook_key'
).split(' ')
const SEVERAL = [
  'passwords',
  'tokens',
  'secrets',
  'api_keys',
  'credentials',
  'accessTokens',
  'cookies',
  'recovery_codes',
]
const HARMLESS = (
  'title page_token nextPageToken continuation_token secret_name secret_arn author authors key keyboard pinned path pattern ' +
  'session_id sessionId mcp-session-id token_count token_type token_url key_id public_key password_policy bypass compass ' +
  'boarding_pass passenger passengers eos_token stop_token design signal monkey donkey primary_key foreign_key sort_key code_block ' +
  'authority authored_at publickey keywords description opinion'
).split(' ')

describe('names of secrets', () => {
  it.each(SECRET_NAMES)('%s', (name) => {
    expect(['secret', 'several']).toContain(secrecyOf(name))
  })
  it.each(SEVERAL)('%s: one, or many, or a count', (name) => {
    expect(secrecyOf(name)).toBe('several')
  })
  it.each(HARMLESS)('not %s', (name) => {
    expect(secrecyOf(name)).toBe('none')
  })

  it('has a keyword in every name, in each way of writing it: a text without one need not be parsed', () => {
    const scanner = createKeywordScanner(NAME_KEYWORDS)
    const missed = [...SECRET_NAMES, ...SEVERAL]
      .flatMap((name) => [name, name.toUpperCase(), name.replaceAll('_', '-'), name.replaceAll('_', '')])
      .filter((name) => !scanner.scan(JSON.stringify({ [name]: 'x' })) || !scanner.scan(`${name}=x`))
    expect(missed).toEqual([])
  })

  it('hides numbers, lists and objects under them, keeps null and booleans, and survives __proto__', () => {
    const clean = redactor.jsonText(
      '{"pin":1234,"tokens":5,"credentials":{"a":"b"},"password":null,"secret":false,"__proto__":{"password":"hunter2"}}',
      't',
    )
    expect(clean).toMatch(
      /^{"pin":"hmac:k1:[\w-]{22}","tokens":5,"credentials":{"a":"hmac:k1:[\w-]{22}"},"password":null,"secret":false,"__proto__":{"password":"hmac:k1:[\w-]{22}"}}$/,
    )
  })

  it('keeps counts, as numbers and as text', () => {
    const counts = {
      tokens: 5,
      max_tokens: 4096,
      input_tokens: '17',
      completionTokens: 3.5,
      token_count: 9,
      page_token: 'CAEQAA',
      usage: { tokens: [1, 2], total_tokens: '99' },
    }
    expect(json(counts)).toEqual(counts)
    const written = 'max_tokens=4096 "total_tokens": "99" tokens: 12345 page_token=CAEQAA1234567890'
    expect(text(written)).toBe(written)
  })

  it.each([
    ['a list', { tokens: ['horse', 'battery'] }],
    ['a list of objects', { credentials: [{ user: 'horse', deep: { x: ['battery'] } }] }],
    ['a map', { api_keys: { prod: 'horse', staging: 'battery' } }],
    ['names that are secrets themselves', { secrets: { 'horse 1': true, battery7: 1 } }],
    ['a manifest', { kind: 'Secret', data: { a: 'horse' }, stringData: { b: 'battery' } }],
  ])('hides what is in %s', (_, value) => {
    expect(JSON.stringify(json(value))).not.toMatch(/horse|battery/)
  })

  it('names that leave it open hide only what looks like a secret', () => {
    const open = {
      signature: 'def main(args) -> int',
      sig: 'Best regards, Bob',
      code: 'print(1)',
      heroku: 'eu-west',
    }
    expect(json(open)).toEqual(open)
    const secret = 'h7Gq2LmX9vBn4TzK'
    expect(JSON.stringify(json({ signature: secret, sid: secret, heroku_api: secret }))).not.toContain(secret)
  })

  it('an id that we join by stays', () => {
    const ids = {
      session_id: 'h7Gq2LmX9vBn4TzK',
      conversation_id: 'c1a2b3c4d5e6f7a8',
      trace_id: 'a'.repeat(32),
    }
    expect(json(ids)).toEqual(ids)
  })
})

it('what looks made by a machine', () => {
  expect(looksOpaque('h7Gq2LmX9vBn4TzK')).toBe(true)
  expect(looksOpaque('a sentence of 4 words')).toBe(false)
  expect(looksOpaque('aaaaaaaaaaaaaaa1')).toBe(false)
  expect(looksOpaque('CustomerOverview')).toBe(false)
})
