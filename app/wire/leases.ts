import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Logger } from 'pino'
import { Gauge, type Registry } from 'prom-client'
import type { Fence } from '../../core/fence.ts'
import type { Trouble } from '../../core/health.ts'
import { createSoleOwnership, type OwnedShard, type ShardOwnership } from '../../detectors/ownership.ts'
import { openServer } from '../../store/clickhouse.ts'
import { createLeaseKeeper } from '../../store/lease-keeper.ts'
import type { WantedLease } from '../../store/lease-rules.ts'
import { createLeaseStore, fenceOf } from '../../store/leases.ts'
import type { Config } from '../config/config.ts'
import type { Role } from '../config/schema.ts'

/** What one process of a deployment does at a time, and which role may. */
const SINGLE_TASKS = {
  /** Sends what is due in the outbox. */
  dispatch: 'detect',
  /** Looks for trouble in gatewatch’s own work. */
  operational: 'detect',
  /** Removes what is past its time. */
  retention: 'detect',
  /** Folds the parts of calls into events. */
  assemble: 'ingest',
} as const satisfies Record<string, Role>
export type SingleTask = keyof typeof SINGLE_TASKS

/**
 * Into how many shards judging is divided, and so how many processes can share it. What is stored for a shard belongs to
 * this number: another one is another beginning.
 */
export const SHARDS = 8

/** What this process may do, of what not every process of a deployment may do at once. */
export interface Leases {
  /** How other processes know this one, `host/process id/…`; absent where it is alone with its store. */
  readonly member?: string
  readonly shards: ShardOwnership
  /** For what is written about these shards: the store refuses it when one has another owner. Absent: nobody else may own one. */
  readonly fenceOf?: (owned: readonly OwnedShard[]) => Fence
  /** Asked before each step of the task; it may be another process’s a moment later. */
  mayRun(task: SingleTask): boolean
  check(): readonly Trouble[]
  start(): Promise<void>
  /** Gives up everything, so that others go on at once. Call it when the parts have stopped. */
  stop(): Promise<void>
}

/**
 * Leases in the store where processes share one; the embedded store is one process’s, which may do everything.
 * @throws GatewatchError as `openServer`
 */
export async function createLeases(options: {
  readonly config: Pick<Config, 'clickhouse' | 'roles'>
  readonly logger: Logger
  readonly registry: Registry
}): Promise<Leases> {
  const { config, logger, registry } = options
  if (config.clickhouse === undefined) return SOLE
  const shards = Array.from({ length: SHARDS }, (_, shard) => shard)
  const tasks = Object.entries(SINGLE_TASKS).filter(([, role]) => config.roles.includes(role))
  const wanted: WantedLease[] = [
    ...(config.roles.includes('detect')
      ? shards.map((shard) => ({ name: shardLease(shard), group: `shards/${SHARDS}`, spread: true }))
      : []),
    ...tasks.map(([task]) => ({ name: task, group: task, spread: false })),
  ]
  if (wanted.length === 0) return { ...SOLE, shards: NO_SHARDS, mayRun: () => false }
  // Connections of its own: a beat must not wait behind the questions of a tick or a dashboard.
  const database = await openServer({ ...config.clickhouse, requestTimeoutMs: REQUEST_TIMEOUT_MS })
  // New at each start; with what a person needs to find the process.
  const member = `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`
  const keeper = createLeaseKeeper({
    store: createLeaseStore(database),
    wanted,
    member,
    onChange: (held) => logger.info({ leases: Object.fromEntries(held) }, 'this process does these now'),
    onTrouble: (message) => {
      if (message === undefined) logger.info({}, 'the leases are renewed again')
      else logger.warn({ reason: message }, 'the leases could not be renewed; trying again')
    },
  })
  new Gauge({
    name: 'gatewatch_leases_held',
    help: 'Leases that this process holds: shards of detection, and tasks of one process',
    labelNames: ['kind'],
    registers: [registry],
    collect() {
      const held = wanted.filter(({ name }) => keeper.epochOf(name) !== undefined)
      const ofShards = held.filter(({ spread }) => spread).length
      this.set({ kind: 'shard' }, ofShards)
      this.set({ kind: 'task' }, held.length - ofShards)
    },
  })
  return {
    member,
    shards: {
      shards: SHARDS,
      owned: () =>
        shards.flatMap((shard) => {
          const epoch = keeper.epochOf(shardLease(shard))
          return epoch === undefined ? [] : [{ shard, epoch }]
        }),
      stillOwns: (shard, epoch) => keeper.epochOf(shardLease(shard)) === epoch,
    },
    fenceOf: (owned) => fenceOf(owned.map(({ shard, epoch }) => ({ name: shardLease(shard), epoch }))),
    mayRun: (task) => keeper.epochOf(task) !== undefined,
    check: () => {
      const trouble = keeper.trouble()
      const detail = `the leases could not be renewed: ${trouble}`
      return trouble === undefined ? [] : [{ state: 'degraded', reason: 'leases_not_renewed', detail }]
    },
    start: () => keeper.start(),
    stop: async () => {
      await keeper.stop()
      await database.close()
    },
  }
}

// An answer that comes later would be of no use: a lease is believed in for six seconds.
const REQUEST_TIMEOUT_MS = 3000

const shardLease = (shard: number): string => `shards/${SHARDS}/${shard}`

const SOLE: Leases = {
  shards: createSoleOwnership(),
  mayRun: () => true,
  check: () => [],
  start: async () => {},
  stop: async () => {},
}

const NO_SHARDS: ShardOwnership = { shards: SHARDS, owned: () => [], stillOwns: () => false }
