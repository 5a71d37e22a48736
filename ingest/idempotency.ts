import { mkdirSync } from 'node:fs'
import { type FileHandle, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { GatewatchError, messageOf } from '../core/errors.ts'
import { syncFolder } from './segment-file.ts'

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

/** Opens the folder and reads the keys that are not too old. */
export async function openIdempotencyKeys(options: IdempotencyOptions): Promise<IdempotencyKeys> {
  const { folder, clock, keepMs = DAY_MS, maxKeys = 500_000 } = options
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  // In order of begin, so that the oldest come first.
  const entries = await readEntries(folder, clock.now() - keepMs)
  const journal = createJournal(folder, clock, keepMs)

  const forgetOld = () => {
    const oldest = clock.now() - keepMs
    for (const [id, { begunAtMs, running }] of entries) {
      if (running !== undefined || (begunAtMs >= oldest && entries.size <= maxKeys)) return
      entries.delete(id)
    }
  }

  const begin = async ({ id, fingerprint }: KeyedRequest): Promise<Entry> => {
    const entry: Entry = { fingerprint, begunAtMs: clock.now() }
    entries.set(id, entry)
    try {
      await journal.write({ id, fingerprint, at: entry.begunAtMs })
      return entry
    } catch (cause) {
      entries.delete(id)
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

async function readEntries(folder: string, oldestMs: number): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>()
  for (const name of (await readdir(folder)).filter((file) => file.endsWith('.keys')).sort()) {
    for (const text of (await readFile(join(folder, name), 'utf8')).split('\n')) {
      const line = parseLine(text)
      if (line === undefined) continue
      const { id, fingerprint, at } = line
      const known = entries.get(id)
      if (fingerprint !== undefined && at !== undefined) {
        if (at >= oldestMs) entries.set(id, { fingerprint, begunAtMs: at })
      } else if (known !== undefined) known.answer = JSON.stringify(line.answer)
    }
  }
  return entries
}

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
function createJournal(folder: string, clock: Clock, keepMs: number) {
  let file: { readonly handle: FileHandle; readonly startedMs: number } | undefined
  let waiting: {
    readonly text: string
    readonly done: () => void
    readonly fail: (error: unknown) => void
  }[] = []
  let work: Promise<void> | undefined

  const current = async () => {
    const nowMs = clock.now()
    if (file !== undefined && nowMs - file.startedMs < FILE_MS) return file.handle
    await file?.handle.close()
    file = undefined
    const handle = await open(join(folder, `${String(nowMs).padStart(15, '0')}.keys`), 'a', 0o600)
    file = { handle, startedMs: nowMs }
    await removeOld(folder, nowMs - keepMs - 2 * FILE_MS)
    await syncFolder(folder)
    return handle
  }

  const drain = async () => {
    while (waiting.length > 0) {
      const group = waiting
      waiting = []
      try {
        const handle = await current()
        // A line end first: what is before may be torn.
        await handle.appendFile(`\n${group.map(({ text }) => text).join('\n')}\n`)
        await handle.datasync()
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

async function removeOld(folder: string, startedBeforeMs: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const startedMs = Number(/^(\d{15})\.keys$/.exec(name)?.[1] ?? Number.POSITIVE_INFINITY)
    if (startedMs < startedBeforeMs) await rm(join(folder, name), { force: true })
  }
}
