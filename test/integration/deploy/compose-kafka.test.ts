import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../../app/config/config.ts'
import type { KafkaSource } from '../../../ingest/sources/kafka.ts'
import type { Database } from '../../../store/database.ts'
import { describeKafka, kafkaJava } from '../../helpers/kafka/distribution.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'
import { PATIENCE_MS } from '../../helpers/patience.ts'
import { freePorts } from '../../helpers/ports.ts'
import { configuredSource } from '../ingest/configured-source.ts'

/** The broker of docker-compose.yml, with its settings, secrets and rights, as a process on 127.0.0.1. */

const run = promisify(execFile)
const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url))
const TOPIC = 'mcp-audit'
// kafkajs hides the broker’s refusal of a group behind words of its own.
const NO_GROUP = /authoriz|Failed to find group coordinator/i

// The shell ends the broker when its standard input closes, which is when this process ends, in whatever way.
const GUARD = '"$@" </dev/null & read -r _; kill -9 $! 2>/dev/null'

describeKafka('the broker of docker-compose.yml', () => {
  let folder: string
  let secrets: string
  let address: string
  let broker: ChildProcess
  let output = ''
  let database: Database
  let source: KafkaSource | undefined

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatewatch-compose-kafka-'))
    secrets = join(folder, 'secrets')
    await run('sh', [join(REPOSITORY, 'deploy/make-secrets.sh'), secrets])
    const java = await kafkaJava()
    const [internal = 0, external = 0, controller = 0] = await freePorts(3)
    address = `127.0.0.1:${external}`
    const properties = join(folder, 'server.properties')
    writeFileSync(properties, serverProperties({ internal, external, controller }))
    const id = Buffer.from(crypto.randomUUID().replaceAll('-', ''), 'hex').toString('base64url')
    await run('java', [
      ...java,
      'kafka.tools.StorageTool',
      'format',
      `--cluster-id=${id}`,
      ...['-c', properties],
    ])
    const login = `-Djava.security.auth.login.config=${join(secrets, 'kafka_jaas.conf')}`
    broker = spawn('sh', ['-c', GUARD, 'sh', 'java', login, ...java, 'kafka.Kafka', properties], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    broker.stdout?.on('data', (words) => (output += words))
    broker.stderr?.on('data', (words) => (output += words))
    await untilItAnswers()
    await makeTopics(java, `127.0.0.1:${internal}`)
    database = await openMigratedStore(join(folder, 'store'))
  })
  afterAll(async () => {
    await source?.stop()
    await database?.close()
    if (broker !== undefined) {
      const ended = once(broker, 'close')
      broker.stdin?.end()
      await ended
    }
    await rm(folder, { recursive: true, force: true })
  })

  async function untilItAnswers(): Promise<void> {
    const deadlineMs = Date.now() + PATIENCE_MS
    while (Date.now() < deadlineMs) {
      if (broker.exitCode !== null) break
      const known = await asAdmin((admin) => admin.describeCluster()).catch(() => undefined)
      if (known?.brokers.length === 1) return
      await sleep(100)
    }
    throw new Error(`The broker does not answer:\n${output.slice(-2000)}`)
  }

  /** What the image makes of the environment, with the addresses and folders of this machine. */
  function serverProperties(ports: { internal: number; external: number; controller: number }): string {
    const compose = parse(readFileSync(join(REPOSITORY, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
      services: { kafka: { environment: Record<string, string> } }
    }
    const own: Record<string, string> = {
      listeners: `INTERNAL://127.0.0.1:${ports.internal},EXTERNAL://127.0.0.1:${ports.external},CONTROLLER://127.0.0.1:${ports.controller}`,
      'advertised.listeners': `INTERNAL://127.0.0.1:${ports.internal},EXTERNAL://127.0.0.1:${ports.external}`,
      'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
      'log.dirs': join(folder, 'data'),
      'group.initial.rebalance.delay.ms': '0',
    }
    const given = Object.entries(compose.services.kafka.environment)
      .filter(([name]) => name.startsWith('KAFKA_') && !name.endsWith('_OPTS'))
      .map(([name, value]) => [name.slice('KAFKA_'.length).toLowerCase().replaceAll('_', '.'), value])
    return Object.entries({ ...Object.fromEntries(given), ...own })
      .map(([name, value]) => `${name}=${value}\n`)
      .join('')
  }

  /** Runs the script of the service `topics`, with Kafka’s programs where the image has its scripts. */
  async function makeTopics(java: readonly string[], server: string): Promise<void> {
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    const programs = { 'kafka-topics.sh': 'TopicCommand', 'kafka-acls.sh': 'AclCommand' }
    for (const [script, program] of Object.entries(programs)) {
      const words = ['java', ...java, `org.apache.kafka.tools.${program}`]
        .map((word) => `'${word}'`)
        .join(' ')
      writeFileSync(join(bin, script), `#!/bin/sh\nexec ${words} "$@"\n`)
      chmodSync(join(bin, script), 0o755)
    }
    const env = {
      ...process.env,
      KAFKA_BIN: bin,
      KAFKA_ADMIN_PROPERTIES: join(secrets, 'kafka_admin.properties'),
    }
    await run('sh', [join(REPOSITORY, 'deploy/kafka/make-topics.sh'), server, '6', '1'], { env })
  }

  const passwordOf = (name: string) => readFileSync(join(secrets, name), 'utf8')

  const clientOf = (username: string, password: string) =>
    new Kafka({
      brokers: [address],
      logLevel: logLevel.NOTHING,
      retry: { retries: 0 },
      sasl: { mechanism: 'plain', username, password },
    })
  const gateway = () => clientOf('gateway', passwordOf('kafka_gateway_password'))
  const gatewatch = () => clientOf('gatewatch', passwordOf('kafka_password'))

  async function withAdmin<T>(client: Kafka, use: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = client.admin()
    try {
      await admin.connect()
      return await use(admin)
    } finally {
      await admin.disconnect()
    }
  }
  const asAdmin = <T>(use: (admin: Admin) => Promise<T>): Promise<T> =>
    withAdmin(clientOf('admin', passwordOf('kafka_admin_password')), use)

  async function send(client: Kafka, topic: string, values: readonly string[]): Promise<void> {
    const producer = client.producer({ retry: { retries: 0 } })
    try {
      await producer.connect()
      await producer.send({ topic, messages: values.map((value) => ({ value })) })
    } finally {
      await producer.disconnect()
    }
  }

  it('takes records of gateways, which gatewatch reads and stores', async () => {
    await send(
      gateway(),
      TOPIC,
      Array.from({ length: 10 }, (_, n) => `{"n": ${n}}`),
    )
    const file = join(folder, 'gatewatch.yaml')
    const given = readFileSync(join(REPOSITORY, 'deploy/gatewatch.yaml'), 'utf8')
    const kafka = given.slice(given.indexOf('kafka:'), given.indexOf('clickhouse:'))
    writeFileSync(file, kafka.replace('kafka:9094', address).replace('/run/secrets', secrets))
    const config = loadConfig({ config: file, data: folder }).kafka
    if (config === undefined) throw new Error('The file has no kafka.')
    source = configuredSource(config, database)
    source.start()
    await expect
      .poll(async () => (await database.query<{ n: number }>('SELECT count() AS n FROM events'))[0]?.n)
      .toBe(10)
    expect(source.status().ready).toBe(true)
  })

  it('lets a gateway write and do nothing else', async () => {
    await expect(withAdmin(gateway(), (admin) => admin.deleteTopics({ topics: [TOPIC] }))).rejects.toThrow(
      /authoriz/i,
    )
    await expect(
      withAdmin(gateway(), (admin) =>
        admin.deleteTopicRecords({ topic: TOPIC, partitions: [{ partition: 0, offset: '-1' }] }),
      ),
    ).rejects.toThrow()
    await expect(
      withAdmin(gateway(), (admin) =>
        admin.createTopics({ topics: [{ topic: 'other' }], waitForLeaders: false }),
      ),
    ).rejects.toThrow()
    expect(await asAdmin((admin) => admin.listTopics())).not.toContain('other')
    await expect(readOne(gateway(), 'gatewatch')).rejects.toThrow(NO_GROUP)
    await expect(readOne(gateway(), 'a-group-of-its-own')).rejects.toThrow(NO_GROUP)
    expect(await held()).toBe(10)
  })

  it('lets gatewatch read and do nothing else', async () => {
    await expect(send(gatewatch(), TOPIC, ['{}'])).rejects.toThrow(/authoriz/i)
    await expect(withAdmin(gatewatch(), (admin) => admin.deleteTopics({ topics: [TOPIC] }))).rejects.toThrow(
      /authoriz/i,
    )
    await expect(readOne(gatewatch(), 'another-group')).rejects.toThrow(NO_GROUP)
    expect(await held()).toBe(10)
  })

  it.each([
    [
      'without an account',
      () =>
        new Kafka({
          brokers: [address],
          logLevel: logLevel.NOTHING,
          retry: { retries: 0 },
          connectionTimeout: 2_000,
          requestTimeout: 2_000,
        }),
    ],
    ['with a wrong password', () => clientOf('gateway', 'guessed')],
    ['as somebody unknown', () => clientOf('mallory', passwordOf('kafka_gateway_password'))],
  ])('refuses whoever comes %s', async (_, client) => {
    await expect(send(client(), TOPIC, ['{}'])).rejects.toThrow()
    expect(await held()).toBe(10)
  })

  /** Records that the topic holds. */
  const held = () =>
    asAdmin(async (admin) =>
      (await admin.fetchTopicOffsets(TOPIC)).reduce(
        (sum, { high, low }) => sum + Number(high) - Number(low),
        0,
      ),
    )

  /** Reads until a record or a refusal comes. */
  async function readOne(client: Kafka, groupId: string): Promise<void> {
    const consumer = client.consumer({ groupId, retry: { retries: 0 } })
    try {
      await consumer.connect()
      await consumer.subscribe({ topic: TOPIC, fromBeginning: true })
      await new Promise<void>((resolve, reject) => {
        consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
        consumer.run({ eachMessage: async () => resolve() }).catch(reject)
      })
    } finally {
      await consumer.disconnect()
    }
  }
})
