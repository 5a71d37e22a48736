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
  /**
   * A chunk that is not full is cut this long after its first record arrived, in milliseconds; five times as long
   * where the partition has more to read at once, because larger blocks are what catches up soonest.
   */
  readonly maxAgeMs: number
}

/** Records of one partition in order of offset, waiting to be cut into chunks. */
export interface ChunkBuffer {
  /** Bytes that wait. */
  bytes(): number
  rows(): number
  /**
   * Adds records; `nowMs` is the time of arrival, `coveredTo` the last offset that the broker has answered for, and
   * `more` says that it has others after it.
   */
  add(records: readonly RawRecord[], coveredTo: number, nowMs: number, more?: boolean): void
  /** The next chunk if it is full or old enough, or whatever waits if `all`. */
  cut(nowMs: number, all?: boolean): Chunk | undefined
  /** Exactly the records up to `to`, once everything up to there has been seen. */
  cutThrough(from: number, to: number): Chunk | undefined
  /** When `cut` will have something although nothing arrives any more; `undefined` when nothing waits. */
  dueAtMs(): number | undefined
}

interface Arrival {
  records: readonly RawRecord[]
  readonly arrivedMs: number
}

export function createChunkBuffer({ maxRows, maxBytes, maxAgeMs }: ChunkLimits): ChunkBuffer {
  const arrivals: Arrival[] = []
  let rows = 0
  let bytes = 0
  let coveredTo = -1
  let patienceMs = maxAgeMs

  function* waiting(): Generator<RawRecord> {
    for (const { records } of arrivals) yield* records
  }

  const take = (count: number): RawRecord[] => {
    const taken: RawRecord[] = []
    for (let first = arrivals[0]; first !== undefined && taken.length < count; first = arrivals[0]) {
      const wanted = Math.min(count - taken.length, first.records.length)
      for (let at = 0; at < wanted; at++) taken.push(first.records[at] as RawRecord)
      if (wanted === first.records.length) arrivals.shift()
      else first.records = first.records.slice(wanted)
    }
    rows -= taken.length
    for (const { value } of taken) bytes -= value.byteLength
    return taken
  }

  const dueAtMs = () => (arrivals[0] === undefined ? undefined : arrivals[0].arrivedMs + patienceMs)

  return {
    bytes: () => bytes,
    rows: () => rows,
    add: (records, through, nowMs, more = false) => {
      if (records.length > 0) arrivals.push({ records, arrivedMs: nowMs })
      rows += records.length
      for (const { value } of records) bytes += value.byteLength
      coveredTo = Math.max(coveredTo, through)
      patienceMs = more ? maxAgeMs * 5 : maxAgeMs
    },
    cut: (nowMs, all = false) => {
      const due = dueAtMs()
      if (due === undefined) return undefined
      let count = 0
      let size = 0
      let from = 0
      let to = -1
      for (const { offset, value } of waiting()) {
        // Offsets that start again (the topic was made anew) are another chunk.
        if (count >= maxRows || size >= maxBytes || (count > 0 && offset <= to)) break
        if (count === 0) from = offset
        to = offset
        size += value.byteLength
        count++
      }
      const full = count >= maxRows || size >= maxBytes || count < rows
      return full || all || nowMs >= due ? { from, to, records: take(count) } : undefined
    },
    cutThrough: (from, to) => {
      if (coveredTo < to) return undefined
      let count = 0
      for (const { offset } of waiting()) {
        if (offset > to) break
        count++
      }
      return { from, to, records: take(count) }
    },
    dueAtMs,
  }
}
