import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../core/errors.ts'
import type { RawRecord } from '../record.ts'
import { untilDone } from '../retry.ts'
import {
  createPartitionWorker,
  decodeIntent,
  type FetchedBatch,
  type PartitionOptions,
  type PartitionStatus,
  type PartitionWorker,
} from './kafka-partition.ts'

/** What the brokers say about a partition. */
export interface CommittedOffset {
  readonly topic: string
  readonly partition: number
  /** Negative when nothing was committed. */
  readonly offset: number
  readonly metadata: string | null
}

export interface PartitionBounds {
  readonly partition: number
  readonly oldest: number
  readonly highWatermark: number
}

type PerPartition =
  | 'topic'
  | 'partition'
  | 'position'
  | 'pending'
  | 'commit'
  | 'seek'
  | 'setPaused'
  | 'fetchBounds'
  | 'lostRecord'

export interface AssignmentOptions {
  readonly owned: Readonly<Record<string, readonly number[]>>
  readonly fetchCommitted: () => Promise<readonly CommittedOffset[]>
  readonly fetchBounds: (topic: string) => Promise<readonly PartitionBounds[]>
  readonly seek: (topic: string, partition: number, offset: number) => void
  readonly setPaused: (topic: string, partition: number, paused: boolean) => void
  readonly worker: Omit<PartitionOptions, PerPartition>
  readonly lostRecord: (topic: string, partition: number, from: number, to: number) => RawRecord
  readonly onTrouble: (message: string) => void
}

export interface AssignedBatch extends FetchedBatch {
  /** Commits under the generation in which the batch was handed out. */
  readonly commit: (offset: number, metadata: string) => Promise<void>
}

/** The partitions that one generation of the group gave us. The next generation gets a new object; this one ends. */
export interface KafkaAssignment {
  names(): string[]
  /** Waits at most `waitMs` for the committed offsets and intents; true when they are known or no longer matter. */
  settled(waitMs: number): Promise<boolean>
  isReady(): boolean
  accept(topic: string, partition: number, batch: AssignedBatch): Promise<void>
  /** The offset that was asked for does not exist; `commit` as in a batch. */
  outOfRange(
    topic: string,
    partition: number,
    fetchedOffset: number,
    commit: AssignedBatch['commit'],
  ): Promise<void>
  isPaused(topic: string, partition: number): boolean
  /** Ends the work on one partition, visibly; the others go on. */
  halt(topic: string, partition: number, reason: string): void
  status(): (PartitionStatus & { topic: string; partition: number; highWatermark: number; lag: number })[]
  finish(): Promise<void>
  abandon(): void
}

interface Owned {
  readonly topic: string
  readonly partition: number
  readonly worker: PartitionWorker
  highWatermark: number
  commit: AssignedBatch['commit'] | undefined
}

export function createAssignment(options: AssignmentOptions): KafkaAssignment {
  const partitions = new Map<string, Owned>()
  const over = new AbortController()
  const keyOf = (topic: string, partition: number) => `${topic}/${partition}`
  const names = Object.entries(options.owned).flatMap(([topic, list]) =>
    list.map((partition) => keyOf(topic, partition)),
  )
  let ready = false

  const open = (topic: string, bounds: PartitionBounds, committed: CommittedOffset | undefined) => {
    const { partition, oldest, highWatermark } = bounds
    const known = committed !== undefined && committed.offset >= 0
    const owned: Owned = {
      topic,
      partition,
      highWatermark,
      commit: undefined,
      worker: createPartitionWorker({
        ...options.worker,
        topic,
        partition,
        position: known ? committed.offset : oldest,
        pending: known ? decodeIntent(committed.metadata) : undefined,
        commit: async (offset, metadata) => {
          if (over.signal.aborted) throw new Error('the assignment is over')
          if (owned.commit === undefined) throw new Error('nothing was read yet')
          await owned.commit(offset, metadata)
        },
        seek: (offset) => options.seek(topic, partition, offset),
        setPaused: (paused) => options.setPaused(topic, partition, paused),
        fetchBounds: async () => {
          const now = (await options.fetchBounds(topic)).find((entry) => entry.partition === partition)
          if (now === undefined) throw new Error(`The brokers know no partition ${topic}/${partition}.`)
          return now
        },
        lostRecord: (from, to) => options.lostRecord(topic, partition, from, to),
      }),
    }
    options.setPaused(topic, partition, false)
    partitions.set(keyOf(topic, partition), owned)
  }

  const settling = (async () => {
    const answers = await untilDone(
      async () => ({
        committed: await options.fetchCommitted(),
        bounds: await Promise.all(
          Object.keys(options.owned).map(async (topic) => [topic, await options.fetchBounds(topic)] as const),
        ),
      }),
      (_, error) => options.onTrouble(messageOf(error)),
      over.signal,
    )
    if (answers === undefined || over.signal.aborted) return
    for (const [topic, bounds] of answers.value.bounds) {
      for (const entry of bounds.filter(({ partition }) => options.owned[topic]?.includes(partition))) {
        const committed = answers.value.committed.find(
          (item) => item.topic === topic && item.partition === entry.partition,
        )
        open(topic, entry, committed)
      }
    }
    ready = true
  })()

  return {
    names: () => names,
    settled: async (waitMs) => {
      if (ready || over.signal.aborted) return true
      const timer = new AbortController()
      await Promise.race([settling, sleep(waitMs, undefined, { signal: timer.signal }).catch(() => {})])
      timer.abort()
      return ready || over.signal.aborted
    },
    isReady: () => ready,
    accept: async (topic, partition, batch) => {
      const owned = partitions.get(keyOf(topic, partition))
      if (owned === undefined || over.signal.aborted) return
      owned.highWatermark = batch.highWatermark
      owned.commit = batch.commit
      await owned.worker.accept(batch)
    },
    outOfRange: async (topic, partition, fetchedOffset, commit) => {
      const owned = partitions.get(keyOf(topic, partition))
      if (owned === undefined || over.signal.aborted) return
      owned.commit = commit
      await owned.worker.outOfRange(fetchedOffset)
    },
    isPaused: (topic, partition) => partitions.get(keyOf(topic, partition))?.worker.status().paused === true,
    halt: (topic, partition, reason) => partitions.get(keyOf(topic, partition))?.worker.halt(reason),
    status: () =>
      [...partitions.values()].map(({ topic, partition, highWatermark, worker }) => {
        const status = worker.status()
        return { ...status, topic, partition, highWatermark, lag: Math.max(0, highWatermark - status.stored) }
      }),
    finish: async () => {
      await Promise.all([...partitions.values()].map(({ worker }) => worker.finish()))
    },
    abandon: () => {
      over.abort()
      for (const { worker } of partitions.values()) worker.abandon()
    },
  }
}
