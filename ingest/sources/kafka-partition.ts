import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../core/clock.ts'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import type { CompareEvents, EventLines } from '../known-events.ts'
import type { Batch, RawRecord } from '../record.ts'
import { type Backoff, backoffMs, pause, untilDone } from '../retry.ts'
import type { IngestTelemetry } from '../telemetry.ts'
import {
  type BlockEncoder,
  type Chunk,
  type ChunkLimits,
  createChunkBuffer,
  type EncodedRows,
} from './chunk-buffer.ts'
import type { Slots } from './slots.ts'

/**
 * What a partition's committed metadata says about an insert that was begun: the last offset of the block, and a mark
 * that tells this topic from an earlier one of the same name (whose tokens the store may still remember).
 */
export interface Intent {
  readonly to: number
  readonly mark: string
}

export const encodeIntent = ({ to, mark }: Intent): string => `E=${to};M=${mark}`

/** `undefined` for anything that is not an intent of ours. */
export function decodeIntent(metadata: string | null | undefined): Intent | undefined {
  const match = /^E=(\d{1,16});M=([\w-]*)$/.exec(metadata ?? '')
  return match === null ? undefined : { to: Number(match[1]), mark: match[2] ?? '' }
}

export interface PartitionOptions {
  readonly topic: string
  readonly partition: number
  /** First offset that is not committed. */
  readonly position: number
  /** The insert that the last owner began at `position` and did not confirm. */
  readonly pending: Intent | undefined
  readonly limits: ChunkLimits
  /** Bytes that may wait before the partition is paused; a block that the last owner began may be larger. */
  readonly maxWaitingBytes: number
  readonly process: (records: readonly RawRecord[]) => Batch
  readonly createEncoder: () => BlockEncoder
  /** Tells the events of a block that are stored already, and those whose id another event has. */
  readonly compare: CompareEvents
  readonly write: (tables: readonly EncodedRows[], token: string) => Promise<{ readonly rejected: number }>
  /** Commits for this partition under the generation of the assignment; throws when that is over. */
  readonly commit: (offset: number, metadata: string) => Promise<void>
  readonly seek: (offset: number) => void
  /** The oldest offset that the broker still has, and the one after the newest. */
  readonly fetchBounds: () => Promise<{ readonly oldest: number; readonly highWatermark: number }>
  /** Stands for records that nobody can read any more, `from` to `to`, both included. */
  readonly lostRecord: (from: number, to: number) => RawRecord
  readonly setPaused: (paused: boolean) => void
  readonly slots: Slots
  readonly clock: Clock
  readonly telemetry: IngestTelemetry
  readonly backoff?: Backoff
}

export interface FetchedBatch {
  /** The offset that was asked for. */
  readonly fetchedOffset: number
  /** The last offset that the answer covers, whether or not there is a record with it. */
  readonly lastOffset: number
  /** Offset after the newest record that the broker has. */
  readonly highWatermark: number
  readonly records: readonly RawRecord[]
}

export interface PartitionStatus {
  /** First offset that is not yet in the store. */
  readonly stored: number
  readonly waitingRows: number
  readonly waitingBytes: number
  readonly paused: boolean
  /** Records that the broker deleted before they could be read, since the partition was assigned. */
  readonly lost: number
  readonly lastError: string | undefined
  /** How often in a row the block that is to be stored now was refused. */
  readonly failedInserts: number
  /** Why nothing more of it is read or stored until the partition is assigned anew; `undefined` where it goes on. */
  readonly halted: string | undefined
}

// Far below the shortest session, which ends while a handler waits.
const ASK_AGAIN: Backoff = { firstMs: 50, capMs: 1_000 }
const ATTEMPTS_AT_FAULTS = 5

/**
 * One assigned partition, for as long as the assignment lasts. Exactly-once effect: the boundaries of a block are
 * committed as metadata (the intent) before the block is inserted, under a token made of those boundaries; whoever
 * owns the partition after a crash inserts the same block under the same token again.
 */
export interface PartitionWorker {
  /**
   * Takes over a fetched batch; what does not continue where the last one ended is fetched again. Resolves when the
   * batch is encoded: fetching ahead of that only fills the memory.
   */
  accept(batch: FetchedBatch): Promise<void>
  /**
   * The broker has no such offset. Either it deleted records before they were read: then a dead letter says which, in
   * the same block as what follows and so exactly once. Or offsets start again, because the topic was made anew.
   */
  outOfRange(fetchedOffset: number): Promise<void>
  /** Stands still for good: what the broker sends cannot be read. */
  halt(reason: string): void
  status(): PartitionStatus
  /** Stores what waits, then ends. */
  finish(): Promise<void>
  /** Ends without another commit; the next owner repeats what was begun. */
  abandon(): void
}

