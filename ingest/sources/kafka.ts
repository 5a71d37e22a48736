import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { RawRecord } from '../record.ts'
import { type Backoff, backoffMs, pause as sleepUnless } from '../retry.ts'
import type { ChunkLimits } from './chunk-buffer.ts'
import { type AssignedBatch, createAssignment, type KafkaAssignment } from './kafka-assignment.ts'
import {
  type Admin,
  type Consumer,
  createKafkaClient,
  type EachBatchPayload,
  type KafkaAccess,
} from './kafka-client.ts'
import { type FetchedPartition, fetchedOf } from './kafka-fetch-response.ts'
import type { PartitionOptions, PartitionStatus } from './kafka-partition.ts'
import { type FetchedRecord, readRecordBatches } from './kafka-record-batch.ts'
import {
  type KafkaTopic,
  type KafkaTopicPattern,
  type ResolvedTopics,
  resolveTopics,
} from './kafka-topics.ts'
import { createSlots } from './slots.ts'

/** How much is fetched at once; a batch that is larger comes whole. */
export interface KafkaFetch {
  /** Of one partition. */
  readonly partitionBytes: number
  /** Of all partitions that one broker leads. */
  readonly bytes: number
  /** How long the broker waits for records when there are none. */
  readonly waitMs: number
}

export interface KafkaSourceOptions
  extends KafkaAccess,
    Pick<PartitionOptions, 'process' | 'createEncoder' | 'compare' | 'write' | 'telemetry'> {
  readonly groupId: string
  readonly topics: readonly (KafkaTopic | KafkaTopicPattern)[]
  /** New topics and partitions are read at the latest after this time. Default: 30 s. */
  readonly refreshMs?: number
  /** Defaults: 1 MB, 16 MB and 250 ms. */
  readonly fetch?: Partial<KafkaFetch>
  readonly clock: Clock
  /** Bytes of records, as they came, that may be in memory over all partitions. Default: 384 MB. */
  readonly memoryBytes?: number
  /** When a partition's records become an insert. Default: at 100,000 rows, 52 MB or one second. */
  readonly limits?: Partial<ChunkLimits>
  /** Inserts at the same time, over all partitions. Default: 3. */
  readonly insertsAtOnce?: number
  /** After this long without a sign of life another member gets our partitions. Default: 30 s. */
  readonly sessionTimeoutMs?: number
  readonly storeBackoff?: Backoff
  readonly brokerBackoff?: Backoff
}

/** `waiting`: the brokers answer, and none of the topics exists yet. */
export type KafkaState = 'connecting' | 'waiting' | 'joining' | 'running' | 'retrying' | 'stopped'

export interface KafkaPartitionStatus extends PartitionStatus {
  readonly topic: string
  readonly partition: number
  /** Offset after the newest record, as last heard from the broker. */
  readonly highWatermark: number
  /** Records in the topic that are not in the store. */
  readonly lag: number
}

export interface KafkaSourceStatus {
  readonly state: KafkaState
  /** Member of the group and its partitions known, or waiting for topics. */
  readonly ready: boolean
  /** Topics that are named in the configuration and do not exist; the others are read. */
  readonly missingTopics: readonly string[]
  readonly lastError: string | undefined
  readonly partitions: readonly KafkaPartitionStatus[]
}

export interface KafkaSource {
  /** Returns at once; keeps trying until the brokers answer. */
  start(): void
  /** Stores what was read, within the time, and leaves the group. */
  stop(drainMs?: number): Promise<void>
  status(): KafkaSourceStatus
}

const FETCH: KafkaFetch = { partitionBytes: 1024 * 1024, bytes: 16 * 1024 * 1024, waitMs: 250 }
const BROKER_BACKOFF: Backoff = { firstMs: 500, capMs: 15_000 }
const OUT_OF_GROUP = 'The group does not know this member any more, and it could not join again.'
// What ends a run of the consumer without being a fault.
const TOPICS_CHANGED = Symbol('topics changed')
const NO_BYTES = new Uint8Array(0)
// Of records as they came, which are held encoded at about a third of them: half in the partitions' queues, half in the inserts under way.
const MEMORY_BYTES = 384 * 1024 * 1024
// The largest block that anybody begins. Whoever gets its partition holds it, whatever the share of a partition is there.
const BLOCK: ChunkLimits = { maxRows: 100_000, maxBytes: 52_000_000, maxAgeMs: 1_000 }
const PARTITION_BYTES = { least: 1024 * 1024, most: 64 * 1024 * 1024 }
// Part of the ten seconds that a whole stop may take.
const DRAIN_MS = 4_000
const LEAVE_MS = 1_000
const UNREADABLE_TIMES = 4

