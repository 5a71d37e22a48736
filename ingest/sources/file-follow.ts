import { type FSWatcher, watch } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../core/clock.ts'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import type { RawRecord } from '../record.ts'
import { readRecords } from './file.ts'
import {
  checksumOf,
  contentOf,
  type FileFacts,
  headOf,
  headOfHandle,
  isCompressed,
  plainName,
} from './file-identity.ts'
import { readStretch, type Stretch } from './file-lines.ts'
import { createFileLinks } from './file-links.ts'
import type { FilePosition, FilePositions } from './file-positions.ts'
import { folderOf, isUnder, kinOf, pathsOf, rotatedOf } from './file-rotation.ts'
import { createWholeSchedule, identityOf, isWhole, type WholeReading } from './file-whole.ts'

/** What to follow: a file, a folder (its files, not those of folders in it), or a pattern such as `/var/log/*.log*`. */
export interface FollowedPath {
  readonly path: string
  readonly format?: string
  readonly tenant: string
  /** Folders beside its own that links may lead into. */
  readonly linksTo?: readonly string[]
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
  /**
   * Packed files and JSON documents are read when they have not changed for so long, in milliseconds; what is cut off at
   * their ends, and files that always change, after `lingerMs`.
   */
  readonly settleMs?: number
  /** The topic of a file that was read before by other means, so that its records stay the same ones. */
  readonly topicOf?: (path: string) => Promise<string | undefined>
  /** Called once for each fault that has something new to say. */
  readonly onTrouble?: (message: string) => void
  /** Folders of gatewatch itself, of which nothing is read. */
  readonly own?: readonly string[]
}

export interface FollowStatus {
  readonly files: number
  /** Bytes that are there and not yet stored, as of the last look. */
  readonly waitingBytes: number
  readonly lastError: string | undefined
  /** Files that are left out since they are not those of the followed folder, each with the reason. */
  readonly leftOut: readonly string[]
}

/**
 * Follows files as `tail -F` does, with a memory: rotation by rename or by copy and truncation, truncation, and `.gz`
 * (or `.zst`), which is read when it is finished — not at all when it is a file that was read before it was compressed.
 * Where reading was is kept by identity (device, inode, first line, checksum of what was read), so that a restart goes on
 * where it was. What cannot be stored or opened is tried again at the next look, whatever the reason.
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
  /** Set for one that is read from its beginning: how, and which version of it. */
  whole: { readonly how: WholeReading; readonly facts: FileFacts } | undefined
}

interface Begun {
  readonly file: OpenFile
  readonly stretch: Stretch
  readonly atMs: number
}

