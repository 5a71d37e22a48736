import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin, Producer } from 'kafkajs'
import { startClickHouse } from '../helpers/clickhouse-server.ts'
import { startKafka } from '../helpers/kafka.ts'
import { PATIENCE_MS } from '../helpers/patience.ts'
import { freePorts } from '../helpers/ports.ts'
import { startTcpProxy, type TcpProxy, type Trap } from '../helpers/tcp-proxy.ts'
import { mountSmallDisk } from './disk.ts'
import { isIntent, isPlainCommit, removeMember, shortenSession } from './kafka-requests.ts'
import { type Lane, until, within } from './lane.ts'
import { createLedger, type Drawn } from './ledger.ts'
import { type Member, startMember } from './member.ts'
import { type InsertTrap, type StoreProxy, startStoreProxy } from './store-proxy.ts'
import { askStore, judge } from './verdict.ts'

const TOPIC = 'faults'
const GROUP = 'faults'
const PARTITIONS = 4
const SESSION_MS = 6_000
const USERS_SESSION_MS = 30_000
const ORDINARY: Drawn = { calls: 200, bad: 20, pairs: 10 }
// 2.5 MB for each partition, in one batch; the smaller member may hold 1 MB of each.
const LARGE = { calls: 400, bad: 20, pairs: 10, paddingBytes: 25_000 }
const SMALL_MEMORY_MB = 8

/** Inserts by the step of the protocol that they are. */
const INSERTS: Readonly<Record<string, (insert: string) => boolean>> = {
  'dead letter': (insert) => insert.startsWith('INSERT INTO dead_letters '),
  parts: (insert) => insert.startsWith('INSERT INTO event_parts '),
  insert: (insert) => insert.startsWith('INSERT INTO events ') && !insert.includes("'assemble/"),
  plan: (insert) => insert.startsWith('INSERT INTO assembled_calls '),
  correction: (insert) => insert.startsWith('INSERT INTO events ') && insert.includes("'assemble/"),
}
const COMMITS: Readonly<Record<string, (request: Buffer) => boolean>> = {
  intent: isIntent,
  commit: isPlainCommit,
}

interface Fellow {
  readonly member: Member
  readonly store: StoreProxy
}

