import { mkdirSync } from 'node:fs'
import { type FileHandle, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { GatewatchError, messageOf } from '../core/errors.ts'
import { syncFolder } from './segment-file.ts'
import { type NoteSetAside, readJournalLines } from './state-file.ts'

/** A request that may be repeated. */
export interface KeyedRequest {
  /** Identity of tenant, sender and key, as a hash in hex; at least 64 bits. */
  readonly id: string
  /** What was asked: another request under the same key is refused. */
  readonly fingerprint: string
}

/**
 * What was asked under an `Idempotency-Key`, and the answer, for a day: the same request again gets the same answer and
 * does nothing, also while the first is under way and after a restart. After draft-ietf-httpapi-idempotency-key-header.
 *
 * That a request was begun is on disk before it does anything, with its time: whoever repeats it after a crash does
 * it with the same time, and (with coordinates that follow from the id) makes the same events.
 */
export interface IdempotencyKeys {
  /**
   * Runs `attempt`, or gives the answer that it had. An attempt that throws leaves the key free for the next one.
   * @throws GatewatchError `idempotency_mismatch`; `overloaded` when the key cannot be written down; what `attempt` threw
   */
  run<Answer>(
    request: KeyedRequest,
    attempt: (begunAtMs: number) => Promise<Answer>,
  ): Promise<{ readonly answer: Answer; readonly repeated: boolean }>
  close(): Promise<void>
}

export interface IdempotencyOptions {
  /** Folder of the keys; made if missing. */
  readonly folder: string
  readonly clock: Clock
  /** How long an answer is kept, in milliseconds. */
  readonly keepMs?: number
  /** Most keys that are remembered; beyond, the oldest are forgotten first. */
  readonly maxKeys?: number
  /** Most bytes of answers in memory, and of files; beyond, the oldest are forgotten first. */
  readonly maxBytes?: number
  /** Told of files that were not read. */
  readonly noteSetAside?: NoteSetAside
}

interface Entry {
  readonly fingerprint: string
  readonly begunAtMs: number
  /** As JSON. */
  answer?: string
  running?: Promise<string>
}

interface Line {
  readonly id: string
  /** Of a request that begins. */
  readonly fingerprint?: string
  readonly at?: number
  /** Of one that ended. */
  readonly answer?: unknown
}

const DAY_MS = 86_400_000
const FILE_MS = 3_600_000
// Of a day's answers only so much is kept; an answer has some kilobytes at the most.
const MAX_BYTES = 64 * 1024 ** 2
const FILES = 16
const MAX_LINE = 1024 ** 2
// An id, a fingerprint and what the map needs.
const ENTRY_BYTES = 400

/** Opens the folder and reads the keys that are not too old. */
export async function openIdempotencyKeys(options: IdempotencyOptions): Promise<IdempotencyKeys> {
  const { folder, clock, keepMs = DAY_MS, maxKeys = 500_000, maxBytes = MAX_BYTES } = options
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  // In order of begin, so that the oldest come first.
  const { noteSetAside = () => {} } = options
  const entries = await readEntries(folder, clock.now() - keepMs, { maxBytes, note: noteSetAside })
  const journal = createJournal(folder, clock, { keepMs, maxBytes })
  let bytes = 0
  for (const entry of entries.values()) bytes += bytesOf(entry)

  const forgetOld = () => {
    const oldest = clock.now() - keepMs
    for (const [id, entry] of entries) {
      const isKept = entry.begunAtMs >= oldest && entries.size <= maxKeys && bytes <= maxBytes
      if (entry.running !== undefined || isKept) return
      bytes -= bytesOf(entry)
      entries.delete(id)
    }
  }

  const begin = async ({ id, fingerprint }: KeyedRequest): Promise<Entry> => {
    const entry: Entry = { fingerprint, begunAtMs: clock.now() }
    entries.set(id, entry)
    bytes += bytesOf(entry)
    try {
      await journal.write({ id, fingerprint, at: entry.begunAtMs })
      return entry
    } catch (cause) {
      entries.delete(id)
      bytes -= bytesOf(entry)
      throw new GatewatchError('overloaded', `The idempotency key cannot be kept: ${messageOf(cause)}.`, {
        cause,
      })
    }
  }

  return {
    run: async <Answer>(request: KeyedRequest, attempt: (begunAtMs: number) => Promise<Answer>) => {
      forgetOld()
      const known = entries.get(request.id)
      if (known !== undefined && known.fingerprint !== request.fingerprint) {
        throw new GatewatchError(
          'idempotency_mismatch',
          'This Idempotency-Key was used with another body within the last day.',
          { field: 'idempotency-key', remedy: 'Send each body under a key of its own.' },
        )
      }
      // No await between the look and the entry of a new request, or two that come together would both be first.
      const before = known?.answer ?? (known?.running && (await known.running))
      if (before !== undefined) return { answer: JSON.parse(before) as Answer, repeated: true }
      const work = async (): Promise<string> => {
        const entry = known ?? (await begin(request))
        const answer = await attempt(entry.begunAtMs)
        entry.answer = JSON.stringify(answer)
        bytes += entry.answer.length
        // Not waited for: without this line the request is done again, with the same result.
        journal.write({ id: request.id, answer }).catch(() => {})
        return entry.answer
      }
      const running = work()
      const entry = entries.get(request.id)
      if (entry !== undefined) entry.running = running
      try {
        return { answer: JSON.parse(await running) as Answer, repeated: false }
      } finally {
        if (entry !== undefined) delete entry.running
      }
    },
    close: () => journal.close(),
  }
}

const bytesOf = ({ answer = '' }: Entry): number => ENTRY_BYTES + answer.length

async function readEntries(
  folder: string,
  oldestMs: number,
  { maxBytes, note }: { maxBytes: number; note: NoteSetAside },
): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>()
  let bytes = 0
  for (const name of await journalsIn(folder)) {
    for await (const text of readJournalLines(join(folder, name), { maxBytes, maxLine: MAX_LINE, note })) {
      const line = parseLine(text)
      if (line === undefined) continue
      const { id, fingerprint, at } = line
      const known = entries.get(id)
      if (fingerprint !== undefined && at !== undefined) {
        if (at < oldestMs) continue
        entries.set(id, { fingerprint, begunAtMs: at })
        bytes += ENTRY_BYTES
      } else if (known !== undefined) {
        known.answer = JSON.stringify(line.answer)
        bytes += known.answer?.length ?? 0
      }
      for (const [oldest, entry] of entries) {
        if (bytes <= maxBytes) break
        entries.delete(oldest)
        bytes -= bytesOf(entry)
      }
    }
  }
  return entries
}

