import { type FSWatcher, watch } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../core/clock.ts'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import type { RawRecord } from '../record.ts'
import { readRecords } from './file.ts'
import {
  checksumOf,
  type FileFacts,
  factsOf,
  headOf,
  headOfHandle,
  isCompressed,
  plainName,
} from './file-identity.ts'
import { readStretch, type Stretch } from './file-lines.ts'
import type { FilePosition, FilePositions } from './file-positions.ts'
import { folderOf, isUnder, isWhole, kinOf, pathsOf, rotatedOf } from './file-rotation.ts'

/** What to follow: a file, a folder (its files, not those of folders in it), or a pattern such as `/var/log/*.log*`. */
export interface FollowedPath {
  readonly path: string
  readonly format?: string
  readonly tenant: string
}

export interface FollowOptions {
  readonly paths: readonly FollowedPath[]
  readonly positions: FilePositions
  /** Takes records over; resolves when they are durable. Asked again with the same records when it throws `retryable`. */
  readonly take: (records: readonly RawRecord[]) => Promise<void>
  readonly clock: Clock
  /** How often files are looked at, in milliseconds; where the system tells of changes, it is sooner. */
  readonly pollMs?: number
  /** How long a file that was renamed or removed is read on, in milliseconds. */
  readonly lingerMs?: number
  /** Packed files and JSON documents are read when they have not changed for so long, in milliseconds. */
  readonly settleMs?: number
  /** The topic of a file that was read before by other means, so that its records stay the same ones. */
  readonly topicOf?: (path: string) => Promise<string | undefined>
  /** Called once for each fault that has something new to say. */
  readonly onTrouble?: (message: string) => void
}

export interface FollowStatus {
  readonly files: number
  /** Bytes that are there and not yet stored, as of the last look. */
  readonly waitingBytes: number
  readonly lastError: string | undefined
}

/**
 * Follows files as `tail -F` does, with a memory: rotation by rename or by copy and truncation, truncation, and `.gz`
 * (or `.zst`), which is read once — not at all when it is a file that was read before it was compressed. Where reading was is kept by
 * identity (device, inode, first line, checksum of what was read), so that a restart goes on where it was.
 *
 * Each line has the byte offset as its coordinate. The stretch about to be stored is written down first, with its
 * time; after a crash exactly this stretch is stored again, as the same events.
 */
export interface FileFollower {
  start(): Promise<void>
  /** One look at everything; says whether there is more to read at once. */
  look(): Promise<boolean>
  status(): FollowStatus
  /** Stores what was begun, then ends. */
  stop(): Promise<void>
}

/** A file that is being read, beside its position. */
interface OpenFile {
  readonly position: FilePosition
  readonly followed: FollowedPath
  handle: FileHandle | undefined
  /** When it vanished from its place, or stopped to grow there. */
  goneSinceMs: number | undefined
  sizeSeen: number
  /** Its place holds another content now. */
  replaced: boolean
}

interface Begun {
  readonly file: OpenFile
  readonly stretch: Stretch
  readonly atMs: number
}

const STRETCH = { maxBytes: 4 * 1024 * 1024, maxLines: 5000, maxLineBytes: 8 * 1024 * 1024 }
const FORGET_MS = 30 * 86_400_000
const RETRY_MS = 1000
const QUIET_MS = 100

