import { setTimeout as sleep } from 'node:timers/promises'
import type { AuditEvent } from '../core/audit-event.ts'
import { GatewatchError, messageOf } from '../core/errors.ts'
import type { ComparedRows, CompareEvents, EventIdentity, EventLines } from './known-events.ts'
import { type Backoff, untilDone } from './retry.ts'
import {
  damagedFolder,
  type RecoveredSegment,
  readRows,
  recoverSegment,
  removeSegment,
  type Segment,
  sealSegment,
  segmentPattern,
  type TableFile,
} from './segment-file.ts'
import type { IngestTelemetry } from './telemetry.ts'

/** Rows of one table in a file, as the store takes them. */
export interface FileBlock {
  readonly table: string
  readonly columns: readonly string[]
  readonly rows: { readonly path: string }
}

export interface DrainOptions {
  readonly folder: string
  /** Stores the blocks under one token; the same call again stores nothing. Repeated until it succeeds. */
  readonly write: (blocks: readonly FileBlock[], token: string) => Promise<{ readonly rejected: number }>
  /** Tells the events of a segment that are stored already, and those whose id another event has. */
  readonly compare: CompareEvents
  readonly tokenOf: (segment: number) => string
  readonly telemetry: IngestTelemetry
  readonly backoff?: Backoff
  /** Told of each segment that waits no longer. */
  readonly onRemoved?: (segment: number) => void
}

export interface StoredCounts {
  readonly events: number
  /** Events that were stored before, or came twice; left out. */
  readonly duplicates: number
  /** Events, of those stored, whose id another event had before with other content. */
  readonly conflicts: number
}

/** A segment whose way into the store failed, and is tried again. */
export interface StuckSegment {
  /** Its files, as a shell knows them. */
  readonly files: string
  readonly reason: string
  /** Failed attempts in a row. */
  readonly attempts: number
}

/** Carries full segments to the store, one after the other, oldest first. */
export interface SegmentDrain {
  /** Before `start`: what an earlier run left. */
  addRecovered(segment: RecoveredSegment, sinceMs: number): void
  start(): void
  /** A full segment, closed; nothing is appended to it any more. */
  add(segment: Segment, sinceMs: number): void
  /** Announces events appended to a segment, in row order; settles when the segment is stored. */
  expect(segment: number, events: readonly AuditEvent[]): Promise<StoredCounts>
  waitingBytes(): number
  waitingSegments(): number
  waitingRows(): number
  /** When the first row of what waits longest was accepted, milliseconds; undefined when nothing waits. */
  waitingSinceMs(): number | undefined
  /** Why the segment in front is not stored yet, after a failed attempt. */
  stuck(): StuckSegment | undefined
  /** Whether rows were damaged while they waited; what is left of them is stored, all is set aside. */
  isDamaged(): boolean
  /** Resolves when nothing waits. Rejects when closed before. */
  idle(): Promise<void>
  close(drainMs: number): Promise<void>
}

interface Expectation {
  readonly keys: readonly EventIdentity[]
  readonly settle: (counts: StoredCounts) => void
  readonly fail: (error: GatewatchError) => void
}

/** Numbers of the rows of `events`, in the order in which they were appended. */
type Verdicts = Pick<ComparedRows, 'duplicates' | 'conflicts'>

const NO_VERDICTS: Verdicts = { duplicates: new Set(), conflicts: new Set() }

interface Job {
  readonly number: number
  readonly files: readonly TableFile[]
  readonly bytes: number
  readonly sinceMs: number
  /**
   * What was decided about its rows. Never decided again, whatever fails afterwards: its own rows may be in the store by
   * then, and would be taken for earlier ones.
   */
  sealed: ({ readonly files: readonly TableFile[] } & Verdicts) | undefined
  /** Holds its ids until it is in the store. */
  compared?: ComparedRows | undefined
  /** It is in the store, and has only to be removed. */
  written?: { readonly rejected: number }
}

