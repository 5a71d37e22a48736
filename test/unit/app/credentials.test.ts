import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openCredentials } from '../../../app/credentials.ts'
import { GatewatchError } from '../../../core/errors.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatewatch-credentials-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const refusal = (): GatewatchError => {
  try {
    openCredentials(folder)
  } catch (error) {
    if (error instanceof GatewatchError) return error
    throw error
  }
  throw new Error('the credentials were taken')
}

const KEYS = ['redaction-key', 'fingerprint-key', 'token-key'] as const

describe('the credentials', () => {
  it('are made once, and are the same at the next start', () => {
    const made = openCredentials(folder)
    expect(openCredentials(folder)).toEqual(made)
    for (const key of [made.redactionKey, made.fingerprintKey, made.tokenKey]) expect(key).toHaveLength(32)
    expect(readdirSync(folder).sort()).toEqual([...KEYS, 'api-key', 'webhook-secret'].sort())
  })

  it.each(
    [...KEYS, 'redaction-key-2'].flatMap((name) =>
      [
        // Of the first of these, hexadecimal reading leaves nothing, or the digits before the first other character.
        randomBytes(32).toString('base64').replace(/^./, 'x'),
        `0x${'ab'.repeat(32)}`,
        'ab'.repeat(16),
        `${'ab'.repeat(31)}a`,
        '',
      ].map((text) => [name, text] as const),
    ),
  )('are refused where %s is %j', (name, text) => {
    openCredentials(folder)
    writeFileSync(join(folder, name), `${text}\n`)
    const { code, place, message } = refusal()
    expect(code).toBe('config_invalid')
    expect(place.at).toBe(join(folder, name))
    expect(message).toContain('64 hexadecimal digits')
    expect(place.remedy).toContain(`openssl rand -hex 32 > ${join(folder, name)}`)
    if (text !== '') expect(`${message}${place.remedy}`).not.toContain(text)
  })

  it.each([
    ['api-key', 'gw_short', 'gw_'],
    ['api-key', '', 'gw_'],
    ['webhook-secret', 'whsec_c2hvcnQ=', 'whsec_'],
    ['webhook-secret', randomBytes(32).toString('base64'), 'whsec_'],
    ['webhook-secret', '', 'whsec_'],
  ])('are refused where %s is %j', (name, text, wanted) => {
    openCredentials(folder)
    writeFileSync(join(folder, name), text)
    const { place, message } = refusal()
    expect(place.at).toBe(join(folder, name))
    expect(message).toContain(wanted)
  })

  it('may be longer, and in capital letters', () => {
    openCredentials(folder)
    writeFileSync(join(folder, 'token-key'), 'AB'.repeat(64))
    expect(openCredentials(folder).tokenKey).toEqual(Buffer.alloc(64, 0xab))
    writeFileSync(join(folder, 'webhook-secret'), `whsec_${randomBytes(64).toString('base64')}`)
    expect(readFileSync(join(folder, 'webhook-secret'), 'utf8')).toBe(openCredentials(folder).webhookSecret)
  })

  it('name the file that cannot be read', () => {
    openCredentials(folder)
    rmSync(join(folder, 'token-key'))
    mkdirSync(join(folder, 'token-key'))
    expect(refusal().place.at).toBe(join(folder, 'token-key'))
  })
})