const STRETCH = { maxBytes: 4 * 1024 * 1024, maxLines: 5000, maxLineBytes: 8 * 1024 * 1024 }
const FORGET_MS = 30 * 86_400_000
const MOST_LEFT_OUT = 100
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
  const wholes = createWholeSchedule({ clock, settleMs, lingerMs })
  // Files with a record a line, whatever their names say.
  const byLine = new Set<string>()
  const links = createFileLinks(options.own ?? [])
  // Why files are left out, by their paths.
  const leftOut = new Map<string, string>()
  const watchers: FSWatcher[] = []
  let waitingBytes = 0
  let lastError: string | undefined
  let wake = () => {}
  let loop: Promise<void> = Promise.resolve()

  const trouble = (message: string | undefined) => {
    if (message !== undefined && message !== lastError) onTrouble(message)
    lastError = message
  }

  const lookAt = async (path: string, followed: FollowedPath): Promise<FileFacts | undefined> => {
    const { facts, refusal } = await links.look(path, followed)
    if (refusal === undefined) leftOut.delete(path)
    else if (leftOut.get(path) !== refusal && leftOut.size < MOST_LEFT_OUT) {
      leftOut.set(path, refusal)
      onTrouble(`${path} is left out: ${refusal}`)
    }
    return facts
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

  // Numbers of inodes are given out again, and documents written anew in place: what was read must still be there.
  const isSame = async (
    position: FilePosition,
    { path }: FileFacts,
    how: WholeReading | undefined,
  ): Promise<boolean> => {
    if (opened.has(position) || isCompressed(path)) return true
    if (hasNoChecksum(position)) await adopt(position, path, how)
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

  const attach = (
    position: FilePosition,
    facts: FileFacts,
    followed: FollowedPath,
    how: WholeReading | undefined,
  ) => {
    Object.assign(position, { path: facts.path, dev: facts.dev, ino: facts.ino, seenMs: clock.now() })
    const whole = how === undefined ? undefined : { how, facts }
    const file = opened.get(position)
    if (file !== undefined) {
      file.goneSinceMs = undefined
      file.whole = whole
      return
    }
    if (position.done && isReadToItsEnd(position, facts, how)) {
      if (how !== undefined) wholes.wasRead(facts, false)
      return
    }
    position.done = false
    const fresh = { goneSinceMs: undefined, sizeSeen: -1, replaced: false }
    opened.set(position, { position, followed, handle: undefined, whole, ...fresh })
  }

  /** Decides which file the one at this path is. */
  const discover = async (facts: FileFacts, followed: FollowedPath): Promise<void> => {
    const identity = identityOf(facts)
    const looks = `${facts.path}/${facts.size}/${facts.modifiedMs}`
    if (decided.get(identity) === looks) return
    if (!byLine.has(identity)) {
      if (await isWhole(facts.path)) {
        const how = wholes.due(facts)
        if (how === undefined) waitingBytes += unreadBytes(facts)
        else await decide(facts, followed, how)
        return
      }
      byLine.add(identity)
    }
    if (await decide(facts, followed, undefined)) decided.set(identity, looks)
  }

  /** Of a whole file that waits until it rests. */
  const unreadBytes = ({ dev, ino, size }: FileFacts): number => {
    const position = positions.files.find((one) => one.dev === dev && one.ino === ino)
    return position?.done ? Math.max(0, size - (position.wholeBytes ?? size)) : size
  }

  const decide = async (
    facts: FileFacts,
    followed: FollowedPath,
    how: WholeReading | undefined,
  ): Promise<boolean> => {
    const head = await headOf(facts.path, how !== undefined).catch((error) => {
      // Nothing can be unpacked of it yet.
      if (how === 'so_far' && error.code === 'Z_BUF_ERROR') return undefined
      throw error
    })
    const same = known(facts, head)
    if (same !== undefined && (await isSame(same, facts, how))) {
      attach(same, facts, followed, how)
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
    if (kin === 'copy') {
      if (how !== undefined) wholes.wasRead(facts, false)
      return true
    }
    if (kin === undefined) attach(await begin(facts, head), facts, followed, how)
    else {
      await close(opened.get(kin))
      kin.done = false
      attach(kin, facts, followed, how)
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
        const facts = await lookAt(path, followed)
        if (facts === undefined) continue
        seen.add(identityOf(facts))
        await discover(facts, followed).catch((error) => trouble(`${path}: ${messageOf(error)}`))
        for (const { position } of opened.values())
          if (position.dev === facts.dev && position.ino === facts.ino) present.add(position)
      }
    }
    for (const identity of decided.keys()) if (!seen.has(identity)) decided.delete(identity)
    for (const identity of byLine) if (!seen.has(identity)) byLine.delete(identity)
    wholes.keep(seen)
    for (const file of opened.values()) {
      if (!present.has(file.position)) file.goneSinceMs ??= clock.now()
    }
  }

  /** After a restart: files that were renamed out of our sight meanwhile, and not read to their ends. */
  const findRotated = async (): Promise<void> => {
    for (const position of positions.files.filter(({ done }) => !done)) {
      const followed = options.paths.find(({ path }) => isUnder(position.path, path))
      if (opened.has(position) || followed === undefined) continue
      const found = await rotatedOf(position, (path) => lookAt(path, followed))
      if (found === undefined) position.done = true
      else {
        attach(position, found, followed, (await isWhole(found.path)) ? 'so_far' : undefined)
        const file = opened.get(position)
        if (file !== undefined) file.goneSinceMs = clock.now()
      }
    }
  }

  const read = async (file: OpenFile): Promise<Begun | undefined> => {
    const { position } = file
    file.handle ??= await open(position.path, 'r')
    const { size, dev, ino } = await file.handle.stat()
    // What was looked at may be another file by now, or a link to one.
    const isOther = dev !== position.dev || ino !== position.ino
    if (file.replaced || isOther || size < position.offset) return truncated(file)
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
    const copy = await rotatedOf(position, (path) => lookAt(path, file.followed), true)
    if (copy === undefined) {
      position.done = true
      return undefined
    }
    const how = (await isWhole(copy.path)) ? 'so_far' : undefined
    attach(position, copy, file.followed, how)
    const found = opened.get(position)
    // A packed copy is read at the next look.
    if (found === undefined || how !== undefined) return undefined
    found.goneSinceMs = clock.now() - lingerMs
    return read(found)
  }

  /** Packed files and JSON documents: read from the beginning, to what is finished of them. */
  const readWhole = async (file: OpenFile, { how, facts }: NonNullable<OpenFile['whole']>): Promise<void> => {
    const { position, followed } = file
    const { path } = position
    let isUnfinished = false
    const batches = readRecords({
      ...followed,
      path,
      stdin: process.stdin,
      reserve: () => 0,
      nowMs: clock.now(),
      ...(how === 'to_the_end' ? {} : { onUnfinished: () => (isUnfinished = true) }),
    })
    let isSending = false
    try {
      for await (const records of batches) {
        const rest = records.filter(({ offset }) => offset >= position.offset)
        const last = rest.at(-1)
        if (last === undefined) continue
        isSending = true
        await takeAll(rest.map((record) => ({ ...record, topic: position.topic })))
        isSending = false
        position.offset = last.offset + last.value.byteLength
        await positions.save()
      }
    } catch (error) {
      // A damaged file does not mend itself, and what is before the damage is stored: only another version is news. It is
      // no fault of the file when its records are refused, or when it cannot be opened.
      if (isSending || !(error instanceof GatewatchError) || error.code !== 'request_invalid') throw error
      markRead(position, facts, false)
      throw error
    } finally {
      await close(file)
    }
    if (!isCompressed(path)) position.crc = (await checksumOf(path, position.offset)) ?? 0
    markRead(position, facts, isUnfinished)
    await positions.save()
  }

  const markRead = (position: FilePosition, facts: FileFacts, isUnfinished: boolean) => {
    wholes.wasRead(facts, isUnfinished)
    position.done = !isUnfinished
    position.wholeBytes = facts.size
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
    waitingBytes = 0
    await scan()
    const begun: Begun[] = []
    for (const file of [...opened.values()]) {
      if (file.whole !== undefined) {
        await readWhole(file, file.whole).then(
          () => trouble(undefined),
          (error) => {
            if (!stop.signal.aborted) trouble(messageOf(error))
          },
        )
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
    status: () => ({
      files: opened.size,
      waitingBytes,
      lastError,
      leftOut: [...leftOut].map(([path, reason]) => `${path}: ${reason}`),
    }),
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

/** Whether a file that was done has nothing new. */
const isReadToItsEnd = (position: FilePosition, facts: FileFacts, how: WholeReading | undefined): boolean =>
  how === undefined
    ? facts.size <= position.offset
    : // Positions of earlier versions do not say how large the file was.
      facts.size === (position.wholeBytes ?? facts.size)

/** A position of an earlier version, when `.json` was always a document, or of a document whose reading was cut short. */
const hasNoChecksum = ({ offset, crc, wholeBytes }: FilePosition): boolean =>
  offset > 0 && crc === 0 && wholeBytes === undefined

/** Gives it one; and where the file is a log now, its offset, one byte behind the beginning of a record, moves to a line. */
async function adopt(position: FilePosition, path: string, how: WholeReading | undefined): Promise<void> {
  if (how === undefined) position.offset = await endOfLine(path, position.offset - 1)
  position.crc = (await checksumOf(path, position.offset)) ?? 0
}

/** The offset behind the line that begins at `begin`; `begin` itself where the line has no end yet. */
async function endOfLine(path: string, begin: number): Promise<number> {
  let at = begin
  for await (const chunk of contentOf(path, begin) as AsyncIterable<Uint8Array>) {
    const newline = chunk.indexOf(10)
    if (newline !== -1) return at + newline + 1
    at += chunk.byteLength
  }
  return begin
}