export function createFileFollower(options: FollowOptions): FileFollower {
  const {
    positions,
    clock,
    take,
    pollMs = 1000,
    lingerMs = 60_000,
    settleMs = 2000,
    topicOf = async () => undefined,
    onTrouble = () => {},
  } = options
  const stop = new AbortController()
  const opened = new Map<FilePosition, OpenFile>()
  // What was decided about a file, by its identity, stands until it changes.
  const decided = new Map<string, string>()
  const watchers: FSWatcher[] = []
  let waitingBytes = 0
  let lastError: string | undefined
  let wake = () => {}
  let loop: Promise<void> = Promise.resolve()

  const trouble = (message: string | undefined) => {
    if (message !== undefined && message !== lastError) onTrouble(message)
    lastError = message
  }

  /** The position of this very file, if it goes on where we were. */
  const known = (facts: FileFacts, head: string | undefined) =>
    positions.files.find(
      (position) =>
        position.dev === facts.dev &&
        position.ino === facts.ino &&
        (head === undefined ? position.offset === 0 : position.head === head) &&
        (isCompressed(facts.path) || facts.size >= position.offset),
    )

  // Numbers of inodes are given out again: what was read must still be there.
  const isSame = async (position: FilePosition, { path }: FileFacts): Promise<boolean> => {
    if (opened.has(position) || isWhole(path)) return true
    if ((await checksumOf(path, position.offset)) === position.crc) return true
    Object.assign(position, { dev: 0, ino: 0, done: true })
    return false
  }

  const begin = async (facts: FileFacts, head: string): Promise<FilePosition> => {
    const wanted = (await topicOf(facts.path)) ?? `file:${plainName(facts.path)}:${head}`
    const topics = new Set(positions.files.map(({ topic }) => topic))
    let topic = wanted
    // Another file of the same name that begins with the same line.
    for (let number = 2; topics.has(topic); number++) topic = `${wanted}:${number}`
    const position = {
      ...{ path: facts.path, dev: facts.dev, ino: facts.ino, head, topic },
      ...{ offset: 0, crc: 0, done: false, seenMs: clock.now() },
    }
    positions.files.push(position)
    return position
  }

  const attach = (position: FilePosition, facts: FileFacts, followed: FollowedPath) => {
    Object.assign(position, { path: facts.path, dev: facts.dev, ino: facts.ino, seenMs: clock.now() })
    const file = opened.get(position)
    if (file !== undefined) {
      file.goneSinceMs = undefined
      return
    }
    if (position.done && facts.size <= position.offset) return
    position.done = false
    const fresh = { goneSinceMs: undefined, sizeSeen: -1, replaced: false }
    opened.set(position, { position, followed, handle: undefined, ...fresh })
  }

  /** Decides which file the one at this path is. */
  const discover = async (facts: FileFacts, followed: FollowedPath): Promise<void> => {
    const identity = identityOf(facts)
    const looks = `${facts.path}/${facts.size}/${facts.modifiedMs}`
    if (decided.get(identity) === looks) return
    if (isWhole(facts.path) && clock.now() - facts.modifiedMs < settleMs) return
    if (await decide(facts, followed)) decided.set(identity, looks)
  }

  const decide = async (facts: FileFacts, followed: FollowedPath): Promise<boolean> => {
    const head = await headOf(facts.path)
    const same = known(facts, head)
    if (same !== undefined && (await isSame(same, facts))) {
      if (!isCompressed(facts.path) || !same.done) attach(same, facts, followed)
      return true
    }
    if (head === undefined) return true
    for (const file of opened.values()) {
      if (file.position.dev === facts.dev && file.position.ino === facts.ino) file.replaced = true
    }
    const kin = await kinOf(facts, head, positions.files)
    // Looked at again the next time, since nothing is remembered of it.
    if (kin === 'unclear') return false
    // While the original is there it is the one to read; afterwards its copy has what we did not read.
    if (kin === 'copy') return true
    if (kin === undefined) attach(await begin(facts, head), facts, followed)
    else {
      await close(opened.get(kin))
      kin.done = false
      attach(kin, facts, followed)
    }
    return true
  }

  const close = async (file: OpenFile | undefined) => {
    if (file === undefined) return
    opened.delete(file.position)
    await file.handle?.close().catch(() => {})
  }

  const scan = async (): Promise<void> => {
    const present = new Set<FilePosition>()
    const seen = new Set<string>()
    for (const followed of options.paths) {
      for (const path of await pathsOf(followed.path)) {
        const facts = await factsOf(path)
        if (facts === undefined) continue
        seen.add(identityOf(facts))
        await discover(facts, followed).catch((error) => trouble(`${path}: ${messageOf(error)}`))
        for (const { position } of opened.values())
          if (position.dev === facts.dev && position.ino === facts.ino) present.add(position)
      }
    }
    for (const identity of decided.keys()) if (!seen.has(identity)) decided.delete(identity)
    for (const file of opened.values()) {
      if (!present.has(file.position)) file.goneSinceMs ??= clock.now()
    }
  }

  /** After a restart: files that were renamed out of our sight meanwhile, and not read to their ends. */
  const findRotated = async (): Promise<void> => {
    for (const position of positions.files.filter(({ done }) => !done)) {
      const followed = options.paths.find(({ path }) => isUnder(position.path, path))
      if (opened.has(position) || followed === undefined) continue
      const found = await rotatedOf(position)
      if (found === undefined) position.done = true
      else {
        attach(position, found, followed)
        const file = opened.get(position)
        if (file !== undefined) file.goneSinceMs = clock.now()
      }
    }
  }

  const read = async (file: OpenFile): Promise<Begun | undefined> => {
    const { position } = file
    file.handle ??= await open(position.path, 'r')
    const { size } = await file.handle.stat()
    if (file.replaced || size < position.offset) return truncated(file)
    if (size !== file.sizeSeen && file.goneSinceMs !== undefined) file.goneSinceMs = clock.now()
    file.sizeSeen = size
    const { handle } = file
    const over = file.goneSinceMs !== undefined && clock.now() - file.goneSinceMs >= lingerMs
    const stretch = await readStretch(
      async (buffer, offset) => (await handle.read(buffer, 0, buffer.byteLength, offset)).bytesRead,
      { ...STRETCH, from: position.offset, crc: position.crc, ...exactly(position), last: over },
    )
    if (stretch.to > position.offset) {
      // Asked only now: what was read is of this file if the file still begins as it did.
      if ((await headOfHandle(handle)) !== position.head) return truncated(file)
      return { file, stretch, atMs: position.intent?.atMs ?? clock.now() }
    }
    waitingBytes += size - position.offset
    if (over) {
      position.done = true
      await close(file)
    }
    return undefined
  }

  /** A file that cannot be opened any more, and is gone for longer than a rotation takes. */
  const lost = async (file: OpenFile): Promise<undefined> => {
    if (file.goneSinceMs === undefined || clock.now() - file.goneSinceMs < lingerMs) return
    file.position.done = true
    await close(file)
  }

  /** The file became shorter: what we had not read of it is in a copy, if anywhere. */
  const truncated = async (file: OpenFile): Promise<Begun | undefined> => {
    const { position } = file
    await close(file)
    const copy = await rotatedOf(position, true)
    if (copy === undefined) {
      position.done = true
      return undefined
    }
    attach(position, copy, file.followed)
    const found = opened.get(position)
    if (found === undefined) return undefined
    found.goneSinceMs = clock.now() - lingerMs
    return read(found)
  }

  /** Packed files and JSON documents: read from the beginning, once they stand still. */
  const readWhole = async (file: OpenFile): Promise<void> => {
    const { position, followed } = file
    const { path } = position
    const batches = readRecords({
      ...followed,
      path,
      stdin: process.stdin,
      reserve: () => 0,
      nowMs: clock.now(),
    })
    try {
      for await (const records of batches) {
        const rest = records.filter(({ offset }) => offset >= position.offset)
        const last = rest.at(-1)
        if (last === undefined) continue
        await takeAll(rest.map((record) => ({ ...record, topic: position.topic })))
        position.offset = last.offset + 1
        await positions.save()
      }
    } finally {
      // A damaged file too: what is before the damage is stored, and it does not mend itself.
      if (!stop.signal.aborted) position.done = true
      await close(file)
    }
  }

  const store = async ({ file: { position, followed }, stretch, atMs }: Begun): Promise<void> => {
    const records = stretch.lines.map(({ value, offset }) => ({
      value,
      headers: {},
      timestampMs: atMs,
      timestampSource: 'received' as const,
      tenant: followed.tenant,
      topic: position.topic,
      partition: 0,
      offset,
      ...(followed.format === undefined ? {} : { format: followed.format }),
    }))
    await takeAll(records)
    position.offset = stretch.to
    position.crc = stretch.crc
    delete position.intent
  }

  const takeAll = async (records: readonly RawRecord[]): Promise<void> => {
    while (records.length > 0) {
      try {
        await take(records)
        return
      } catch (error) {
        if (!(error instanceof GatewatchError) || !error.retryable) throw error
        trouble(messageOf(error))
        // A stop ends the waiting: what was begun is repeated by the next start.
        await sleep(RETRY_MS, undefined, { signal: stop.signal })
      }
    }
  }

  const look = async (): Promise<boolean> => {
    await scan()
    waitingBytes = 0
    const begun: Begun[] = []
    for (const file of [...opened.values()]) {
      if (isWhole(file.position.path)) {
        await readWhole(file).catch((error) => trouble(messageOf(error)))
        await positions.save()
        continue
      }
      const one = await read(file).catch((error) => {
        trouble(`${file.position.path}: ${messageOf(error)}`)
        return lost(file)
      })
      if (one !== undefined) begun.push(one)
    }
    forget()
    if (begun.length === 0) return false
    for (const { file, stretch, atMs } of begun) file.position.intent = { to: stretch.to, atMs }
    await positions.save()
    // Side by side, so that many files share a sync; within a file stretches stay in order.
    const stored = await Promise.allSettled(begun.map(store))
    for (const one of stored) if (one.status === 'rejected') throw one.reason
    trouble(undefined)
    await positions.save()
    return true
  }

  const forget = () => {
    const oldest = clock.now() - FORGET_MS
    const kept = positions.files.filter((position) => !position.done || position.seenMs >= oldest)
    if (kept.length < positions.files.length) positions.files.splice(0, positions.files.length, ...kept)
  }

  const run = async () => {
    await scan().then(findRotated)
    while (!stop.signal.aborted) {
      const more = await look().catch((error) => {
        if (!stop.signal.aborted) trouble(messageOf(error))
        return false
      })
      if (more) continue
      await pause(pollMs)
      // A busy writer wakes us all the time; a few looks a second are enough.
      await sleep(Math.min(pollMs, QUIET_MS), undefined, { signal: stop.signal }).catch(() => {})
    }
  }

  const pause = async (ms: number) => {
    const timer = new AbortController()
    const woken = new Promise<void>((resolve) => {
      wake = resolve
    })
    const signal = AbortSignal.any([timer.signal, stop.signal])
    await Promise.race([woken, sleep(ms, undefined, { signal }).catch(() => {})])
    timer.abort()
  }

  return {
    look,
    status: () => ({ files: opened.size, waitingBytes, lastError }),
    start: async () => {
      for (const folder of new Set(options.paths.map(({ path }) => folderOf(path)))) {
        try {
          // Only to be quicker: polling finds everything that this misses.
          watchers.push(watch(folder, () => wake()).on('error', () => {}))
        } catch {
          // Not there yet, or a file system that does not tell.
        }
      }
      loop = run()
    },
    stop: async () => {
      stop.abort()
      for (const watcher of watchers) watcher.close()
      await loop
      for (const file of [...opened.values()]) await close(file)
      await positions.save()
    },
  }
}

// A begun stretch is read exactly as it was; its end lies behind a whole line or at the end of a finished file.
const exactly = ({ intent }: FilePosition): { to?: number } => (intent === undefined ? {} : { to: intent.to })

const identityOf = ({ dev, ino }: FileFacts): string => `${dev}/${ino}`
