import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import kafkajs, {
  type Admin,
  type Consumer,
  type EachBatchPayload,
  type KafkaConfig,
  type KafkaMessage,
} from 'kafkajs'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { RawRecord } from '../record.ts'
import { type Backoff, backoffMs, pause as sleepUnless } from '../retry.ts'
import type { ChunkLimits } from './chunk-buffer.ts'
import { createAssignment, type KafkaAssignment } from './kafka-assignment.ts'
import type { PartitionOptions, PartitionStatus } from './kafka-partition.ts'
import { createSlots } from './slots.ts'

/** What one topic carries. */
export interface KafkaTopic {
  readonly name: string
  /** Fixes the format of its records; otherwise each is recognised. */
  readonly format?: string
  readonly tenant?: string
}

export interface KafkaSourceOptions
  extends Pick<PartitionOptions, 'process' | 'createEncoder' | 'write' | 'telemetry'> {
  readonly brokers: readonly string[]
  readonly groupId: string
  readonly clientId?: string
  readonly topics: readonly KafkaTopic[]
  /** TLS and SASL, as kafkajs takes them. */
  readonly security?: Pick<KafkaConfig, 'ssl' | 'sasl'>
  readonly clock: Clock
  /** When a partition's records become an insert: 50,000 rows, 24 MB or one second unless told. */
  readonly limits?: Partial<ChunkLimits>
  /** Inserts at the same time, over all partitions; 3 unless told. */
  readonly insertsAtOnce?: number
  /** After this long without a sign of life another member gets our partitions; 30 s unless told. */
  readonly sessionTimeoutMs?: number
  readonly storeBackoff?: Backoff
  readonly brokerBackoff?: Backoff
}

export type KafkaState = 'connecting' | 'joining' | 'running' | 'retrying' | 'stopped'

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
  /** Member of the group, partitions known. */
  readonly ready: boolean
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

// CommonJS: Node finds only some of its names, so they are taken from the whole.
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs

const BROKER_BACKOFF: Backoff = { firstMs: 500, capMs: 15_000 }
const MAX_WAITING_BYTES = 32 * 1024 * 1024
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({})
const NO_BYTES = new Uint8Array(0)

// kafkajs keeps its codecs in one table for the process; ZSTD is in Node. 256 MB bounds what a small batch can become.
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: ({ buffer }: { buffer: Buffer }) => promisify(zstdCompress)(buffer),
  decompress: (buffer: Buffer) => promisify(zstdDecompress)(buffer, { maxOutputLength: 256 * 1024 * 1024 }),
})

/**
 * Reads topics as a member of a consumer group and stores them with exactly-once effect (`kafka-partition.ts`). The
 * only importer of kafkajs, and what it is made to do against its habits:
 * - an exception in a handler would end the consumer for good, so the handler only files records away;
 * - `consumer.commitOffsets` repeats a refused commit under the next assignment, which may be somebody else's
 *   partition; the commit of the handler's payload does not;
 * - batches fetched under an earlier assignment arrive late; each partition checks that a batch continues the last.
 */