export function createPartitionWorker(options: PartitionOptions): PartitionWorker {
  const { topic, partition, clock, telemetry, write } = options
  const name = `${topic}/${partition}`
  const stop = new AbortController()
  const { limits, process, createEncoder, pending } = options
  const buffer = createChunkBuffer({
    limits,
    process,
    createEncoder,
    pending: pending && { from: options.position, to: pending.to },
    onReadAgain: (from, error) => {
      telemetry.recordNotEncoded(name, from, messageOf(error))
      position = from
      covered = from
      relievePressure()
      options.seek(from)
    },
    signal: stop.signal,
  })
  let position = options.position
  let stored = options.position
  // Up to here everything is encoded, and up to there committed.
  let covered = options.position
  let committed = options.position
  let life = 0
  let lost = 0
  let committing: Promise<boolean> = Promise.resolve(true)
  let replay = pending
  let encoding: Promise<void> = Promise.resolve()
  let drained = false
  let paused = false
  let finishing = false
  let lastError: string | undefined
  let halted: string | undefined
  let failedInserts = 0
  let askedInVain = 0
  let wake = () => {}

  const cutNow = (): { chunk: Chunk; intent: Intent; begun: boolean } | undefined => {
    const chunk = buffer.cut(clock.now(), drained)
    if (chunk === undefined) return undefined
    if (replay !== undefined) {
      const intent = replay
      replay = undefined
      telemetry.intentReplayed(name, chunk.from, chunk.to)
      return { chunk, intent, begun: true }
    }
    // Durable in the intent, so the first record need not survive in the topic.
    return { chunk, intent: { to: chunk.to, mark: chunk.mark }, begun: false }
  }

  // Markers of transactions, what was taken back and what compaction took: read on, with nothing to store. Committed
  // too, or their deletion would look like a loss some day.
  const commitCovered = async (): Promise<boolean> => {
    if (buffer.rows() > 0 || buffer.pendingTo() !== undefined) return true
    stored = covered
    return covered <= committed || commit(covered, '', life)
  }

  const nextCut = async () => {
    while (!stop.signal.aborted) {
      const cut = cutNow()
      if (cut !== undefined) return cut
      if (!(await commitCovered())) return undefined
      if (drained) return undefined
      const dueInMs = Math.max(1, (buffer.dueAtMs() ?? clock.now() + 60_000) - clock.now())
      const woken = new Promise<void>((resolve) => {
        wake = resolve
      })
      const timer = new AbortController()
      await Promise.race([
        woken,
        sleep(dueInMs, undefined, { signal: AbortSignal.any([timer.signal, stop.signal]) }).catch(() => {}),
      ])
      timer.abort()
    }
    return undefined
  }

  const retry = <T>(
    attempt: () => Promise<T>,
    onFailure: (attempt: number, message: string, error: unknown) => void,
  ) =>
    untilDone(
      attempt,
      (number, error) => {
        lastError = messageOf(error)
        onFailure(number, lastError, error)
      },
      stop.signal,
      options.backoff,
    )

  // One after the other, so that none of an earlier life lands after one of this. A commit refused because the
  // assignment is over is repeated until the new assignment abandons this worker.
  const commit = (offset: number, metadata: string, ofLife: number): Promise<boolean> => {
    const attempt = async () => {
      if (ofLife !== life) return
      await options.commit(offset, metadata)
      committed = offset
    }
    const turn = committing.then(async () => (await retry(attempt, () => {})) !== undefined)
    committing = turn
    return turn
  }

  // What the store says may pass, and what it carries exists nowhere else: tried for ever. A fault of ours does not pass.
  const insertFailed = (number: number, message: string, error: unknown) => {
    failedInserts = number
    telemetry.storeFailed(name, number, message)
    const ofOurs = !(error instanceof GatewatchError) || error.code === 'internal'
    if (ofOurs && number >= ATTEMPTS_AT_FAULTS) throw error
  }

  // A block that an earlier owner began ends where it says: it is read to its end, however little may wait here.
  const relievePressure = () => {
    if (halted !== undefined) return
    const begun = buffer.pendingTo() !== undefined
    const full = !begun && buffer.bytes() > options.maxWaitingBytes
    const drained = begun || buffer.bytes() < options.maxWaitingBytes / 2
    if ((full && !paused) || (drained && paused)) {
      paused = full
      options.setPaused(paused)
    }
  }

  const take = async (
    records: readonly RawRecord[],
    fetched: Pick<FetchedBatch, 'lastOffset' | 'highWatermark'>,
  ) => {
    const { lastOffset, highWatermark } = fetched
    const arrivedMs = clock.now()
    position = lastOffset + 1
    encoding = encoding
      .then(() => buffer.add(records, lastOffset, arrivedMs, lastOffset + 1 < highWatermark))
      .catch(standStill)
    await encoding
    if (position !== lastOffset + 1) return
    covered = lastOffset + 1
    relievePressure()
    wake()
  }

  const skipLost = async (from: number, oldest: number, highWatermark: number) => {
    telemetry.offsetGap(name, from, oldest)
    lost += oldest - from
    const begunTo = buffer.pendingTo()
    const last = oldest - 1
    // What was begun keeps its boundary.
    const records =
      begunTo !== undefined && begunTo < last
        ? [options.lostRecord(from, begunTo), options.lostRecord(begunTo + 1, last)]
        : [options.lostRecord(from, last)]
    await take(records, { lastOffset: last, highWatermark })
  }

  const startOver = async (oldest: number) => {
    telemetry.offsetsRestarted(name, position, oldest)
    await encoding
    replay = undefined
    buffer.startOver()
    life++
    position = oldest
    stored = oldest
    covered = oldest
    wake()
    // The group remembers an offset that the new topic will have some day.
    await commit(oldest, '', life)
  }

  const run = async () => {
    let cut = await nextCut()
    while (cut !== undefined && !stop.signal.aborted) {
      const { chunk, intent, begun } = cut
      if (!begun && !(await commit(chunk.from, encodeIntent(intent), chunk.life))) return
      const token = `${name}/${chunk.from}-${intent.to}@${intent.mark}`
      // Decided once: a second attempt to insert would find rows of the first.
      const compared = await retry(() => compareTables(chunk.tables, begun, options.compare), insertFailed)
      if (compared === undefined) return
      const { tables, duplicates, conflicts, release } = compared.value
      const insert = () => options.slots.run(() => write(tables, token))
      const written = await retry(insert, insertFailed).finally(release)
      if (written === undefined) return
      failedInserts = 0
      const failures = compared.attempts + written.attempts - 2
      if (failures > 0) telemetry.storeRecovered(name, failures + 1)
      lastError = undefined
      if (chunk.life === life) stored = intent.to + 1
      telemetry.recordsRead(topic, chunk.records)
      telemetry.rowsStored(topic, {
        stored: tables.reduce((sum, { count }) => sum + count, 0),
        duplicates,
        conflicts,
        rejected: written.value.rejected,
      })
      // The next intent also says that this block is in: its offset is the end of this one.
      const following = cutNow()
      relievePressure()
      const end =
        chunk.life === life && buffer.rows() === 0 ? Math.max(covered, intent.to + 1) : intent.to + 1
      if (following === undefined && !(await commit(end, '', chunk.life))) return
      cut = following ?? (await nextCut())
    }
  }
  // The partition stands still, visibly, and nothing more of it is committed.
  const standStill = (error: unknown) => {
    if (stop.signal.aborted) return
    lastError = messageOf(error)
    halted = lastError
    telemetry.partitionHalted(name, halted)
    stop.abort()
    paused = true
    options.setPaused(true)
  }
  const done = run().catch(standStill)

  return {
    accept: async ({ fetchedOffset, lastOffset, highWatermark, records }) => {
      if (stop.signal.aborted || finishing) return
      askedInVain = 0
      // Left over from another assignment.
      if (fetchedOffset !== position) return options.seek(position)
      const first = records.findIndex((record) => (record.lastOffset ?? record.offset) >= position)
      const continued = first === 0 ? records : first === -1 ? [] : records.slice(first)
      await take(continued, { lastOffset, highWatermark })
    },
    outOfRange: async (fetchedOffset) => {
      if (stop.signal.aborted || finishing) return
      if (fetchedOffset === position) {
        if (askedInVain++ > 0) await pause(backoffMs(ASK_AGAIN, askedInVain, Math.random()), stop.signal)
        const { oldest, highWatermark } = await options.fetchBounds()
        if (position < oldest) await skipLost(position, oldest, highWatermark)
        else if (position > highWatermark) await startOver(oldest)
        else
          lastError = `The broker has no offset ${position}, and says that it has ${oldest} to ${highWatermark}.`
      }
      options.seek(position)
    },
    halt: (reason) => standStill(new Error(reason)),
    status: () => ({
      stored,
      waitingRows: buffer.rows(),
      waitingBytes: buffer.bytes(),
      paused,
      lost,
      lastError,
      failedInserts,
      halted,
    }),
    finish: async () => {
      finishing = true
      await encoding
      drained = true
      wake()
      await done
    },
    abandon: () => {
      stop.abort()
      wake()
    },
  }
}

interface ComparedTables {
  readonly tables: readonly EncodedRows[]
  readonly duplicates: number
  readonly conflicts: number
  readonly release: () => void
}

/**
 * The tables without the events that are stored already. `begun`: an insert of this very block was begun by an earlier
 * owner. What of it is stored is this block’s own, and has to be in the block again for the store to know it.
 */
async function compareTables(
  tables: readonly EncodedRows[],
  begun: boolean,
  compare: CompareEvents,
): Promise<ComparedTables> {
  const events = tables.find(({ table }) => table === 'events')
  if (events === undefined) return { tables, duplicates: 0, conflicts: 0, release: () => {} }
  const { replaced, duplicates, conflicts, release } = await compare(events, { repeated: begun })
  return {
    tables: replaced === undefined ? tables : withEvents(tables, replaced),
    duplicates: duplicates.size,
    conflicts: conflicts.size,
    release,
  }
}

const withEvents = (tables: readonly EncodedRows[], events: EventLines): EncodedRows[] => [
  ...tables.filter(({ table }) => table !== 'events'),
  ...(events.count === 0 ? [] : [{ table: 'events', ...events }]),
]
