import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig, parseConfig } from '../../../app/config/config.ts'
import { GatewatchError } from '../../../core/errors.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatewatch-kafka-settings-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const loadText = (text: string, environment: NodeJS.ProcessEnv = {}) =>
  loadConfig({ config: file('gatewatch.yaml', text), data: folder }, environment).kafka
const load = (settings: object, environment: NodeJS.ProcessEnv = {}) =>
  loadText(
    JSON.stringify({ kafka: { brokers: ['b:9093'], topics: [{ name: 't' }], ...settings } }),
    environment,
  )
function faultOf(settings: object): string {
  try {
    load(settings)
  } catch (error) {
    if (error instanceof GatewatchError) return `${error.code} ${error.toLine()}`
    throw error
  }
  return 'none'
}

describe('kafka in gatewatch.yaml', () => {
  it('says everything that a part needs, also when it is not set', () => {
    expect(load({})).toEqual({
      brokers: ['b:9093'],
      group: 'gatewatch',
      topics: [{ name: 't', tenant: 'default' }],
      refreshMs: 30_000,
      sessionTimeoutMs: 30_000,
      fetch: { partitionBytes: 1024 ** 2, bytes: 16 * 1024 ** 2, waitMs: 250 },
      memoryBytes: 384 * 1024 ** 2,
    })
    expect(
      load({
        ...{ session_timeout_seconds: 60, fetch_partition_bytes: 2_000_000, fetch_bytes: 8_000_000 },
        ...{ fetch_wait_ms: 100, memory_mb: 64 },
      }),
    ).toMatchObject({
      sessionTimeoutMs: 60_000,
      fetch: { partitionBytes: 2_000_000, bytes: 8_000_000, waitMs: 100 },
      memoryBytes: 64 * 1024 ** 2,
    })
  })

  // Public reports: ConduitIO/conduit #283, hoptical/grafana-kafka-datasource #42.
  it('takes what users of managed clusters write first, with the password from the environment', () => {
    const text = `kafka:
  brokers: [broker-0.kafka.example.test:9093]
  topics: [{ name: mcp-audit }]
  ssl: true
  sasl:
    mechanism: scram-sha-512
    username: gatewatch
    password: \${KAFKA_PASSWORD}
`
    expect(loadText(text, { KAFKA_PASSWORD: 'x' })).toMatchObject({
      tls: {},
      login: { mechanism: 'scram-sha-512', username: 'gatewatch', password: 'x' },
    })
    expect(() => loadText(text)).toThrow('names the environment variable KAFKA_PASSWORD, which is not set.')
  })

  it('has no TLS unless it says so', () => {
    expect(load({ ssl: false })?.tls).toBeUndefined()
    expect(load({ ssl: true })?.tls).toEqual({})
    expect(load({ ssl: { server_name: 'k' } })?.tls).toEqual({ serverName: 'k' })
    expect(faultOf({ ssl: 'yes' })).toContain('must be true, or settings such as ca_file')
    expect(faultOf({ ssl: { ca: 'x' } })).toContain('Known here: ca_file, cert_file')
  })

  it('finds certificates and keys that cannot be used before anything connects', () => {
    const { privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    })
    const key_file = file('client.key', privateKey)
    const nothing = file('nothing.pem', 'nothing')
    expect(faultOf({ ssl: { ca_file: join(folder, 'missing') } })).toMatch(
      /kafka\.ssl\.ca_file.*cannot be read/,
    )
    expect(faultOf({ ssl: { ca_file: nothing } })).toMatch(/kafka\.ssl\.ca_file.*does not hold a certificate/)
    expect(faultOf({ ssl: { key_file } })).toMatch(/kafka\.ssl\.key_file: needs cert_file as well/)
    expect(faultOf({ ssl: { key_file, cert_file: nothing } })).toMatch(/kafka\.ssl\.cert_file.*does not hold/)
  })

  it('reads passwords from files, at each login only the token', () => {
    const password_file = file('password', 'secret\n')
    for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'])
      expect(load({ sasl: { mechanism, username: 'u', password_file } })?.login).toEqual({
        ...{ mechanism, username: 'u', password: 'secret' },
      })
    expect(load({ sasl: { mechanism: 'oauthbearer', token_file: '/not/there/yet' } })?.login).toEqual({
      ...{ mechanism: 'oauthbearer', token: { file: '/not/there/yet' } },
    })
    const client = { client_id: 'c', client_secret_file: password_file, scope: 's' }
    expect(load({ sasl: { mechanism: 'oauthbearer', token_url: 'https://i/t', ...client } })?.login).toEqual({
      mechanism: 'oauthbearer',
      token: { url: 'https://i/t', clientId: 'c', clientSecret: 'secret', scope: 's' },
    })
  })

  it.each([
    [{ mechanism: 'scram-sha-1' }, /must be one of plain, scram-sha-256, scram-sha-512, oauthbearer/],
    [{ mechanism: 'plain', password_file: '/x' }, /plain needs username/],
    [{ mechanism: 'plain', username: 'u' }, /needs either password or password_file/],
    [{ mechanism: 'plain', username: 'u', token_file: '/x' }, /sasl\.token_file: has no meaning for plain/],
    [{ mechanism: 'oauthbearer' }, /needs either token_file or token_url/],
    [{ mechanism: 'oauthbearer', username: 'u' }, /sasl\.username: has no meaning for oauthbearer/],
    [{ mechanism: 'oauthbearer', token_url: 'https://i/t' }, /needs client_id and client_secret_file/],
  ])('refuses the login %j', (sasl, words) => {
    expect(faultOf({ sasl })).toMatch(words)
  })

  it('is what docs/operations.md shows', () => {
    const text = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8')
    const [, yaml = ''] = /Kafka over TLS, with a login\n+```yaml\n([\s\S]*?)```/.exec(text) ?? []
    expect(parseConfig(yaml, 'docs/operations.md').kafka).toMatchObject({
      ssl: { ca_file: '/etc/kafka/ca.pem' },
      sasl: { mechanism: 'scram-sha-512' },
    })
  })

  it('takes no password that stands in the file, and does not repeat it', () => {
    const fault = faultOf({ sasl: { mechanism: 'plain', username: 'u', password: 'hunter2' } })
    expect(fault).toMatch(/config_invalid .*kafka\.sasl\.password: must be an environment variable/)
    expect(fault).not.toContain('hunter2')
  })
})
