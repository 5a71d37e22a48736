import type { RawRecord } from '../record.ts'

/** Records of one partition that are stored as one insert: all there are from offset `from` to `to`, both included. */
export interface Chunk {
  readonly from: number
  readonly to: number
  readonly records: readonly RawRecord[]
}

export interface ChunkLimits {
  readonly maxRows: number
  readonly maxBytes: number
  /** A chunk that is not full is cut this long after its first record arrived, in milliseconds. */
  readonly maxAgeMs: number
}

/** Records of one partition in order of offset, waiting to be cut into chunks. */
export interface ChunkBuffer {
  /** Bytes that wait. */
  bytes(): number
  rows(): number
  /** Adds records; `nowMs` is the time of arrival, `coveredTo` the last offset that the broker has answered for. */
  add(records: readonly RawRecord[], coveredTo: number, nowMs: number): void
  /** The next chunk if it is full or old enough, or whatever waits if `all`. */
  cut(nowMs: number, all?: boolean): Chunk | undefined
  /** Exactly the records up to `to`, once everything up to there has been seen. */
  cutThrough(from: number, to: number): Chunk | undefined
  /** When `cut` will have something although nothing arrives any more; `undefined` when nothing waits. */
  dueAtMs(): number | undefined
}

interface Waiting {
  readonly record: RawRecord
  readonly arrivedMs: number
}

export function createChunkBuffer({ maxRows, maxBytes, maxAgeMs }: ChunkLimits): ChunkBuffer {
  let waiting: Waiting[] = []
  let bytes = 0
  let coveredTo = -1

  const take = (count: number): RawRecord[] => {
    const records = waiting.slice(0, count).map(({ record }) => record)
    waiting = waiting.slice(count)
    for (const { value } of records) bytes -= value.byteLength
    return records
  }

  return {
    bytes: () => bytes,
    rows: () => waiting.length,
    add: (records, through, nowMs) => {
      for (const record of records) {
        waiting.push({ record, arrivedMs: nowMs })
        bytes += record.value.byteLength
      }
      coveredTo = Math.max(coveredTo, through)
    },
    cut: (nowMs, all = false) => {
      let rows = 0
      let size = 0
      for (; rows < waiting.length && rows < maxRows && size < maxBytes; rows++) {
        // Offsets that start again (the topic was made anew) are another chunk.
        if (rows > 0 && waiting[rows]!.record.offset <= waiting[rows - 1]!.record.offset) break
        size += waiting[rows]!.record.value.byteLength
      }
      const first = waiting[0]
      if (first === undefined) return undefined
      const full = rows >= maxRows || size >= maxBytes || rows < waiting.length
      if (!full && !all && nowMs < first.arrivedMs + maxAgeMs) return undefined
      const records = take(rows)
      return { from: first.record.offset, to: records.at(-1)!.offset, records }
    },
    cutThrough: (from, to) => {
      if (coveredTo < to) return undefined
      const end = waiting.findIndex(({ record }) => record.offset > to)
      return { from, to, records: take(end === -1 ? waiting.length : end) }
    },
    dueAtMs: () => (waiting[0] === undefined ? undefined : waiting[0].arrivedMs + maxAgeMs),
  }
}
