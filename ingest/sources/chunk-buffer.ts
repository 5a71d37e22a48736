import { setImmediate as nextTurn } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { sliceLength } from '../pipeline-slices.ts'
import type { Batch, RawRecord } from '../record.ts'
import { carefulBatch } from './careful-batch.ts'

/** The rows of one table, encoded. */
export interface EncodedRows {
  readonly table: string
  readonly columns: readonly string[]
  readonly rows: Uint8Array
  readonly format?: 'JSONCompactEachRow' | 'Native'
  readonly count: number
}

/** Takes batches one after the other and makes one block a table of them. */
export interface BlockEncoder {
  add(batch: Batch): void
  finish(): readonly EncodedRows[]
}

/** Records of one partition that are stored as one insert: all there are from offset `from` to `to`, both included. */
export interface Chunk {
  readonly from: number
  readonly to: number
  /** Time and checksum of the first record: tells it from one at the same offset of another topic of that name. */
  readonly mark: string
  /** How often the offsets had started again. */
  readonly life: number
  readonly records: number
  readonly tables: readonly EncodedRows[]
}

export interface ChunkLimits {
  readonly maxRows: number
  readonly maxBytes: number
  /**
   * A chunk that is not full is cut this long after its first record arrived, in milliseconds; five times as long
   * where the partition has more to read at once, because larger blocks are what catches up soonest.
   */
  readonly maxAgeMs: number
}

/** The end of a chunk that an earlier owner of the partition began to store. */
export interface ChunkEnd {
  readonly from: number
  readonly to: number
}

export interface ChunkBufferOptions {
  readonly limits: ChunkLimits
  /** Where the first chunk ends, whatever the limits say. */
  readonly pending: ChunkEnd | undefined
  readonly process: (records: readonly RawRecord[]) => Batch
  readonly createEncoder: () => BlockEncoder
  /** Called when records from this offset on were dropped because their encoder failed: they have to be added again. */
  readonly onReadAgain: (from: number, error: unknown) => void
  readonly signal: AbortSignal
}

/**
 * Records of one partition in order of offset, made into chunks as they arrive. They are processed and encoded at
 * once, not when their chunk is cut: kept as rows they take a tenth of the memory, and as objects that live for a
 * second they would keep the garbage collector as busy as the work itself.
 */
export interface ChunkBuffer {
  /** Bytes of the records that wait. */
  bytes(): number
  rows(): number
  /**
   * Adds records. Where the encoder cannot take one, its chunk is dropped and `onReadAgain` called; what is added again is
   * encoded carefully, the bad record as a dead letter. `nowMs` is the time of arrival, `coveredTo` the last offset that the broker has answered for, and
   * `more` says that it has others after it. Resolves when they are encoded; calls must not overlap.
   * @throws what the encoder threw, when it fails although each record by itself can be encoded
   */
  add(records: readonly RawRecord[], coveredTo: number, nowMs: number, more?: boolean): Promise<void>
  /** The last offset of the block that an earlier owner began, while it is not complete. */
  pendingTo(): number | undefined
  /** The topic was made anew: what waits stays as it is, what follows has other offsets. */
  startOver(): void
  /** The next chunk if it is full or old enough, or whatever waits if `all`. */
  cut(nowMs: number, all?: boolean): Chunk | undefined
  /** When `cut` will have something although nothing arrives any more; `undefined` when nothing waits. */
  dueAtMs(): number | undefined
}

interface OpenChunk {
  readonly from: number
  /** An earlier owner began to store it. */
  readonly begun: boolean
  readonly mark: string
  readonly life: number
  readonly arrivedMs: number
  readonly encoder: BlockEncoder
  to: number
  rows: number
  bytes: number
}

const markOf = ({ timestampMs, value }: RawRecord): string => `${timestampMs}-${crc32(value).toString(36)}`

