import { setTimeout as sleep } from 'node:timers/promises'
import type { AuditEvent } from '../core/audit-event.ts'
import { GatewatchError, messageOf } from '../core/errors.ts'
import { fromClickHouse } from '../core/timestamp.ts'
import { type Backoff, untilDone } from './retry.ts'
import {
  type RecoveredSegment,
  readRows,
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
  /** Which of these events of one tenant are stored with a time inside the bounds (inclusive). */
  readonly findStored: (question: {
    readonly tenant: string
    readonly eventIds: readonly string[]
    readonly from: string
    readonly to: string
  }) => Promise<ReadonlySet<string>>
  readonly tokenOf: (segment: number) => string
  readonly telemetry: IngestTelemetry
  readonly backoff?: Backoff
}

export interface StoredCounts {
  readonly events: number
  /** Events that were stored before, or came twice; left out. */
  readonly duplicates: number
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
  addRecovered(segment: RecoveredSegment): void
  start(): void
  /** A full segment, closed; nothing is appended to it any more. */
  add(segment: Segment): void
  /** Announces events appended to a segment, in row order; settles when the segment is stored. */
  expect(segment: number, events: readonly AuditEvent[]): Promise<StoredCounts>
  waitingBytes(): number
  waitingSegments(): number
  /** Why the segment in front is not stored yet, after a failed attempt. */
  stuck(): StuckSegment | undefined
  /** Resolves when nothing waits. Rejects when closed before. */
  idle(): Promise<void>
  close(drainMs: number): Promise<void>
}

interface EventKey {
  readonly tenant: string
  readonly eventId: string
  readonly occurredAt: string
}

interface Expectation {
  readonly keys: readonly EventKey[]
  readonly settle: (counts: StoredCounts) => void
  readonly fail: (error: GatewatchError) => void
}

interface Job {
  readonly number: number
  readonly files: readonly TableFile[]
  readonly bytes: number
  /**
   * What was decided about its rows. Never decided again, whatever fails afterwards: its own rows may be in the store by
   * then, and would be taken for earlier ones.
   */
  sealed: { readonly files: readonly TableFile[]; readonly twice: ReadonlySet<number> } | undefined
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

  const store = async (job: Job): Promise<boolean> => {
    const waiting = expectations.get(job.number) ?? []
    let attempts = 0
    if (job.sealed === undefined) {
      const done = await retry(job.number, async () => {
        const twice = await findDuplicates(await keysOf(job, waiting), options.findStored)
        const files = await sealSegment(folder, job.number, job.files, await without(job.files, twice))
        return { files, twice }
      })
      if (done === undefined) return false
      job.sealed = done.value
      attempts += done.attempts - 1
    }
    const { files, twice } = job.sealed
    if (job.written === undefined) {
      const blocks = files
        .filter(({ count }) => count > 0)
        .map(({ table, columns, path }) => ({ table, columns, rows: { path } }))
      const done = await retry(job.number, () => write(blocks, tokenOf(job.number)))
      if (done === undefined) return false
      job.written = done.value
      attempts += done.attempts - 1
    }
    if (attempts > 0) telemetry.storeRecovered('segment-log', attempts + 1)
    await removeSegment(folder, job.number)
    stuck = undefined
    expectations.delete(job.number)
    settleAll(waiting, twice)
    telemetry.rowsStored('segment-log', {
      stored: files.reduce((sum, { count }) => sum + count, 0),
      duplicates: twice.size,
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
    addRecovered: ({ number, files, sealed }) =>
      add({ number, files: sealed ?? files, sealed: sealed && { files: sealed, twice: new Set() } }),
    start: () => {
      started = true
      kick()
    },
    add: (segment) => add({ number: segment.number, files: segment.files(), sealed: undefined }),
    expect: (segment, events) => {
      const keys = events.map((event) => ({
        tenant: event.tenant,
        eventId: event.event_id,
        occurredAt: event.occurred_at,
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
    stuck: () => stuck,
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

/** What those hear who wait for the store when the log is closed. */
export const closedBefore = (): GatewatchError =>
  new GatewatchError(
    'store_unavailable',
    'gatewatch stopped before this was stored; the next start stores it.',
  )

/** The identity of each row of `events` in the segment, in row order. */
async function keysOf(job: Job, waiting: readonly Expectation[]): Promise<EventKey[]> {
  const file = job.files.find(({ table }) => table === 'events')
  if (file === undefined) return []
  const known = waiting.flatMap(({ keys }) => keys)
  if (known.length === file.count) return known
  const at = (column: string) => file.columns.indexOf(column)
  const [tenant, eventId, occurredAt] = [at('tenant'), at('event_id'), at('occurred_at')]
  return (await readRows(file))
    .map((line) => JSON.parse(line) as string[])
    .map((row) => ({
      tenant: row[tenant] ?? '',
      eventId: row[eventId] ?? '',
      occurredAt: fromClickHouse(row[occurredAt] ?? ''),
    }))
}

/**
 * Row numbers of events that must not be stored: their id is stored already, or came earlier in this segment.
 *
 * This is asked before the first insert of the segment and the answer is made durable with it (`sealSegment`). It
 * cannot be part of the insert: a replay after a view failed half-way must insert the same rows again, and would
 * find its own rows in the store and take them for duplicates. A file read twice has even the same coordinates.
 * The price is that an event is a duplicate only of one whose `occurred_at` lies within the segment's times; a
 * repeated record has the time of the first.
 */
async function findDuplicates(
  keys: readonly EventKey[],
  findStored: DrainOptions['findStored'],
): Promise<Set<number>> {
  const twice = new Set<number>()
  for (const [tenant, rows] of Map.groupBy(keys.entries(), ([, key]) => key.tenant)) {
    const first = new Map<string, number>()
    let [from, to] = ['9999', '']
    for (const [index, { eventId, occurredAt }] of rows) {
      if (first.has(eventId)) twice.add(index)
      else first.set(eventId, index)
      if (occurredAt < from) from = occurredAt
      if (occurredAt > to) to = occurredAt
    }
    for (const eventId of await findStored({ tenant, eventIds: [...first.keys()], from, to })) {
      const index = first.get(eventId)
      if (index !== undefined) twice.add(index)
    }
  }
  return twice
}

async function without(
  files: readonly TableFile[],
  twice: ReadonlySet<number>,
): Promise<Map<string, { rows: Uint8Array; count: number }>> {
  const events = files.find(({ table }) => table === 'events')
  if (events === undefined || twice.size === 0) return new Map()
  const kept = (await readRows(events)).filter((_, index) => !twice.has(index))
  return new Map([
    ['events', { rows: Buffer.from(kept.map((line) => `${line}\n`).join('')), count: kept.length }],
  ])
}

function settleAll(waiting: readonly Expectation[], twice: ReadonlySet<number>): void {
  let row = 0
  for (const { keys, settle } of waiting) {
    let duplicates = 0
    for (const end = row + keys.length; row < end; row++) if (twice.has(row)) duplicates++
    settle({ events: keys.length - duplicates, duplicates })
  }
}
