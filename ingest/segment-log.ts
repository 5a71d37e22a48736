import { randomUUID } from 'node:crypto'
import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { GatewatchError, messageOf } from '../core/errors.ts'
import type { Batch } from './record.ts'
import {
  closedBefore,
  createSegmentDrain,
  type DrainOptions,
  damageText,
  type StoredCounts,
  type StuckSegment,
} from './segment-drain.ts'
import {
  createSegment,
  damagedFolder,
  listSegments,
  type OwnedBytes,
  recoverSegment,
  type Segment,
  segmentTime,
  type TableRows,
  writeWhole,
} from './segment-file.ts'
import { createSegmentShares, OPERATOR, RETRY_AFTER_SECONDS } from './segment-shares.ts'
import { type NoteSetAside, readStateFile } from './state-file.ts'
import type { IngestTelemetry } from './telemetry.ts'

export interface SegmentLogOptions extends Pick<DrainOptions, 'write' | 'compare' | 'backoff'> {
  /** Folder of the log; made if missing. One process at a time (the store's lock sees to that). */
  readonly folder: string
  /** Rows of a batch, a table each. */
  readonly encode: (batch: Batch) => readonly TableRows[]
  /** A batch that `encode` threw on, in which what it cannot take is a dead letter. */
  readonly encodable?: (batch: Batch) => Batch
  /** Bytes that may wait for the store, half of them of one owner; beyond, `append` says `overloaded`. */
  readonly maxBytes?: number
  /** A segment goes to the store at this many rows … */
  readonly sealRows?: number
  /** … or this long after its first row, in milliseconds. */
  readonly sealMs?: number
  readonly telemetry: IngestTelemetry
  /** Milliseconds since 1970. Default: the machine’s clock. */
  readonly now?: () => number
  /** Told of a damaged `log.json`. */
  readonly noteSetAside?: NoteSetAside
}

export interface Receipt {
  /** Settles when the batch is in the store; rejects only when the log is closed before. */
  readonly stored: Promise<StoredCounts>
}

export interface SegmentLogStatus {
  /** Bytes accepted and not yet in the store. */
  readonly waitingBytes: number
  readonly waitingSegments: number
  /** Rows accepted and not yet in the store: a record is one or more. */
  readonly waitingRows: number
  /** When the first row of what waits longest was accepted, milliseconds; undefined when nothing waits. */
  readonly waitingSinceMs: number | undefined
  /** Of these bytes those whose owner is known, by owner; most first. */
  readonly waitingBytesOf: OwnedBytes
  /** Owners that were refused within the last minute, because they have their share. */
  readonly refusedOwners: readonly string[]
  /** The segment that the store does not take, with the reason; it is tried again, and the others wait behind it. */
  readonly stuck: StuckSegment | undefined
  /** Folder of segments that the disk has damaged, as they were found; `undefined` when there are none. */
  readonly damaged: string | undefined
  readonly lastError: string | undefined
}

export interface SegmentLog {
  /** Tells this log from every other one. */
  readonly id: string
  /**
   * Sets aside `count` offsets of a source that has none of its own, and returns the first. Never the same twice,
   * also after a restart, for whatever was acknowledged.
   */
  reserve(topic: string, count: number): number
  /**
   * Accepts a batch; resolves when it survives a power cut (appends that arrive together share one sync).
   * @param owner who has only a share of what may wait; without one the batch is the operator’s, who may have all
   * @throws GatewatchError `overloaded` when the quota or the owner’s share is used up, the disk is full, or the log is closing
   */
  append(batch: Batch, owner?: string): Promise<Receipt>
  /** Resolves when everything appended before the call is in the store; rejects when the log is closed meanwhile. */
  flush(): Promise<void>
  status(): SegmentLogStatus
  /** Stores what it can within the time and leaves the rest on disk for the next start. */
  close(drainMs?: number): Promise<void>
}

const FLUSH_RETRY_MS = 250

interface Waiting {
  readonly tables: readonly TableRows[]
  readonly batch: Batch
  readonly bytes: number
  readonly owner: string
  readonly accept: (receipt: Receipt) => void
  readonly reject: (error: GatewatchError) => void
}