export function createSegmentDrain(options: DrainOptions): SegmentDrain {
  const { folder, telemetry, write, tokenOf } = options
  const jobs: Job[] = []
  const expectations = new Map<number, Expectation[]>()
  const stop = new AbortController()
  let running: Promise<void> | undefined
  let started = false
  let stuck: StuckSegment | undefined
  let isDamaged = false

  const failed = (segment: number, attempts: number, error: unknown): StuckSegment => {
    stuck = { files: segmentPattern(folder, segment), reason: messageOf(error), attempts }
    return stuck
  }

  const retry = <T>(segment: number, attempt: () => Promise<T>) =>
    untilDone(
      attempt,
      (number, error) => {
        const { files, reason } = failed(segment, number, error)
        telemetry.storeFailed('segment-log', number, `${files}: ${reason}`)
      },
      stop.signal,
      options.backoff,
    )

  const checked = async (job: Job): Promise<readonly TableFile[]> => {
    const { sealed, damage } = await recoverSegment(folder, job.number)
    if (damage !== undefined && sealed !== undefined && job.sealed !== undefined) {
      job.sealed = { ...job.sealed, files: sealed }
      isDamaged = true
      telemetry.logFault(damageText(folder, job.number, damage))
    }
    return filesOf(job)
  }

  const store = async (job: Job): Promise<boolean> => {
    const waiting = expectations.get(job.number) ?? []
    let attempts = 0
    if (job.sealed === undefined) {
      const done = await retry(job.number, async () => {
        job.compared ??= await compareSegment(job, waiting, options.compare)
        const { duplicates, conflicts } = job.compared ?? NO_VERDICTS
        const files = await sealSegment(folder, job.number, job.files, replacedRows(job.compared))
        return { files, duplicates, conflicts }
      })
      if (done === undefined) return false
      job.sealed = done.value
      attempts += done.attempts - 1
    }
    const { duplicates, conflicts } = job.sealed
    let isRepeated = false
    if (job.written === undefined) {
      const done = await retry(job.number, async () => {
        // It may have waited for hours, and the disk is not what it was.
        const files = isRepeated ? await checked(job) : filesOf(job)
        isRepeated = true
        const blocks = files
          .filter(({ count }) => count > 0)
          .map(({ table, columns, path }) => ({ table, columns, rows: { path } }))
        return write(blocks, tokenOf(job.number))
      })
      if (done === undefined) return false
      job.written = done.value
      attempts += done.attempts - 1
    }
    if (attempts > 0) telemetry.storeRecovered('segment-log', attempts + 1)
    await removeSegment(folder, job.number)
    stuck = undefined
    expectations.delete(job.number)
    job.compared?.release()
    settleAll(waiting, { duplicates, conflicts })
    telemetry.rowsStored('segment-log', {
      stored: filesOf(job).reduce((sum, { count }) => sum + count, 0),
      duplicates: duplicates.size,
      conflicts: conflicts.size,
      rejected: job.written.rejected,
    })
    return true
  }

  const run = async () => {
    while (!stop.signal.aborted) {
      const job = jobs[0]
      if (job === undefined) return
      if (job.files.length > 0 && !(await store(job))) return
      if (job.files.length === 0) await removeSegment(folder, job.number)
      jobs.shift()
      options.onRemoved?.(job.number)
    }
  }

  const kick = () => {
    if (!started || running !== undefined || stop.signal.aborted) return
    running = run()
      .catch((error) => {
        // Only the folder itself can fail here; the segment stays first in line.
        const { files, reason } = failed(jobs[0]?.number ?? 0, (stuck?.attempts ?? 0) + 1, error)
        telemetry.logFault(`${files}: ${reason}`)
        return sleep(1000, undefined, { signal: stop.signal }).catch(() => {})
      })
      .finally(() => {
        running = undefined
        if (jobs.length > 0) kick()
      })
  }

  const add = (job: Omit<Job, 'bytes'>) => {
    jobs.push({ ...job, bytes: job.files.reduce((sum, file) => sum + file.bytes, 0) })
    kick()
  }

  return {
    // What was sealed was acknowledged: where its rows are gone it is stuck, never taken for an empty segment.
    addRecovered: ({ number, files, sealed }, sinceMs) =>
      add({ number, files: sealed ?? files, sealed: sealed && { files: sealed, ...NO_VERDICTS }, sinceMs }),
    start: () => {
      started = true
      kick()
    },
    add: (segment, sinceMs) =>
      add({ number: segment.number, files: segment.files(), sealed: undefined, sinceMs }),
    expect: (segment, events) => {
      const keys = events.map(({ tenant, event_id, occurred_at, actor }) => ({
        ...{ tenant, event_id, occurred_at, actor },
      }))
      const stored = new Promise<StoredCounts>((settle, fail) => {
        const list = expectations.get(segment) ?? []
        expectations.set(segment, list)
        list.push({ keys, settle, fail })
      })
      // Most callers never look at it.
      stored.catch(() => {})
      return stored
    },
    waitingBytes: () => jobs.reduce((sum, job) => sum + job.bytes, 0),
    waitingSegments: () => jobs.length,
    waitingRows: () =>
      jobs.reduce((sum, { files }) => files.reduce((rows, { count }) => rows + count, sum), 0),
    // Oldest first; what an earlier run left without a row waits for nothing.
    waitingSinceMs: () => jobs.find(({ files }) => files.length > 0)?.sinceMs,
    stuck: () => stuck,
    isDamaged: () => isDamaged,
    idle: async () => {
      while (running !== undefined) await running
      if (jobs.length > 0) throw closedBefore()
    },
    close: async (drainMs) => {
      const deadline = setTimeout(() => stop.abort(), drainMs)
      while (running !== undefined) await running
      clearTimeout(deadline)
      stop.abort()
      for (const list of expectations.values()) for (const { fail } of list) fail(closedBefore())
    },
  }
}

