import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../../app/config/config.ts'
import { isSecure, plainHttpWarning } from '../../../app/config/listen.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-listen-'))
})
afterAll(() => rm(folder, { recursive: true }))

const load = (listen: object) => {
  const config = join(folder, 'gatewatch.yaml')
  writeFileSync(config, JSON.stringify({ listen }))
  return loadConfig({ config, data: folder }, {}).listen
}

describe('settings of the listener', () => {
  it.each([
    ['127.0.0.1', undefined, false],
    ['localhost', undefined, false],
    ['::1', undefined, false],
    ['0.0.0.0', undefined, true],
    ['::', undefined, true],
    ['10.0.0.7', 'http://gatewatch.example', true],
    ['10.0.0.7', 'https://gatewatch.example', false],
  ])('on %s with %s warns: %s', (host, publicUrl, warns) => {
    const listen = load({ host, ...(publicUrl === undefined ? {} : { public_url: publicUrl }) })
    expect(plainHttpWarning(listen) !== undefined).toBe(warns)
    expect(isSecure(listen)).toBe(publicUrl?.startsWith('https') ?? false)
  })

  it.each(['10.0.0.7', '10.0.0.0/28', 'fd00::/8', '::1'])('trusts the proxy %s', (proxy) => {
    expect(load({ trusted_proxies: [proxy] }).trustedProxies).toEqual([proxy])
  })

  // `0.0.0.0/0` would have everybody say who they are.
  it.each(['true', '*', 'proxy.internal', '10.0.0.0/33', '0.0.0.0/0', '10.0.0.0/8/9', '10.0.0'])(
    'does not trust %s',
    (proxy) => {
      expect(() => load({ trusted_proxies: [proxy] })).toThrowError(/address or a range/)
    },
  )

  it('refuses a certificate that cannot be used, naming the setting', () => {
    const [cert, key] = [join(folder, 'c.pem'), join(folder, 'k.pem')]
    expect(() => load({ tls: { cert_file: cert, key_file: key } })).toThrowError(/cannot be read/)
    writeFileSync(cert, 'nothing')
    writeFileSync(key, 'nothing')
    expect(() => load({ tls: { cert_file: cert, key_file: key } })).toThrowError(/not hold a certificate/)
    expect(() => load({ tls: { cert_file: cert } })).toThrowError()
  })
})
