import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { kafkaJava } from './kafka/distribution.ts'
import {
  type Acknowledged,
  type Compression,
  endClient,
  type ForeignRecord,
  produce,
} from './kafka/foreign-producer.ts'
import {
  type Certificates,
  SCRAM_USERS,
  type SecuredPorts,
  securedListeners,
  securedProperties,
} from './kafka/security.ts'
import { PATIENCE_MS } from './patience.ts'
import { freePorts } from './ports.ts'

const run = promisify(execFile)

/** A broker process. It keeps its ports and its data over `kill` and `start`. */
export interface KafkaBroker {
  readonly address: string
  /** Ends it at once, as a power cut of the process would (SIGKILL). */
  kill(): Promise<void>
  /** Stops it answering, with its connections open (SIGSTOP), until `resume`. */
  pause(): void
  resume(): void
  /** Starts it again on the same data; resolves when it answers. */
  start(): Promise<void>
}

export interface KafkaCluster {
  /** `host:port` of every broker. */
  readonly brokers: readonly string[]
  /** With `advertised`: `host:port` where the connections that come through the proxies arrive. */
  readonly behindProxies: readonly string[]
  /** With `certificates`: `host:port` of every broker where it asks for a certificate, for a login, for one without TLS. */
  readonly secured: Readonly<Record<'tls' | 'login' | 'readable', readonly string[]>>
  broker(index: number): KafkaBroker
  /** A kafkajs client that keeps quiet. */
  client(clientId?: string): Kafka
  createTopic(topic: string, partitions: number, config?: Readonly<Record<string, string>>): Promise<void>
  /** Sends with Apache Kafka’s own Java client; see `ForeignRecord`. */
  produceWithForeignClient(
    records: readonly ForeignRecord[],
    compression?: Compression,
  ): Promise<Acknowledged[]>
  stop(): Promise<void>
}

/**
 * Starts Apache Kafka (KRaft, no containers) on free ports of 127.0.0.1 and waits until every broker answers.
 * @param options.brokers number of brokers, 1 by default; topics are replicated to all of them
 * @param options.properties lines added to every broker’s configuration
 * @param options.advertised a port of 127.0.0.1 for each broker: whoever connects through `behindProxies` is told
 * these ports, so that a proxy that listens there sees all of its requests, whichever broker they are for
 * @param options.certificates adds listeners that ask for TLS and for SASL
 */
export async function startKafka(
  options: {
    brokers?: number
    properties?: Readonly<Record<string, string | number>>
    advertised?: readonly number[]
    certificates?: Certificates
  } = {},
): Promise<KafkaCluster> {
  const count = options.brokers ?? 1
  const java = await kafkaJava()
  const folder = await mkdtemp(join(tmpdir(), 'gatewatch-kafka-'))
  const ports = await freePorts(count * PORTS)
  const nodes = Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    port: ports[index * PORTS]!,
    controllerPort: ports[index * PORTS + 1]!,
    proxiedPort: ports[index * PORTS + 2]!,
    secured: {
      tls: ports[index * PORTS + 3]!,
      login: ports[index * PORTS + 4]!,
      readable: ports[index * PORTS + 5]!,
    },
    certificates: options.certificates,
    advertised: options.advertised?.[index],
    folder: join(folder, `broker-${index + 1}`),
  }))
  const voters = nodes.map((node) => `${node.id}@127.0.0.1:${node.controllerPort}`).join(',')
  const clusterId = Buffer.from(crypto.randomUUID().replaceAll('-', ''), 'hex').toString('base64url')
  const addresses = nodes.map((node) => `127.0.0.1:${node.port}`)
  const brokers = nodes.map((node) => createBroker(node, java))
  const client = (clientId = 'gatewatch-test') =>
    new Kafka({
      clientId,
      brokers: addresses,
      logLevel: logLevel.NOTHING,
      retry: { retries: 10, initialRetryTime: 100, maxRetryTime: 2_000 },
    })
  const stop = async () => {
    await endClient(addresses)
    await Promise.all(brokers.map((broker) => broker.kill()))
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await Promise.all(
      nodes.map((node) => format(node, java, clusterId, voters, count, options.properties ?? {})),
    )
    await Promise.all(brokers.map((broker) => broker.start()))
    await withAdmin(client(), (admin) =>
      until('the cluster to have all its brokers', async () => {
        const { brokers: known, controller } = await admin.describeCluster()
        return known.length === count && controller !== null
      }),
    )
  } catch (error) {
    await stop()
    throw error
  }
  return {
    brokers: addresses,
    behindProxies: nodes.map((node) => `127.0.0.1:${node.proxiedPort}`),
    secured: {
      tls: nodes.map(({ secured }) => `127.0.0.1:${secured.tls}`),
      login: nodes.map(({ secured }) => `127.0.0.1:${secured.login}`),
      readable: nodes.map(({ secured }) => `127.0.0.1:${secured.readable}`),
    },
    broker: (index) => brokers[index]!,
    client,
    createTopic: (topic, partitions, config = {}) =>
      withAdmin(client(), async (admin) => {
        // Not kafkajs’s waitForLeaders: it gives up while a broker does not know the topic yet.
        await admin.createTopics({
          waitForLeaders: false,
          // A broker that has no turn for five seconds, which is the default, is still about to make it.
          timeout: PATIENCE_MS,
          topics: [
            {
              topic,
              numPartitions: partitions,
              replicationFactor: count,
              configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
            },
          ],
        })
        await until(`the topic ${topic} to have its leaders`, async () => {
          const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
          const leaders = topics[0]?.partitions.map(({ leader }) => leader) ?? []
          return leaders.length === partitions && leaders.every((leader) => leader >= 0)
        })
      }),
    produceWithForeignClient: (records, compression = 'none') =>
      produce(java, addresses, records, compression),
    stop,
  }
}

