import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openServer } from '../store/clickhouse.ts'
import type { Database } from '../store/database.ts'
import { startClickHouse } from '../test/helpers/clickhouse-server.ts'
import { type GatewatchProcess, startProcess } from '../test/helpers/gatewatch.ts'
import { type LeasesHeld, leasesHeld } from '../test/helpers/leases-held.ts'
import type { Bench } from './benchmark.ts'
import { type Feed, openFeed, TENANTS, tenantOf } from './owners/feed.ts'
import { type Message, openReceiver } from './owners/messages.ts'

const PROCESSES = 3
/** All leases of the role `detect`: eight shards, and three tasks that one process does. */
const ALL_SHARDS = 8
const ALL_TASKS = 3
const FEED_EVERY_MS = 3000
const WARM_MS = 15_000
const AFTER_MS = 15_000
/** When nothing came for so long, nothing will: what is missing is lost. */
const PATIENCE_MS = 120_000

/**
 * Three detect processes over a running feed, and the one that sends is killed -9, several times. Each actor that was
 * fed must lead to one finding, one alert and one message at a real receiver.
 */
export const run: Bench = async ({ quick, progress }) => {
  const folder = await mkdtemp(join(tmpdir(), 'gatewatch-bench-owners-'))
  const receiver = await openReceiver()
  const server = await startClickHouse()
  const processes = new Set<GatewatchProcess>()
  let started = 0
  try {
    const config = await writeConfig(folder, { store: server.url, receiver: receiver.url })
    const start = async () => {
      const data = join(folder, `data-${started++}`)
      processes.add(await startProcess({ args: ['up', '--config', config, '--roles', 'detect'], data }))
    }
    for (let n = 0; n < PROCESSES; n++) await start()
    const database = await openServer({ url: server.url })
    const feed = await openFeed(database)
    const feeding = keepFeeding(feed)
    const rounds: Takeover[] = []
    // Detection learns each tenant’s baseline first; a kill before that would measure the learning.
    await until(
      async () => new Set(receiver.messages.map(({ actor }) => tenantOf(actor))).size,
      (heard) => heard === TENANTS.length,
    )
    for (let round = 0; round < (quick ? 1 : 3); round++) {
      if (round > 0) await start()
      await untilShared(processes)
      await sleep(WARM_MS)
      const takeover = await killOne(processes, feed)
      rounds.push(takeover)
      progress(
        `round ${round + 1}: all shards and tasks owned again ${seconds(takeover.tookMs)} s after kill -9`,
      )
      await sleep(AFTER_MS)
    }
    await feeding.stop()
    await untilAllHeard(feed, receiver.messages)
    // What is sent twice is sent after a moment, not at once.
    await sleep(AFTER_MS)
    const outcome = await outcomeOf(database, feed, receiver.messages)
    progress(JSON.stringify(outcome))
    const waits = waitsOf(feed, receiver.messages)
    const aroundKills = waits.filter(({ fedMs }) =>
      rounds.some(({ killedMs, tookMs }) => fedMs > killedMs - AFTER_MS && fedMs < killedMs + tookMs),
    )
    const learnedMs = (rounds[0]?.killedMs ?? 0) - AFTER_MS
    const otherwise = waits.filter((wait) => !aroundKills.includes(wait) && wait.fedMs > learnedMs)
    await database.close()
    return {
      figures: {
        takeover_s: {
          value: seconds(Math.max(...rounds.map(({ tookMs }) => tookMs))),
          unit: 's',
          goal: '<= 15',
        },
        lost: { value: outcome.lost, unit: 'actors', goal: '<= 0' },
        duplicates: {
          value: outcome.doubledFindings + outcome.doubledAlerts + outcome.doubledMessages,
          unit: '',
          goal: '<= 0',
        },
        resent_same_id: { value: outcome.resent, unit: 'messages' },
        fed: { value: feed.fedAt.size, unit: 'actors' },
        // From the feed to the receiver, of those that were fed in the 15 s before a kill and until it was made up for.
        longest_wait_at_kill_s: { value: seconds(Math.max(...aroundKills.map(({ ms }) => ms))), unit: 's' },
        longest_wait_s: { value: seconds(Math.max(...otherwise.map(({ ms }) => ms))), unit: 's' },
        median_wait_s: { value: seconds(median(otherwise.map(({ ms }) => ms))), unit: 's' },
      },
    }
  } finally {
    await Promise.all([...processes].map((process) => process.kill('SIGKILL')))
    await server.stop()
    await receiver.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function writeConfig(folder: string, urls: { store: string; receiver: string }): Promise<string> {
  const secret = join(folder, 'webhook-secret')
  await writeFile(secret, `whsec_${Buffer.from('bench-owners-secret-of-32-bytes!').toString('base64')}`)
  const rules = new URL('../detectors/rules/credential-then-send.yaml', import.meta.url)
  const rulesFolder = await mkdtemp(join(folder, 'rules-'))
  await copyFile(rules, join(rulesFolder, 'credential-then-send.yaml'))
  const path = join(folder, 'gatewatch.yaml')
  await writeFile(
    path,
    JSON.stringify({
      clickhouse: { url: urls.store },
      rules: { shipped: false, folders: [rulesFolder] },
      receivers: [
        { name: 'soc', type: 'webhook', url: urls.receiver, secret_file: secret, allow_private: true },
      ],
    }),
  )
  return path
}

function keepFeeding(feed: Feed): { stop(): Promise<void> } {
  let stopped = false
  const loop = (async () => {
    while (!stopped) {
      await feed.next()
      await sleep(FEED_EVERY_MS)
    }
  })()
  return {
    stop: async () => {
      stopped = true
      await loop
    },
  }
}

interface Takeover {
  /** `performance.now()`. */
  readonly killedMs: number
  readonly tookMs: number
}

/** Kills the process that sends, and waits until the others own everything. */
async function killOne(processes: Set<GatewatchProcess>, feed: Feed): Promise<Takeover> {
  const held = await Promise.all(
    [...processes].map(async (process) => ({ process, held: await leasesHeld(process) })),
  )
  const victim = held.sort((a, b) => b.held.task - a.held.task)[0]?.process
  if (victim === undefined) throw new Error('there is no process to kill')
  processes.delete(victim)
  // Somewhere between two beats and two ticks.
  await sleep(Math.random() * 5000)
  await victim.kill('SIGKILL')
  const killedMs = performance.now()
  await until(
    () => sumOf(processes),
    ({ shard, task }) => shard === ALL_SHARDS && task === ALL_TASKS,
  )
  const tookMs = performance.now() - killedMs
  await feed.next()
  return { killedMs, tookMs }
}

const untilShared = (processes: ReadonlySet<GatewatchProcess>): Promise<void> =>
  until(
    () => Promise.all([...processes].map(leasesHeld)),
    (held) =>
      sum(held).shard === ALL_SHARDS &&
      sum(held).task === ALL_TASKS &&
      held.every(({ shard }) => shard <= Math.ceil(ALL_SHARDS / held.length)),
  )

const sum = (held: readonly LeasesHeld[]): LeasesHeld =>
  held.reduce((a, b) => ({ shard: a.shard + b.shard, task: a.task + b.task }), { shard: 0, task: 0 })

const sumOf = async (processes: ReadonlySet<GatewatchProcess>): Promise<LeasesHeld> =>
  sum(await Promise.all([...processes].map(leasesHeld)))

async function until<Answer>(ask: () => Promise<Answer>, done: (answer: Answer) => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    const answer = await ask()
    if (done(answer)) return
    if (performance.now() > deadline) throw new Error(`never came true: ${JSON.stringify(answer)}`)
    await sleep(100)
  }
}

async function untilAllHeard(feed: Feed, messages: readonly Message[]): Promise<void> {
  const startMs = performance.now()
  for (;;) {
    const heard = new Set(messages.map(({ actor }) => actor))
    if ([...feed.fedAt.keys()].every((actor) => heard.has(actor))) return
    if (performance.now() - Math.max(startMs, messages.at(-1)?.atMs ?? 0) > PATIENCE_MS) return
    await sleep(500)
  }
}

interface Outcome {
  readonly lost: number
  readonly doubledFindings: number
  readonly doubledAlerts: number
  /** Messages about one alert and one cause under different ids: a receiver cannot tell. */
  readonly doubledMessages: number
  /** Messages that came again under the same id, which receivers leave out. */
  readonly resent: number
}

async function outcomeOf(database: Database, feed: Feed, messages: readonly Message[]): Promise<Outcome> {
  const heard = new Set(messages.map(({ actor }) => actor))
  const surplus = async (sql: string): Promise<number> => {
    const [row] = await database.query<{ surplus: number }>(sql)
    return row?.surplus ?? Number.NaN
  }
  const distinct = new Map(messages.map((message) => [message.id, message]))
  return {
    lost: [...feed.fedAt.keys()].filter((actor) => !heard.has(actor)).length,
    doubledFindings: await surplus(
      `SELECT toInt32(count()) - toInt32(uniqExact(tenant, actor)) AS surplus FROM finding_versions FINAL
       WHERE status = 'current' AND rule = 'credential-then-send'`,
    ),
    doubledAlerts: await surplus(
      `SELECT toInt32(uniqExact(tenant, alert_id)) - toInt32(uniqExact(tenant, fingerprint)) AS surplus FROM alert_log`,
    ),
    doubledMessages:
      distinct.size - new Set([...distinct.values()].map(({ actor, notice }) => `${actor}/${notice}`)).size,
    resent: messages.length - distinct.size,
  }
}

/** How long each actor that was heard of had to wait, in milliseconds, and when it was fed. */
function waitsOf(
  feed: Feed,
  messages: readonly Message[],
): { readonly fedMs: number; readonly ms: number }[] {
  const first = new Map<string, number>()
  for (const { actor, atMs } of messages) if (!first.has(actor)) first.set(actor, atMs)
  return [...first].flatMap(([actor, atMs]) => {
    const fedMs = feed.fedAt.get(actor)
    return fedMs === undefined ? [] : [{ fedMs, ms: atMs - fedMs }]
  })
}

const seconds = (ms: number): number => Math.round(ms / 100) / 10

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