export function createChunkBuffer(options: ChunkBufferOptions): ChunkBuffer {
  const { limits, process, createEncoder, onReadAgain, signal } = options
  const full: OpenChunk[] = []
  let { pending } = options
  let open: OpenChunk | undefined
  let rows = 0
  let bytes = 0
  let life = 0
  let patienceMs = limits.maxAgeMs
  // Up to this offset records are encoded carefully.
  let carefulTo = -1
  let timesReadAgain = 0

  const start = (from: number, mark: string, arrivedMs: number): OpenChunk => ({
    from,
    begun: pending !== undefined,
    to: from,
    mark,
    life,
    arrivedMs,
    rows: 0,
    bytes: 0,
    encoder: createEncoder(),
  })

  const close = () => {
    if (open !== undefined) full.push(open)
    open = undefined
  }

  const isFull = (chunk: OpenChunk): boolean => chunk.rows >= limits.maxRows || chunk.bytes >= limits.maxBytes

  // Offsets that start again (the topic was made anew) are another chunk.
  const endsBefore = (chunk: OpenChunk, offset: number): boolean =>
    pending === undefined ? isFull(chunk) || offset <= chunk.to : offset > pending.to

  /** Takes records into the open chunk, from `first` on, as many as belong to it; the position after them. */
  const take = (records: readonly RawRecord[], first: number, nowMs: number): number => {
    const slice: RawRecord[] = []
    const end = first + sliceLength(records, first)
    for (let at = first; at < end; at++) {
      const record = records[at] as RawRecord
      if (open !== undefined && open.rows > 0 && endsBefore(open, record.offset)) break
      open ??= start(pending?.from ?? record.offset, markOf(record), nowMs)
      open.to = record.lastOffset ?? record.offset
      open.rows++
      open.bytes += record.value.length
      rows++
      bytes += record.value.length
      slice.push(record)
    }
    const [earliest] = slice
    if (earliest !== undefined) {
      const careful = earliest.offset <= carefulTo
      open?.encoder.add(careful ? carefulBatch(slice, { process, createEncoder }) : process(slice))
    }
    return first + slice.length
  }

  // What an encoder holds that has thrown cannot be trusted, and the records of the chunk are not here any more.
  const readAgain = (chunk: OpenChunk, to: number, error: unknown) => {
    if (chunk.life !== life || to <= carefulTo) throw error
    const dropped = chunk === open ? [chunk] : [chunk, ...full.splice(0), ...(open ? [open] : [])]
    for (const each of dropped) {
      rows -= each.rows
      bytes -= each.bytes
    }
    open = undefined
    if (chunk.begun) pending ??= { from: chunk.from, to: chunk.to }
    carefulTo = to
    timesReadAgain++
    onReadAgain(chunk.from, error)
  }

  const finish = (chunk: OpenChunk): Chunk => {
    const { from, to, mark, encoder } = chunk
    const tables = encoder.finish()
    rows -= chunk.rows
    bytes -= chunk.bytes
    return { from, to, mark, life: chunk.life, records: chunk.rows, tables }
  }

  const dueAtMs = () => {
    const first = full[0] ?? open
    // What an earlier owner began ends where it says, not when it is old.
    if (first === undefined || pending !== undefined) return undefined
    return first === open ? first.arrivedMs + patienceMs : first.arrivedMs
  }

  return {
    bytes: () => bytes,
    rows: () => rows,
    add: async (records, coveredTo, nowMs, more = false) => {
      patienceMs = more ? limits.maxAgeMs * 5 : limits.maxAgeMs
      const before = timesReadAgain
      let at = 0
      while (at < records.length) {
        const next = records[at] as RawRecord
        if (pending !== undefined && next.offset > pending.to) closePending(nowMs)
        else if (open !== undefined && open.rows > 0 && endsBefore(open, next.offset)) close()
        try {
          at = take(records, at, nowMs)
        } catch (error) {
          if (open === undefined) throw error
          return readAgain(open, open.to, error)
        }
        if (at === records.length) break
        await nextTurn()
        if (signal.aborted || timesReadAgain !== before) return
      }
      if (pending !== undefined) {
        if (coveredTo >= pending.to) closePending(nowMs)
      } else if (open !== undefined && isFull(open)) close()
    },
    pendingTo: () => pending?.to,
    startOver: () => {
      pending = undefined
      close()
      life++
    },
    cut: (nowMs, all = false) => {
      if (pending !== undefined) return undefined
      const due = dueAtMs()
      if (full.length === 0 && (all || (due !== undefined && nowMs >= due))) close()
      const chunk = full.shift()
      if (chunk === undefined) return undefined
      try {
        return finish(chunk)
      } catch (error) {
        readAgain(chunk, chunk.to, error)
        return undefined
      }
    },
    dueAtMs,
  }

  function closePending(nowMs: number): void {
    if (pending === undefined) return
    // Nothing may be left of it: the broker has deleted the records, or compacted them away.
    open ??= start(pending.from, '', nowMs)
    open.to = pending.to
    pending = undefined
    close()
  }
}