export function createKafkaSource(options: KafkaSourceOptions): KafkaSource {
  const { telemetry, clock, groupId, sessionTimeoutMs = 30_000 } = options
  const topics = new Map(options.topics.map((topic) => [topic.name, topic]))
  const slots = createSlots(options.insertsAtOnce ?? 3)
  const limits: ChunkLimits = { maxRows: 50_000, maxBytes: 24_000_000, maxAgeMs: 1_000, ...options.limits }
  const stopping = new AbortController()
  let state: KafkaState = 'stopped'
  let lastError: string | undefined
  let assignment: KafkaAssignment | undefined
  let consumer: Consumer | undefined
  let finishing = false
  let loop: Promise<void> | undefined
  let failures = 0

  const noteTrouble = (message: string) => {
    if (finishing) return
    lastError = message
    if (state === 'running') state = 'retrying'
    telemetry.brokerFailed(++failures, message)
  }
  const noteWell = () => {
    if (state === 'retrying' && assignment !== undefined) state = 'running'
    failures = 0
  }

  const kafka = new Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId ?? 'gatewatch',
    ...options.security,
    connectionTimeout: 5_000,
    requestTimeout: 30_000,
    retry: { retries: 5, initialRetryTime: 300, maxRetryTime: 5_000 },
    logLevel: logLevel.ERROR,
    // A crash says the same again with its cause; the group coordinator of a fresh broker is not a fault.
    logCreator:
      () =>
      ({ log }) => {
        if (!/coordinator is not available|^Crash|Restarting/.test(log.message)) noteTrouble(log.message)
      },
  })

  /** Connects, consumes, and returns when the consumer has ended, with the reason. */
  const consumeOnce = async (): Promise<string> => {
    const admin = kafka.admin()
    const current = kafka.consumer({
      groupId,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: 60_000,
      heartbeatInterval: sessionTimeoutMs / 10,
      maxBytesPerPartition: 1024 * 1024,
      maxBytes: 16 * 1024 * 1024,
      maxWaitTimeInMs: 250,
      allowAutoTopicCreation: false,
      retry: { retries: 5, restartOnFailure: async () => false },
    })
    const ended = new Promise<string>((resolve) => {
      current.on(current.events.CRASH, ({ payload }) => resolve(explain(payload.error)))
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
      await current.connect()
      await current.subscribe({ topics: [...topics.keys()], fromBeginning: true })
      consumer = current
      state = 'joining'
      await current.run({
        autoCommit: false,
        partitionsConsumedConcurrently: 8,
        eachBatch: handle,
      })
      return await ended
    } finally {
      assignment?.abandon()
      assignment = undefined
      consumer = undefined
      await Promise.allSettled([current.disconnect(), admin.disconnect()])
    }
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
      worker: {
        ...options,
        limits,
        slots,
        clock,
        maxWaitingBytes: MAX_WAITING_BYTES,
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

  const handle = async (payload: EachBatchPayload): Promise<void> => {
    const { batch, heartbeat } = payload
    const target = assignment
    if (target === undefined || finishing) return
    while (!(await target.settled(1_000))) await heartbeat()
    const topic = topics.get(batch.topic) ?? { name: batch.topic }
    await target.accept(batch.topic, batch.partition, {
      fetchedOffset: Number((batch as unknown as { fetchedOffset: string }).fetchedOffset),
      lastOffset: Number(batch.lastOffset()),
      highWatermark: Number(batch.highWatermark),
      records: batch.messages.map((message) => toRecord(message, topic, batch.partition)),
      commit: async (offset, metadata) => {
        const partitions = [{ partition: batch.partition, offset: String(offset), metadata }]
        await payload.commitOffsetsIfNecessary({ topics: [{ topic: batch.topic, partitions }] })
      },
    })
  }

  const run = async () => {
    for (let attempt = 1; !stopping.signal.aborted; attempt++) {
      if (state !== 'retrying') state = attempt === 1 ? 'connecting' : 'retrying'
      const since = clock.now()
      try {
        const reason = await consumeOnce()
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
    stop: async (drainMs = 8_000) => {
      finishing = true
      const deadline = new AbortController()
      await Promise.race([assignment?.finish(), sleepUnless(drainMs, deadline.signal)])
      deadline.abort()
      assignment?.abandon()
      stopping.abort()
      // A broker that is away must not hold up the stop; the group notices by itself.
      const left = new AbortController()
      await Promise.race([
        Promise.allSettled([consumer?.disconnect()]).then(() => loop),
        sleepUnless(2_000, left.signal),
      ])
      left.abort()
      state = 'stopped'
    },
    status: () => ({
      state,
      ready: state === 'running' && assignment?.isReady() === true,
      lastError,
      partitions: assignment?.status() ?? [],
    }),
  }
}

function toRecord(
  { value, headers, timestamp, offset }: KafkaMessage,
  { name, tenant, format }: KafkaTopic,
  partition: number,
): RawRecord {
  return {
    value: value ?? NO_BYTES,
    headers: headers === undefined ? NO_HEADERS : plainHeaders(headers),
    timestampMs: Number(timestamp),
    timestampSource: 'broker',
    tenant: tenant ?? 'default',
    topic: name,
    partition,
    offset: Number(offset),
    ...(format === undefined ? {} : { format }),
  }
}

function plainHeaders(headers: NonNullable<KafkaMessage['headers']>): Record<string, string> {
  const plain: Record<string, string> = Object.create(null)
  for (const [key, value] of Object.entries(headers)) {
    const last = Array.isArray(value) ? value.at(-1) : value
    if (last !== undefined && last !== null) plain[key.toLowerCase()] = last.toString()
  }
  return plain
}

/** The cause in words that name the remedy where kafkajs's own do not. */
function explain(error: unknown): string {
  const text = messageOf(error)
  if (/compression not implemented/.test(text)) {
    return `${text}: a topic has records with a codec that this version cannot read (it reads gzip and zstd). Nothing of the topic is skipped; set compression.type of the topic or its producers.`
  }
  if (/does not host this topic-partition/.test(text)) {
    return 'A topic does not exist on the brokers; create it or correct kafka.topics.'
  }
  return text
}