/** What is said of a segment that the disk has damaged. */
export const damageText = (folder: string, number: number, damage: string): string =>
  `a segment is damaged: ${damage}; the rest goes to the store, all is kept as ${segmentPattern(damagedFolder(folder), number)}`

const filesOf = ({ sealed, files }: Pick<Job, 'sealed' | 'files'>): readonly TableFile[] =>
  sealed?.files ?? files

/** What those hear who wait for the store when the log is closed. */
export const closedBefore = (): GatewatchError =>
  new GatewatchError(
    'store_unavailable',
    'gatewatch stopped before this was stored; the next start stores it.',
  )

/**
 * Asked before the first insert of a segment, and the answer is made durable with it (`sealSegment`): a replay after a view
 * failed half-way must insert the same rows again, and would find its own in the store. A file that is read twice has the
 * same coordinates, so here a row that is stored at its own place is a duplicate.
 */
async function compareSegment(
  job: Job,
  waiting: readonly Expectation[],
  compare: CompareEvents,
): Promise<ComparedRows | undefined> {
  const file = eventsOf(job)
  if (file === undefined) return undefined
  const { columns, count } = file
  const identities = waiting.flatMap(({ keys }) => keys)
  return compare(
    { columns, rows: () => readRows(file), count },
    { repeated: false, ...(identities.length === count ? { identities } : {}) },
  )
}

const eventsOf = ({ files }: Pick<Job, 'files'>): TableFile | undefined =>
  files.find(({ table }) => table === 'events')

/** The rows to store where they are not those of the file. */
const replacedRows = (compared: ComparedRows | undefined): ReadonlyMap<string, EventLines> =>
  new Map(compared?.replaced === undefined ? [] : [['events', compared.replaced]])

function settleAll(waiting: readonly Expectation[], { duplicates, conflicts }: Verdicts): void {
  let first = 0
  for (const { keys, settle } of waiting) {
    const rows = keys.map((_, at) => first + at)
    first += keys.length
    const among = (numbers: ReadonlySet<number>) => rows.filter((row) => numbers.has(row)).length
    settle({
      events: keys.length - among(duplicates),
      duplicates: among(duplicates),
      conflicts: among(conflicts),
    })
  }
}
