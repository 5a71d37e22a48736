import { mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { loadConfig } from '../../../app/config/config.ts'
import type { KafkaSource } from '../../../ingest/sources/kafka.ts'
import type { Database } from '../../../store/database.ts'
import { runCommand } from '../../helpers/gatewatch.ts'
import { describeKafka } from '../../helpers/kafka/distribution.ts'
import {
  type Certificates,
  makeCertificates,
  SERVER_NAME,
  USER,
  unsignedToken,
} from '../../helpers/kafka/security.ts'
import { type KafkaCluster, startKafka } from '../../helpers/kafka.ts'
import { migratedData, openMigratedStore } from '../../helpers/migrated-store.ts'
import { freePorts } from '../../helpers/ports.ts'
import { configuredSource } from './configured-source.ts'

describeKafka('a broker that asks for more', () => {
  let folder: string
  let database: Database
  let kafka: KafkaCluster
  let certificates: Certificates
  let topics = 0
  const sources: KafkaSource[] = []
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatewatch-kafka-security-'))
    certificates = await makeCertificates(folder)
    database = await openMigratedStore(join(folder, 'store'))
    kafka = await startKafka({ certificates })
  })
  afterEach(async () => {
    for (const source of sources.splice(0)) await source.stop()
  })
  afterAll(async () => {
    await kafka?.stop()
    await database?.close()
    await rm(folder, { recursive: true, force: true })
  })

  const file = (name: string, text: string) => {
    const path = join(folder, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const tls = () => ({ ca_file: certificates.ca, server_name: SERVER_NAME })
  const configFile = (settings: object) => file(`gatewatch-${++topics}.yaml`, stringify({ kafka: settings }))

  /** Starts a source as gatewatch.yaml says, on a topic of its own with ten records. */
  async function startSource(settings: object) {
    const topic = `secured-${++topics}`
    await kafka.createTopic(topic, 1)
    const records = Array.from({ length: 10 }, (_, n) => ({ topic, partition: 0, value: `{"n": ${n}}` }))
    await kafka.produceWithForeignClient(records)
    const path = configFile({ group: topic, topics: [{ name: topic }], ...settings })
    const config = loadConfig({ config: path, data: folder }, { KAFKA_PASSWORD: USER.password }).kafka
    if (config === undefined) throw new Error('The file has no kafka.')
    const source = configuredSource(config, database)
    sources.push(source)
    source.start()
    return { source, topic }
  }

  const untilStored = (topic: string) =>
    expect
      .poll(async () => {
        const [row] = await database.query<{ stored: number }>(
          'SELECT toUInt32(count()) AS stored FROM events WHERE topic = {topic:String}',
          { topic },
        )
        return row?.stored
      })
      .toBe(10)

  const untilRefused = (source: KafkaSource, words: RegExp) =>
    expect.poll(() => source.status().lastError ?? '').toMatch(words)

  describe('over TLS', () => {
    it('is read with a client certificate, and refuses who has none', async () => {
      const own = { cert_file: certificates.clientCert, key_file: certificates.clientKey }
      const { topic } = await startSource({ brokers: kafka.secured.tls, ssl: { ...tls(), ...own } })
      await untilStored(topic)
      const { source } = await startSource({ brokers: kafka.secured.tls, ssl: tls() })
      await untilRefused(source, /certificate|alert|closed|disconnect|ECONNRESET|Connection/i)
      expect(source.status().ready).toBe(false)
    })

    it.each([
      [
        'signed by nobody that is known',
        () => ({ server_name: SERVER_NAME, ca_file: certificates.otherCa }),
        /certificate/,
      ],
      ['that the system does not know', () => ({ server_name: SERVER_NAME }), /certificate/],
      ['with another name', () => ({ ca_file: certificates.ca }), /does not match certificate/],
    ])('does not talk to a broker %s', async (_, ssl, words) => {
      const sasl = { mechanism: 'plain', username: USER.name, password_file: file('password', USER.password) }
      const { source } = await startSource({ brokers: kafka.secured.login, ssl: ssl(), sasl })
      await untilRefused(source, words)
      expect(source.status()).toMatchObject({ ready: false, partitions: [] })
    })
  })

  describe('for a login', () => {
    it.each(['plain', 'scram-sha-256', 'scram-sha-512'])(
      'is read with %s, and refuses a wrong password',
      async (mechanism) => {
        const right = { mechanism, username: USER.name, password_file: file('right', `${USER.password}\n`) }
        const reads = await startSource({ brokers: kafka.secured.login, ssl: tls(), sasl: right })
        await untilStored(reads.topic)
        const wrong = { ...right, password_file: file('wrong', 'wrong') }
        const refused = await startSource({ brokers: kafka.secured.login, ssl: tls(), sasl: wrong })
        await untilRefused(refused.source, /SASL .*(authentication failed|invalid credentials)/i)
        expect(refused.source.status().lastError).not.toContain(USER.password)
      },
    )

    it('is read with a password from the environment, also without TLS', async () => {
      const sasl = { mechanism: 'scram-sha-256', username: USER.name, password: `\${KAFKA_PASSWORD}` }
      const { topic } = await startSource({ brokers: kafka.secured.readable, sasl })
      await untilStored(topic)
    })

    it('is read with a token from a file, which is read anew at each login', async () => {
      const token = file('token', unsignedToken(-60))
      const sasl = { mechanism: 'oauthbearer', token_file: token }
      const { source, topic } = await startSource({ brokers: kafka.secured.login, ssl: tls(), sasl })
      await untilRefused(source, /OAUTHBEARER/)
      writeFileSync(token, `${unsignedToken(3_600)}\n`)
      await untilStored(topic)
    })

    it('is read with a token from an endpoint, asked for with client credentials', async () => {
      const asked: (string | undefined)[] = []
      const endpoint = createServer(async (request, response) => {
        let body = ''
        for await (const chunk of request) body += chunk
        asked.push(request.headers.authorization, body)
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify({ access_token: unsignedToken(3_600), expires_in: 3_600 }))
      })
      const [port] = await freePorts(1)
      await new Promise<void>((resolve) => endpoint.listen(port, '127.0.0.1', resolve))
      try {
        const sasl = {
          ...{ mechanism: 'oauthbearer', token_url: `http://127.0.0.1:${port}/token`, scope: 'kafka' },
          ...{ client_id: 'gate watch', client_secret_file: file('client-secret', 's/e&c') },
        }
        const { topic } = await startSource({ brokers: kafka.secured.login, ssl: tls(), sasl })
        await untilStored(topic)
        // Several connections, one token.
        expect(asked).toEqual([
          `Basic ${Buffer.from('gate%20watch:s%2Fe%26c').toString('base64')}`,
          'grant_type=client_credentials&scope=kafka',
        ])
      } finally {
        endpoint.close()
      }
    })
  })

  describe('and gatewatch doctor', () => {
    const doctor = async (settings: object) => {
      const config = configFile({ topics: [{ name: 'no-such-topic' }], ...settings })
      const data = await migratedData(join(folder, `doctor-${topics}`))
      const { stdout } = await runCommand(['doctor', '--json', '--config', config, '--data', data])
      const checks = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { check: string; ok: boolean; detail: string })
      return checks.find(({ check }) => check.startsWith('broker'))
    }

    it('logs in as the source does, and says what is refused', async () => {
      const sasl = {
        mechanism: 'scram-sha-512',
        username: USER.name,
        password_file: file('right', USER.password),
      }
      const brokers = kafka.secured.login
      expect(await doctor({ brokers, ssl: tls(), sasl })).toMatchObject({
        ok: true,
        detail: 'reachable (TLS, scram-sha-512); there is no topic no-such-topic',
      })
      const wrong = { ...sasl, password_file: file('wrong', 'wrong') }
      const refused = await doctor({ brokers, ssl: tls(), sasl: wrong })
      expect(refused).toMatchObject({
        ok: false,
        detail: expect.stringMatching(/^kafka\.sasl: .*Check mechanism/),
      })
      const unknown = await doctor({ brokers, ssl: { server_name: SERVER_NAME }, sasl })
      expect(unknown).toMatchObject({
        ok: false,
        detail: expect.stringMatching(/^kafka\.ssl: .*Check ca_file/),
      })
      expect(await doctor({ brokers })).toMatchObject({
        ok: false,
        detail: expect.stringMatching(/it may want TLS \(kafka\.ssl\) or a login \(kafka\.sasl\)/),
      })
    })
  })
})