/**
 * Reads topics as a member of a consumer group and stores them with exactly-once effect (`kafka-partition.ts`). What
 * kafkajs is made to do here against its habits:
 * - what brokers answer is decoded here (`kafka-fetch-response.ts`), bounded and a portion at a time;
 * - an exception in a handler would end the consumer for good, so the handler only files records away;
 * - `consumer.commitOffsets` repeats a refused commit under the next assignment, which may be somebody else's
 *   partition; the commit of the handler's payload does not;
 * - batches fetched under an earlier assignment arrive late; each partition checks that a batch continues the last.
 */
export function createKafkaSource(options: KafkaSourceOptions): KafkaSource {
  const { telemetry, clock, groupId, sessionTimeoutMs = 30_000, refreshMs = 30_000 } = options
  const slots = createSlots(options.insertsAtOnce ?? 3)
  const limits: ChunkLimits = { ...BLOCK, ...options.limits }
  const fetchAtOnce: KafkaFetch = { ...FETCH, ...options.fetch }
  const stopping = new AbortController()
  let state: KafkaState = 'stopped'
  let lastError: string | undefined
  let assignment: KafkaAssignment | undefined
  let consumer: Consumer | undefined
  let finishing = false
  let loop: Promise<void> | undefined
  let failures = 0
  let resolved: ResolvedTopics = { topics: new Map(), missing: [] }

  const noteTrouble = (message: string) => {
    if (finishing) return
    lastError = message
    if (state === 'running' || state === 'waiting') state = 'retrying'
    telemetry.brokerFailed(++failures, message)
  }
  const noteWell = () => {
    if (state === 'retrying' && assignment !== undefined) state = 'running'
    failures = 0
  }

  const kafka = createKafkaClient(options, {
    connectionTimeout: 5_000,
    requestTimeout: 30_000,
    retry: { retries: 5, initialRetryTime: 300, maxRetryTime: 5_000 },
    // A crash says the same again with its cause; the group coordinator of a fresh broker is not a fault.
    onTrouble: (message) => {
      if (!/coordinator is not available|^Crash|Restarting/.test(message)) noteTrouble(message)
    },
  })

  /** Connects, consumes, and returns when the consumer has ended, with the reason, or when the topics have changed. */
  const consumeOnce = async (): Promise<string | typeof TOPICS_CHANGED> => {
    const admin = kafka.admin()
    const over = new AbortController()
    const current = kafka.consumer({
      groupId,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: 60_000,
      heartbeatInterval: sessionTimeoutMs / 10,
      maxBytesPerPartition: fetchAtOnce.partitionBytes,
      maxBytes: fetchAtOnce.bytes,
      maxWaitTimeInMs: fetchAtOnce.waitMs,
      // Partitions that are added to a topic are seen when its metadata is asked for again.
      metadataMaxAge: refreshMs,
      allowAutoTopicCreation: false,
      retry: { retries: 5, restartOnFailure: async () => false },
    })
    // The last time that the group knew it.
    let memberAtMs = clock.now()
    const noteMember = () => {
      memberAtMs = clock.now()
    }
    current.on(current.events.HEARTBEAT, noteMember)
    current.on(current.events.GROUP_JOIN, noteMember)
    const ended = new Promise<string>((resolve) => {
      current.on(current.events.CRASH, ({ payload }) => resolve(explain(payload.error)))
      // kafkajs forgets who it is when the group does not know it. If it then fails once to join, it fetches on for good
      // without a heartbeat, all its commits are refused, and nobody else gets its partitions: it is begun anew.
      current.on(current.events.FETCH, () => {
        if (clock.now() - memberAtMs > sessionTimeoutMs) resolve(OUT_OF_GROUP)
      })
      // Before a crash there is a stop too, and only the crash has the reason.
      current.on(current.events.STOP, () => {
        if (finishing) resolve('stopped')
      })
    })
    current.on(current.events.FETCH, noteWell)
    current.on(current.events.REBALANCING, () => assignment?.abandon())
    current.on(current.events.GROUP_JOIN, ({ payload }) => {
      assignment?.abandon()
      assignment = assign(current, admin, payload.memberAssignment)
      state = 'running'
      failures = 0
      telemetry.assigned(assignment.names())
    })
    try {
      await admin.connect()
      resolved = resolveTopics(options.topics, await admin.listTopics())
      const names = [...resolved.topics.keys()]
      telemetry.topicsChanged({ topics: names, missing: resolved.missing })
      if (names.length === 0) {
        state = 'waiting'
        return await untilTopicsChange(admin, stopping.signal)
      }
      await current.connect()
      await current.subscribe({ topics: names, fromBeginning: true })
      consumer = current
      state = 'joining'
      await current.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: 8,
        eachBatch: handle,
      })
      // Also ends with a stop that came while we joined.
      const signal = AbortSignal.any([over.signal, stopping.signal])
      const end = await Promise.race([ended, untilTopicsChange(admin, signal)])
      if (end === TOPICS_CHANGED) await drain(DRAIN_MS)
      return end
    } finally {
      over.abort()
      assignment?.abandon()
      assignment = undefined
      consumer = undefined
      await Promise.allSettled([current.disconnect(), admin.disconnect()])
    }
  }

  // A consumer cannot subscribe to more while it runs: the group is left and joined again.
  const untilTopicsChange = async (admin: Admin, signal: AbortSignal): Promise<typeof TOPICS_CHANGED> => {
    for (;;) {
      await sleepUnless(refreshMs, signal)
      if (signal.aborted) return TOPICS_CHANGED
      try {
        const { topics } = resolveTopics(options.topics, await admin.listTopics())
        if (resolved.topics.size === 0) state = 'waiting'
        if (new Set(topics.keys()).symmetricDifference(new Set(resolved.topics.keys())).size > 0)
          return TOPICS_CHANGED
      } catch (error) {
        if (!signal.aborted) noteTrouble(explain(error))
      }
    }
  }

  const drain = async (withinMs: number) => {
    const deadline = new AbortController()
    await Promise.race([assignment?.finish(), sleepUnless(withinMs, deadline.signal)])
    deadline.abort()
    assignment?.abandon()
  }

  const assign = (current: Consumer, admin: Admin, owned: Readonly<Record<string, number[]>>) =>
    createAssignment({
      owned,
      fetchCommitted: async () =>
        (await admin.fetchOffsets({ groupId, topics: Object.keys(owned) })).flatMap(({ topic, partitions }) =>
          partitions.map(({ partition, offset, metadata }) => ({
            topic,
            partition,
            offset: Number(offset),
            metadata,
          })),
        ),
      fetchBounds: async (topic) =>
        (await admin.fetchTopicOffsets(topic)).map(({ partition, low, high }) => ({
          partition,
          oldest: Number(low),
          highWatermark: Number(high),
        })),
      seek: (topic, partition, offset) =>
        whileRunning(() => current.seek({ topic, partition, offset: String(offset) })),
      setPaused: (topic, partition, paused) => {
        const where = [{ topic, partitions: [partition] }]
        whileRunning(() => (paused ? current.pause(where) : current.resume(where)))
      },
      lostRecord: (topic, partition, from, to) => ({
        ...toRecord({ offset: from, timestampMs: 0, value: null, headers: {} }, topicOf(topic), partition),
        lastOffset: to,
        refused: {
          reason: 'records_lost',
          message: `Kafka deleted ${to - from + 1} offsets (${from} to ${to}) before they could be read.`,
        },
      }),
      worker: {
        ...options,
        ...memoryOf(Object.values(owned).flat().length),
        slots,
        clock,
        ...(options.storeBackoff === undefined ? {} : { backoff: options.storeBackoff }),
      },
      onTrouble: noteTrouble,
    })

  // A consumer that ended a moment ago refuses these; the next assignment starts afresh anyway.
  const whileRunning = (action: () => void) => {
    try {
      action()
    } catch (error) {
      noteTrouble(messageOf(error))
    }
  }

  const memoryOf = (partitions: number) => {
    const { least, most } = PARTITION_BYTES
    const memory = options.memoryBytes ?? MEMORY_BYTES
    const share = Math.min(most, Math.max(least, memory / 2 / Math.max(1, partitions)))
    return { maxWaitingBytes: share, limits: { ...limits, maxBytes: Math.min(limits.maxBytes, share) } }
  }

  const topicOf = (name: string): KafkaTopic => resolved.topics.get(name) ?? { name }

  const handle = async (payload: EachBatchPayload): Promise<void> => {
    const { batch, heartbeat } = payload
    const { topic, partition } = batch
    const target = assignment
    if (target === undefined || finishing) return
    while (!(await target.settled(1_000))) await heartbeat()
    const fetched = fetchedOf(batch.messages[0])
    if (fetched === undefined)
      throw new Error('The brokers are older than Kafka 2.3, which is not supported.')
    const fetchedOffset = Number((batch as unknown as { fetchedOffset: string }).fetchedOffset)
    const commit = async (offset: number, metadata: string) => {
      const partitions = [{ partition, offset: String(offset), metadata }]
      await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions }] })
    }
    if (fetched.outOfRange) {
      await target
        .outOfRange(topic, partition, fetchedOffset, commit)
        .catch((error: unknown) => noteTrouble(explain(error)))
    } else await takePortions(target, payload, fetched, fetchedOffset, commit)
  }

  const takePortions = async (
    target: KafkaAssignment,
    { batch, heartbeat, resolveOffset }: EachBatchPayload,
    { batches, aborted }: FetchedPartition,
    fetchedOffset: number,
    commit: AssignedBatch['commit'],
  ) => {
    const { topic, partition } = batch
    const name = `${topic}/${partition}`
    const highWatermark = Number(batch.highWatermark)
    let from = fetchedOffset
    const onDamaged = (offset: number) => (isSeenOften(name, offset) ? 'refuse' : 'read-again')
    const reading = readRecordBatches(batches, { from, aborted, highWatermark, onDamaged })
    for await (const { records, lastOffset } of reading) {
      reportUnreadable(name, records)
      await target.accept(topic, partition, {
        fetchedOffset: from,
        lastOffset,
        highWatermark,
        records: records.map((record) => toRecord(record, topicOf(topic), partition)),
        commit,
      })
      resolveOffset(String(lastOffset))
      from = lastOffset + 1
      // What is left is fetched again when there is room for it.
      if (finishing || target.isPaused(topic, partition)) return
      await heartbeat()
    }
    // Brokers send whole batches. Where one ends cannot be known when its length is damaged.
    if (from === fetchedOffset && batches.length > 0 && isSeenOften(name, from))
      target.halt(topic, partition, `What the brokers send at offset ${from} is no whole batch.`)
  }

  // Damage on the way passes, damage on a disk of the brokers does not.
  const unreadable = new Map<string, { readonly offset: number; readonly times: number }>()
  const isSeenOften = (name: string, offset: number): boolean => {
    const before = unreadable.get(name)
    const times = before?.offset === offset ? before.times + 1 : 1
    unreadable.set(name, { offset, times })
    return times >= UNREADABLE_TIMES
  }

  const reportUnreadable = (name: string, records: readonly FetchedRecord[]) => {
    const refused = records.filter((record) => record.refused !== undefined)
    const [first] = refused
    if (first === undefined) return
    const count = refused.reduce((sum, { offset, lastOffset = offset }) => sum + lastOffset - offset + 1, 0)
    telemetry.batchUnreadable(name, count, first.refused ?? '')
  }

  const run = async () => {
    for (let attempt = 1; !stopping.signal.aborted; attempt++) {
      if (state !== 'retrying') state = attempt === 1 ? 'connecting' : 'retrying'
      const since = clock.now()
      try {
        const reason = await consumeOnce()
        if (reason === TOPICS_CHANGED) {
          attempt = 0
          continue
        }
        if (!finishing) noteTrouble(reason)
      } catch (error) {
        if (!finishing) noteTrouble(explain(error))
      }
      state = 'retrying'
      if (clock.now() - since > 60_000) attempt = 1
      await sleepUnless(
        backoffMs(options.brokerBackoff ?? BROKER_BACKOFF, attempt, Math.random()),
        stopping.signal,
      )
    }
    state = 'stopped'
  }

  return {
    start: () => {
      loop ??= run()
    },
    stop: async (drainMs = DRAIN_MS) => {
      finishing = true
      await drain(drainMs)
      stopping.abort()
      // A broker that is away must not hold up the stop; the group notices by itself.
      const left = new AbortController()
      await Promise.race([
        Promise.allSettled([consumer?.disconnect()]).then(() => loop),
        sleepUnless(LEAVE_MS, left.signal),
      ])
      left.abort()
      state = 'stopped'
    },
    status: () => ({
      state,
      ready: state === 'waiting' || (state === 'running' && assignment?.isReady() === true),
      missingTopics: resolved.missing,
      lastError,
      partitions: assignment?.status() ?? [],
    }),
  }
}

function toRecord(
  { offset, timestampMs, value, headers, refused, lastOffset, fullBytes }: FetchedRecord,
  { name, tenant, format }: KafkaTopic,
  partition: number,
): RawRecord {
  return {
    value: value ?? NO_BYTES,
    headers,
    timestampMs,
    timestampSource: 'broker',
    tenant: tenant ?? 'default',
    topic: name,
    partition,
    offset,
    ...(format === undefined ? {} : { format }),
    ...(refused === undefined ? {} : { refused: { reason: 'batch_unreadable', message: refused } }),
    ...(lastOffset === undefined ? {} : { lastOffset }),
    ...(fullBytes === undefined ? {} : { fullBytes }),
  }
}

/** The cause in words that name the remedy where kafkajs's own do not. */
function explain(error: unknown): string {
  const text = messageOf(error)
  return /does not host this topic-partition/.test(text)
    ? 'A topic was deleted, or does not exist on every broker yet; looking again which there are.'
    : text
}