/** The journals, oldest first. */
const journalsIn = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder)).filter((file) => file.endsWith('.keys')).sort()

// A crash may leave half a line; what it was about was not acknowledged.
function parseLine(text: string): Line | undefined {
  try {
    const line = JSON.parse(text) as Line
    return typeof line.id === 'string' ? line : undefined
  } catch {
    return undefined
  }
}

/** Lines, each on disk when its `write` resolves; lines that come together share one sync. */
function createJournal(
  folder: string,
  clock: Clock,
  { keepMs, maxBytes }: { keepMs: number; maxBytes: number },
) {
  let file: { readonly handle: FileHandle; readonly startedMs: number; bytes: number } | undefined
  let waiting: {
    readonly text: string
    readonly done: () => void
    readonly fail: (error: unknown) => void
  }[] = []
  let work: Promise<void> | undefined

  const current = async () => {
    const nowMs = clock.now()
    const isFull = file !== undefined && (nowMs - file.startedMs >= FILE_MS || file.bytes > maxBytes / FILES)
    if (file !== undefined && !isFull) return file
    await file?.handle.close()
    file = undefined
    const handle = await open(join(folder, `${String(nowMs).padStart(15, '0')}.keys`), 'a', 0o600)
    file = { handle, startedMs: nowMs, bytes: (await handle.stat()).size }
    await removeOld(folder, nowMs - keepMs - 2 * FILE_MS, maxBytes)
    await syncFolder(folder)
    return file
  }

  const drain = async () => {
    while (waiting.length > 0) {
      const group = waiting
      waiting = []
      try {
        const journal = await current()
        // A line end first: what is before may be torn.
        const lines = Buffer.from(`\n${group.map(({ text }) => text).join('\n')}\n`)
        await journal.handle.appendFile(lines)
        journal.bytes += lines.byteLength
        await journal.handle.datasync()
        for (const { done } of group) done()
      } catch (error) {
        for (const { fail } of group) fail(error)
      }
    }
  }

  return {
    write: (line: Line): Promise<void> =>
      new Promise((done, fail) => {
        waiting.push({ text: JSON.stringify(line), done, fail })
        work ??= drain().finally(() => {
          work = undefined
        })
      }),
    close: async () => {
      while (work !== undefined) await work
      await file?.handle.close()
      file = undefined
    },
  }
}

/** Removes journals that are too old, and the oldest of those that are too much together. */
async function removeOld(folder: string, startedBeforeMs: number, maxBytes: number): Promise<void> {
  let bytes = 0
  for (const name of (await journalsIn(folder)).toReversed()) {
    const path = join(folder, name)
    bytes += (await stat(path)).size
    const startedMs = Number(/^(\d{15})\.keys$/.exec(name)?.[1] ?? Number.POSITIVE_INFINITY)
    if (startedMs < startedBeforeMs || bytes > maxBytes) await rm(path, { force: true })
  }
}