/** Opens the log and starts to replay what the last run left behind. */
export async function openSegmentLog(options: SegmentLogOptions): Promise<SegmentLog> {
  const { folder, encode, telemetry, now = Date.now } = options
  const { maxBytes = 1024 ** 3, sealRows = 10_000, sealMs = 500 } = options
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const logId = await readLogId(folder, options.noteSetAside ?? (() => {}))
  const shares = createSegmentShares(maxBytes, now)
  const drain = createSegmentDrain({
    ...options,
    tokenOf: (number) => `segment/${logId}/${number}`,
    onRemoved: shares.removed,
  })

  const sequences: Record<string, number> = {}
  let lastNumber = 0
  let left = { segments: 0, rows: 0, cutBytes: 0 }
  for (const number of await listSegments(folder)) {
    // Of what an earlier run accepted the last append is known: it waits at least since then.
    const sinceMs = await segmentTime(folder, number)
    const recovered = await recoverSegment(folder, number)
    if (recovered.damage !== undefined) telemetry.logFault(damageText(folder, number, recovered.damage))
    lastNumber = number
    for (const [topic, next] of Object.entries(recovered.sequences)) {
      sequences[topic] = Math.max(sequences[topic] ?? 0, next)
    }
    const rows = recovered.files.reduce((sum, { count }) => sum + count, 0)
    left = {
      segments: left.segments + (rows > 0 ? 1 : 0),
      rows: left.rows + rows,
      cutBytes: left.cutBytes + recovered.cutBytes,
    }
    const bytes = recovered.files.reduce((sum, file) => sum + file.bytes, 0)
    shares.recovered(number, recovered.owned, bytes)
    drain.addRecovered(recovered, sinceMs)
  }
  if (left.rows + left.cutBytes > 0) telemetry.logRecovered(left)
  const damaged = await stat(damagedFolder(folder)).then(
    () => damagedFolder(folder),
    () => undefined,
  )

  // The new segment's header holds the sequences before the drain may remove an old one.
  let active: Segment = await createSegment(folder, lastNumber + 1, { ...sequences })
  drain.start()

  let queue: Waiting[] = []
  let queuedBytes = 0
  let closing = false
  let sealTimer: NodeJS.Timeout | undefined
  let activeSinceMs: number | undefined
  let work = Promise.resolve()
  let working = false
  let lastError: string | undefined

  const roll = async () => {
    clearTimeout(sealTimer)
    sealTimer = undefined
    if (active.rowCount() === 0) return
    const full = active
    try {
      active = await createSegment(folder, full.number + 1, { ...sequences })
    } catch (error) {
      // Nothing is lost: the segment goes on growing, and the next append or the timer tries again.
      lastError = messageOf(error)
      telemetry.logFault(lastError)
      sealTimer = setTimeout(() => enqueue(roll), 1000)
      return
    }
    await full.close().catch((error) => telemetry.logFault(messageOf(error)))
    drain.add(full, activeSinceMs ?? now())
    activeSinceMs = undefined
  }

  const commitGroup = async () => {
    const group: Waiting[] = []
    for (let rows = 0; rows < sealRows && queue.length > 0; ) {
      const next = queue.shift()!
      group.push(next)
      for (const { count } of next.tables) rows += count
    }
    const bytes = group.reduce((sum, item) => sum + item.bytes, 0)
    try {
      const startedMs = now()
      const owned = ownedBy(group)
      await active.append(mergeTables(group), { ...sequences }, owned)
      shares.appended(active.number, owned)
      activeSinceMs ??= startedMs
      for (const { batch, accept } of group) accept({ stored: drain.expect(active.number, batch.events) })
      lastError = undefined
    } catch (error) {
      lastError = messageOf(error)
      telemetry.logFault(lastError)
      const refusal = new GatewatchError(
        'overloaded',
        `The segment log cannot be written: ${messageOf(error)}.`,
        {
          cause: error,
          remedy: `Free space in ${folder}.`,
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        },
      )
      for (const { owner, bytes, reject } of group) {
        shares.giveBack(owner, bytes)
        reject(refusal)
      }
    } finally {
      queuedBytes -= bytes
    }
    if (active.rowCount() >= sealRows) await roll()
    else if (active.rowCount() > 0 && sealTimer === undefined) {
      sealTimer = setTimeout(() => enqueue(roll), sealMs)
    }
  }

  // Everything that touches the active segment runs in this one line of work.
  function enqueue(step: () => Promise<void>): Promise<void> {
    work = work.then(step).catch((error) => {
      lastError = messageOf(error)
      telemetry.logFault(lastError)
    })
    return work
  }

  // A record of which no rows can be made must not hold up those that came with it, nor a file behind it for good.
  const encoded = (batch: Batch): { batch: Batch; tables: readonly TableRows[] } => {
    try {
      return { batch, tables: encode(batch) }
    } catch (error) {
      const careful = options.encodable?.(batch)
      if (careful === undefined) throw error
      telemetry.logFault(`a record cannot be encoded for the store: ${messageOf(error)}`)
      return { batch: careful, tables: encode(careful) }
    }
  }

  const kick = () => {
    if (working) return
    working = true
    void enqueue(async () => {
      try {
        while (queue.length > 0) await commitGroup()
      } finally {
        working = false
      }
    })
  }

  return {
    id: logId,
    reserve: (topic, count) => {
      const first = sequences[topic] ?? 0
      sequences[topic] = first + count
      return first
    },
    append: (given, owner = OPERATOR) =>
      new Promise((accept, reject) => {
        if (closing) return reject(new GatewatchError('overloaded', 'gatewatch is stopping.'))
        const { batch, tables } = encoded(given)
        const bytes = tables.reduce((sum, { rows }) => sum + rows.byteLength, 0)
        if (tables.length === 0)
          return accept({ stored: Promise.resolve({ events: 0, duplicates: 0, conflicts: 0 }) })
        const refusal = shares.admit(owner, bytes)
        if (refusal !== undefined) return reject(refusal)
        queuedBytes += bytes
        queue.push({ tables, batch, bytes, owner, accept, reject })
        kick()
      }),
    flush: async () => {
      while (working) await work
      const { number } = active
      await enqueue(roll)
      // Where the next segment cannot be made, what is to be stored is still in this one.
      while (active.number === number && active.rowCount() > 0 && !closing) {
        await sleep(FLUSH_RETRY_MS)
        await enqueue(roll)
      }
      if (active.number === number && active.rowCount() > 0) throw closedBefore()
      await drain.idle()
    },
    status: () => ({
      waitingBytes: drain.waitingBytes() + active.byteCount() + queuedBytes,
      waitingSegments: drain.waitingSegments() + (active.rowCount() > 0 ? 1 : 0),
      waitingRows: drain.waitingRows() + active.rowCount(),
      waitingSinceMs: drain.waitingSinceMs() ?? activeSinceMs,
      waitingBytesOf: shares.owned(),
      refusedOwners: shares.refused(),
      stuck: drain.stuck(),
      damaged: drain.isDamaged() ? damagedFolder(folder) : damaged,
      lastError: lastError ?? drain.stuck()?.reason,
    }),
    close: async (drainMs = 10_000) => {
      closing = true
      while (working) await work
      await enqueue(roll)
      await drain.close(drainMs)
      await active.close()
      queue = []
    },
  }
}