/** gatewatch as members of a consumer group: Kafka brokers and a store process behind proxies. */
export async function openKafkaLane(options: {
  readonly brokers: number
  /** Whether a member is also frozen for a minute, with the session that users have. */
  readonly slow: boolean
  readonly random: () => number
}): Promise<Lane> {
  const { random } = options
  let sessionMs = SESSION_MS
  const folder = await mkdtemp(join(tmpdir(), 'gatewatch-faults-kafka-'))
  const advertised = await freePorts(options.brokers)
  const kafka = await startKafka({ brokers: options.brokers, advertised })
  const proxies: TcpProxy[] = await Promise.all(
    kafka.behindProxies.map((target, index) =>
      startTcpProxy({
        ...{ port: advertised[index] ?? 0, target },
        rewrite: (request) => shortenSession(request, sessionMs),
      }),
    ),
  )
  const disk = mountSmallDisk(768)
  const clickhouse = await startClickHouse(
    typeof disk === 'string' ? {} : { folder: join(disk.folder, 'store') },
  )
  await kafka.createTopic(TOPIC, PARTITIONS)
  const brokers = advertised.map((port) => `'127.0.0.1:${port}'`).join(', ')
  const settings = `kafka:\n  brokers: [${brokers}]\n  group: ${GROUP}\n  topics:\n    - name: ${TOPIC}\n`
  const config = join(folder, 'gatewatch.yaml')
  await writeFile(config, settings)
  const smallConfig = join(folder, 'small.yaml')
  await writeFile(smallConfig, `${settings}  memory_mb: ${SMALL_MEMORY_MB}\n`)
  const ledger = createLedger('kafka', random)
  const ask = askStore(clickhouse.url)
  const fellows: Fellow[] = []
  let born = 0
  let producer: Producer | undefined
  let admin: Admin | undefined

  const enlist = async (settingsFile = config): Promise<Fellow> => {
    const store = await startStoreProxy(clickhouse.url)
    const args = ['--roles', 'ingest', '--config', settingsFile, '--clickhouse', store.url]
    const fellow = { store, member: await startMember(join(folder, `member-${born++}`), args) }
    fellows.push(fellow)
    return fellow
  }

  const bury = async (fellow: Fellow) => {
    fellows.splice(fellows.indexOf(fellow), 1)
    await fellow.store.close()
    await rm(fellow.member.data, { recursive: true, force: true })
  }

  // What a supervisor does: the dead are removed from the group, and there is a living one.
  const ensureOne = async () => {
    for (const fellow of fellows.filter(({ member }) => !member.alive())) await bury(fellow)
    if (fellows.length === 0) await enlist()
  }

  const removeDeadMembers = async () => {
    try {
      const { groups } = await (await getAdmin()).describeGroups([GROUP])
      const ids = groups.flatMap(({ members }) => members.map(({ memberId }) => memberId))
      await Promise.all(ids.map((id) => removeMember(kafka.brokers, GROUP, id)))
    } catch {
      // Its session ends by itself.
    }
  }

  const getAdmin = async (): Promise<Admin> => {
    if (admin === undefined) {
      admin = kafka.client().admin()
      await admin.connect()
    }
    return admin
  }

  // One attempt a batch: a retry inside the client could write a batch twice, and would look like our fault.
  const produce = async (what: Drawn = ORDINARY) => {
    for (let attempt = 0; ; attempt++) {
      const records = ledger.draw(what)
      try {
        producer ??= kafka.client().producer({ retry: { retries: 0 } })
        await producer.connect()
        const messages = records.map(({ value }, index) => ({ value, partition: index % PARTITIONS }))
        await producer.send({ topic: TOPIC, messages, acks: -1, timeout: 5_000 })
        ledger.acknowledged(records)
        return
      } catch (error) {
        ledger.unknown(records)
        await producer?.disconnect().catch(() => {})
        producer = undefined
        if (attempt > 60) throw error
        await sleep(500)
      }
    }
  }

  const drained = async () => {
    const asked = await getAdmin()
    const [committed] = await asked.fetchOffsets({ groupId: GROUP, topics: [TOPIC] })
    const ends = await asked.fetchTopicOffsets(TOPIC)
    return ends.every(({ partition, high }) => {
      const found = committed?.partitions.find((entry) => entry.partition === partition)
      const nothingYet = high === '0' && (found === undefined || found.offset === '-1')
      return nothingYet || (found?.offset === high && (found.metadata ?? '') === '')
    })
  }

  /** Sets the trap on every connection of its kind, sends records, and waits until it has gone off once. */
  const catchOne = async (
    step: string,
    at: InsertTrap['at'],
    act: (fellow: Fellow | undefined) => Promise<'pass' | 'cut'>,
    what = ORDINARY,
  ): Promise<void> => {
    const { promise: sprung, resolve } = Promise.withResolvers<void>()
    let caught = false
    const disarm: (() => void)[] = []
    const spring = (fellow: Fellow | undefined) => async () => {
      if (caught) return 'pass' as const
      caught = true
      for (const take of disarm) take()
      const verdict = await act(fellow)
      resolve()
      return verdict
    }
    const commit = COMMITS[step]
    const insert = INSERTS[step]
    if (commit !== undefined && at !== 'during') {
      for (const proxy of proxies) {
        const trap: Trap = { matches: commit, at, spring: spring(fellows[0]) }
        disarm.push(proxy.arm(trap))
      }
    } else if (insert !== undefined) {
      for (const fellow of fellows) {
        disarm.push(fellow.store.arm({ matches: insert, at, spring: spring(fellow) }))
      }
    } else throw new Error(`There is no step ${step} to catch ${at}.`)
    await produce(what)
    try {
      await within(`${step} to be caught ${at}`, sprung)
    } finally {
      for (const take of disarm) take()
    }
  }

  const killFellow = async (fellow: Fellow | undefined) => {
    await (fellow ?? fellows[0])?.member.kill()
    await removeDeadMembers()
    return 'cut' as const
  }

  /** Bytes of the largest block that was begun and is not confirmed. */
  const largestBegun = async (bytesOfRecord: number) => {
    const [committed] = await (await getAdmin()).fetchOffsets({ groupId: GROUP, topics: [TOPIC] })
    const sizes = (committed?.partitions ?? []).map(({ offset, metadata }) => {
      const to = /^E=(\d+);/.exec(metadata ?? '')?.[1]
      return to === undefined ? 0 : (Number(to) - Number(offset) + 1) * bytesOfRecord
    })
    return Math.max(0, ...sizes)
  }

  const someone = () => fellows[Math.floor(random() * fellows.length)]
  const someBroker = () => kafka.broker(Math.floor(random() * options.brokers))
  const ready = (fellow: Fellow) =>
    until('a member to start', async () => (await fellow.member.url) !== undefined)
  const retireTo = async (count: number) => {
    for (const fellow of fellows.slice(count)) {
      await fellow.member.kill('SIGTERM')
      await bury(fellow)
    }
  }

  const faults: Record<string, () => Promise<void>> = {
    'kill at a random moment': async () => {
      await produce()
      await sleep(random() * 1_500)
      await killFellow(undefined)
    },
    'lost answer: insert': () => catchOne('insert', 'after', async () => 'cut'),
    'lost answer: dead letter': () => catchOne('dead letter', 'after', async () => 'cut'),
    'lost answer: plan': () => catchOne('plan', 'after', async () => 'cut'),
    'lost answer: correction': () => catchOne('correction', 'after', async () => 'cut'),
    'lost answer: intent': () => catchOne('intent', 'after', async () => 'cut'),
    'lost answer: commit': () => catchOne('commit', 'after', async () => 'cut'),
    'request cut: insert': () => catchOne('insert', 'before', async () => 'cut'),
    'request cut: intent': () => catchOne('intent', 'before', async () => 'cut'),
    'request cut: commit': () => catchOne('commit', 'before', async () => 'cut'),
    'cut: all connections to Kafka': async () => {
      await produce()
      for (let cut = 0; cut < 3; cut++) {
        await sleep(random() * 400)
        for (const proxy of proxies) proxy.cutAll()
      }
    },
    'delay: Kafka': async () => {
      for (const proxy of proxies) proxy.delay(100 + random() * 400)
      await produce()
      await sleep(2_000)
      for (const proxy of proxies) proxy.delay(0)
    },
    'delay: store': async () => {
      for (const { store } of fellows) store.delay(200 + random() * 1_000)
      await produce()
      await sleep(2_500)
      for (const { store } of fellows) store.delay(0)
    },
    'store away': async () => {
      for (const { store } of fellows) store.refuse(true)
      await produce()
      await sleep(1_000 + random() * 1_500)
      for (const { store } of fellows) store.refuse(false)
    },
    'store killed during an insert': async () => {
      await catchOne('insert', 'during', async () => {
        await sleep(random() * 60)
        await clickhouse.kill()
        return 'cut'
      })
      await clickhouse.start()
    },
    'store killed during a correction': async () => {
      await catchOne('correction', 'during', async () => {
        await sleep(random() * 60)
        await clickhouse.kill()
        return 'cut'
      })
      await clickhouse.start()
    },
    'store killed': async () => {
      await produce()
      await sleep(random() * 1_200)
      await clickhouse.kill()
      await sleep(500)
      await clickhouse.start()
    },
    'store frozen': async () => {
      await produce()
      await sleep(random() * 800)
      clickhouse.pause()
      await sleep(3_000)
      clickhouse.resume()
    },
    'broker killed': async () => {
      const broker = someBroker()
      const sending = produce()
      await sleep(random() * 800)
      await broker.kill()
      await sleep(500)
      await broker.start()
      await sending
    },
    'broker frozen': async () => {
      await produce()
      await sleep(random() * 500)
      const broker = someBroker()
      broker.pause()
      await sleep(4_000)
      broker.resume()
    },
    'zombie: frozen, its insert arrives after its successor’s': async () => {
      const { promise: released, resolve: release } = Promise.withResolvers<void>()
      const { promise: held, resolve: hold } = Promise.withResolvers<Fellow>()
      const disarm = fellows.map((fellow) =>
        fellow.store.arm({
          ...{ matches: INSERTS['insert'] ?? (() => false), at: 'before' },
          spring: async () => {
            fellow.member.stop()
            hold(fellow)
            await released
            return 'pass'
          },
        }),
      )
      await produce()
      const zombie = await within('an insert of the zombie', held)
      for (const take of disarm) take()
      await enlist()
      try {
        await produce()
        await until('the successor to store everything', drained)
      } finally {
        release()
        await sleep(200)
        zombie.member.resume()
      }
      await produce()
    },
    'zombie: frozen beyond its session': async () => {
      const zombie = someone()
      await enlist()
      await produce()
      await sleep(random() * 1_500)
      zombie?.member.stop()
      await produce()
      await sleep(SESSION_MS + 2_000)
      zombie?.member.resume()
      await produce()
    },
    'unequal shares: a begun block larger than what its next owner may hold': async () => {
      await catchOne('insert', 'before', killFellow, LARGE)
      const begun = await largestBegun(LARGE.paddingBytes)
      const share = (SMALL_MEMORY_MB * 1024 ** 2) / 2 / PARTITIONS
      if (begun < 2 * share) throw new Error(`The block that was begun has only ${begun} bytes.`)
      for (const fellow of [...fellows]) {
        await fellow.member.kill()
        await bury(fellow)
      }
      const small = await enlist(smallConfig)
      await produce()
      await until('the smaller member to store the block', drained)
      await small.member.kill('SIGTERM')
      await bury(small)
    },
    'rebalance storm of 4 members': async () => {
      while (fellows.length < 4) await enlist()
      for (let turn = 0; turn < 3; turn++) {
        await produce()
        await sleep(300 + random() * 1_500)
        const fellow = someone()
        await fellow?.member.kill(turn % 2 === 0 ? 'SIGKILL' : 'SIGTERM')
        if (fellow) await bury(fellow)
        await enlist()
      }
    },
  }
  for (const step of ['intent', 'dead letter', 'parts', 'insert', 'commit', 'plan', 'correction']) {
    for (const at of ['before', 'after'] as const) {
      faults[`kill ${at}: ${step}`] = async () => {
        await catchOne(step, at, killFellow)
        // The successor finds more than the dead one had: only the intent tells it where the block ended.
        await produce()
      }
    }
  }
  if (options.slow) {
    faults['zombie: frozen for 60 s, session of 30 s'] = async () => {
      sessionMs = USERS_SESSION_MS
      try {
        await killFellow(undefined)
        await ensureOne()
        await until('the partitions to be taken', drained)
        await enlist()
        await produce()
        await sleep(random() * 1_500)
        const zombie = someone()
        zombie?.member.stop()
        await produce()
        await sleep(60_000)
        zombie?.member.resume()
        await produce()
      } finally {
        sessionMs = SESSION_MS
      }
    }
  }
  if (typeof disk !== 'string') {
    faults['store’s disk full'] = async () => {
      disk.fill()
      await produce()
      await sleep(2_500)
      disk.free()
    }
  }

  return {
    name: 'kafka',
    kinds: Object.keys(faults),
    skipped: typeof disk === 'string' ? [`store’s disk full: ${disk}`] : [],
    inject: async (kind) => {
      await ensureOne()
      if (fellows[0]) await ready(fellows[0])
      await until('what was sent before to be stored', drained)
      const since = performance.now()
      try {
        await faults[kind]?.()
        await ensureOne()
        await until('everything to be stored and committed', drained)
      } catch (error) {
        const logs = fellows.map(({ member }) => member.log().slice(-1_500)).join('\n---\n')
        throw new Error(`${kind}: ${error instanceof Error ? error.message : error}\n${logs}`, {
          cause: error,
        })
      }
      const verdict = await judge(ask, ledger, PATIENCE_MS)
      const recoveryMs = performance.now() - since
      await retireTo(1)
      return { lane: 'kafka', kind, recoveryMs, verdict }
    },
    close: async () => {
      await Promise.all(fellows.map(({ member }) => member.kill()))
      for (const { store } of fellows) await store.close()
      await producer?.disconnect().catch(() => {})
      await admin?.disconnect().catch(() => {})
      for (const proxy of proxies) await proxy.close()
      await clickhouse.stop()
      await kafka.stop()
      if (typeof disk !== 'string') disk.remove()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