// Of a broker: open, controller, proxied, and three that ask for more.
const PORTS = 6

interface Node {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
  readonly proxiedPort: number
  readonly secured: SecuredPorts
  readonly certificates: Certificates | undefined
  readonly advertised: number | undefined
  readonly folder: string
}

async function format(
  node: Node,
  java: readonly string[],
  clusterId: string,
  voters: string,
  count: number,
  extra: Readonly<Record<string, string | number>>,
): Promise<void> {
  const properties: Record<string, string | number> = {
    'process.roles': 'broker,controller',
    'node.id': node.id,
    'controller.quorum.voters': voters,
    listeners: `PLAINTEXT://127.0.0.1:${node.port},CONTROLLER://127.0.0.1:${node.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${node.port}`,
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': join(node.folder, 'data'),
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': count,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': count,
    'transaction.state.log.num.partitions': 4,
    'transaction.state.log.min.isr': 1,
    'min.insync.replicas': count > 2 ? 2 : 1,
    'group.initial.rebalance.delay.ms': 0,
    // A broker that comes back after SIGKILL is let in when the session of its former self has run out.
    'broker.session.timeout.ms': 2_000,
    'broker.heartbeat.interval.ms': 500,
    'group.min.session.timeout.ms': 1_000,
    'message.max.bytes': 16 << 20,
    'replica.fetch.max.bytes': 16 << 20,
    ...(node.advertised === undefined ? {} : proxiedListener(node, node.advertised)),
    ...(node.certificates === undefined ? {} : guardedListeners(node, node.certificates)),
    ...extra,
  }
  await mkdir(node.folder, { recursive: true })
  const file = join(node.folder, 'server.properties')
  await writeFile(
    file,
    Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
  await run('java', [
    ...java,
    'kafka.tools.StorageTool',
    'format',
    // One word: an id may begin with a dash.
    `--cluster-id=${clusterId}`,
    '-c',
    file,
    ...(node.certificates === undefined ? [] : SCRAM_USERS),
  ])
}

function guardedListeners(node: Node, certificates: Certificates) {
  const { listeners, protocols } = securedListeners(node.secured)
  return {
    listeners: `PLAINTEXT://127.0.0.1:${node.port},CONTROLLER://127.0.0.1:${node.controllerPort},${listeners}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${node.port},${listeners}`,
    'listener.security.protocol.map': `CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,${protocols}`,
    ...securedProperties(certificates),
  }
}

const proxiedListener = (node: Node, advertised: number) => ({
  listeners: `PLAINTEXT://127.0.0.1:${node.port},PROXIED://127.0.0.1:${node.proxiedPort},CONTROLLER://127.0.0.1:${node.controllerPort}`,
  'advertised.listeners': `PLAINTEXT://127.0.0.1:${node.port},PROXIED://127.0.0.1:${advertised}`,
  'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT',
})

// The shell ends the broker when its standard input closes, which is when this process ends, in whatever way: no
// broker outlives the tests. It says the broker’s process id first.
const GUARD = '"$@" </dev/null & echo $!; read -r _; kill -9 $! 2>/dev/null'

function createBroker(node: Node, java: readonly string[]): KafkaBroker {
  const address = `127.0.0.1:${node.port}`
  const log = join(node.folder, 'broker.log')
  let shell: ChildProcess | undefined
  let pid: number | undefined
  const signal = (name: NodeJS.Signals) => {
    if (pid !== undefined) process.kill(pid, name)
  }
  const start = async () => {
    const child = spawn(
      'sh',
      ['-c', GUARD, 'sh', 'java', ...java, 'kafka.Kafka', join(node.folder, 'server.properties')],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    )
    shell = child
    child.stdin.on('error', () => {})
    const words = createWriteStream(log, { flags: 'a' })
    child.stderr.pipe(words, { end: false })
    const [first] = (await once(child.stdout, 'data')) as [Buffer]
    pid = Number(first.toString().split('\n')[0])
    child.stdout.pipe(words, { end: false })
    const broker = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING, retry: { retries: 0 } })
    await until(`the broker on ${address}`, async () => {
      if (!isAlive(pid)) throw new Stopped(await tail(log))
      return withAdmin(broker, async (admin) => (await admin.describeCluster()).brokers.length > 0)
    })
  }
  const kill = async () => {
    if (shell === undefined) return
    const ended = once(shell, 'close')
    if (isAlive(pid)) signal('SIGKILL')
    shell.stdin?.end()
    await ended
    shell = undefined
    pid = undefined
  }
  return { address, start, kill, pause: () => signal('SIGSTOP'), resume: () => signal('SIGCONT') }
}

class Stopped extends Error {}

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function tail(file: string): Promise<string> {
  const words = existsSync(file) ? await readFile(file, 'utf8') : ''
  return `The broker ended at its start:\n${words.slice(-2_000)}`
}

async function withAdmin<T>(client: Kafka, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = client.admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  let last: unknown
  while (Date.now() < deadline) {
    try {
      if (await holds()) return
    } catch (error) {
      if (error instanceof Stopped) throw error
      last = error
    }
    await sleep(50)
  }
  throw new Error(`Waited ${PATIENCE_MS} ms for ${what}.`, { cause: last })
}