function ownedBy(group: readonly Waiting[]): OwnedBytes {
  const sums = new Map<string, number>()
  for (const { owner, bytes } of group) sums.set(owner, (sums.get(owner) ?? 0) + bytes)
  return [...sums]
}

function mergeTables(group: readonly Waiting[]): TableRows[] {
  const merged = new Map<string, { columns: readonly string[]; rows: Uint8Array[]; count: number }>()
  for (const { tables } of group) {
    for (const { table, columns, rows, count } of tables) {
      const entry = merged.get(table) ?? { columns, rows: [], count: 0 }
      merged.set(table, entry)
      entry.rows.push(rows)
      entry.count += count
    }
  }
  return [...merged].map(([table, { columns, rows, count }]) => ({
    table,
    columns,
    rows: rows.length === 1 ? rows[0]! : Buffer.concat(rows),
    count,
  }))
}

/** The log’s own name, part of every insert token: a second log in the same store must not share tokens. */
async function readLogId(folder: string, note: NoteSetAside): Promise<string> {
  const known = await readStateFile(
    join(folder, 'log.json'),
    (text) => {
      const { id } = JSON.parse(text) as { id?: unknown }
      if (typeof id !== 'string' || id === '') throw new TypeError('it has no id')
      return id
    },
    note,
  )
  if (known !== undefined) return known
  // Under another name what a torn insert left is inserted again: known events are left out by their ids.
  const id = randomUUID()
  await writeWhole(folder, 'log.json', `${JSON.stringify({ id })}\n`)
  return id
}
