import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { access, mkdir, open, readdir, readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import { syncFolder, writeWhole } from '../segment-file.ts'
import { type NoteSetAside, readJournalLines } from '../state-file.ts'
import {
  BEGINNING_BYTES,
  beginningOf,
  checksumOf,
  factsOf,
  headOf,
  isCompressed,
  plainName,
} from './file-identity.ts'
import type { FilePosition } from './file-positions.ts'
import { isWhole } from './file-whole.ts'

/** How far a reading could come: the size of the file then, and the time that its records have if they have none. */
export interface FileMark {
  /** In bytes, unpacked; `PACKED_END` for a packed file, whose size is not known before it is read. */
  readonly end: number
  readonly atMs: number
}

export interface FileIdentity {
  /** Topic of the file’s records. */
  readonly topic: string
  /** Of this reading and those before, in ascending order of `end`. */
  readonly marks: readonly FileMark[]
}

/** A file about to be read. */
export interface FileBeginning {
  readonly path: string
  /** At most the first `BEGINNING_BYTES`, unpacked. */
  readonly bytes: Uint8Array
  readonly end: number
  readonly modifiedMs: number
}

/**
 * Which files were read, so that a file read again is known and another one of the same name is not taken for it: a
 * file is the same when what was read of its beginning is still its beginning.
 */
export interface FileRegistry {
  /**
   * The identity of a file; on disk when this resolves, so that a reading that is killed is known by the next one.
   * @throws GatewatchError `internal` when it cannot be written down
   */
  identify(file: FileBeginning): Promise<FileIdentity>
  /** The topic of a file that was read before. */
  topicOf(path: string): Promise<string | undefined>
}

export const PACKED_END = Number.MAX_SAFE_INTEGER

const FILE_NAME = 'read-files.jsonl'
// Beyond, the newest half is kept: a file that is forgotten and read again is stored again.
const MAX_LINES = 20_000

interface Line extends FileMark {
  readonly name: string
  readonly topic: string
  /** Bytes of the beginning that `sha256` is of. */
  readonly length: number
  readonly sha256: string
}

interface Known {
  readonly topic: string
  length: number
  sha256: string
  readonly marks: FileMark[]
}

/**
 * Opens the registry in `folder`, where the positions of followed files are too.
 * @throws the error of the file system when the folder cannot be made or written
 */
export async function openFileRegistry(
  folder: string,
  maxLines = MAX_LINES,
  noteSetAside: NoteSetAside = () => {},
): Promise<FileRegistry> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await access(folder, constants.W_OK)
  const byName = new Map<string, Known[]>()
  const lines = await readLines(join(folder, FILE_NAME), noteSetAside)
  const kept = lines.length > maxLines ? lines.slice(-Math.ceil(maxLines / 2)) : lines
  if (kept.length < lines.length) {
    await writeWhole(folder, FILE_NAME, kept.map((line) => `${JSON.stringify(line)}\n`).join(''))
  }
  for (const line of kept) add(byName, line)

  const note = async (line: Line): Promise<void> => {
    try {
      const handle = await open(join(folder, FILE_NAME), 'a', 0o600)
      try {
        // A line end first: what is before may be torn.
        await handle.appendFile(`\n${JSON.stringify(line)}\n`)
        await handle.datasync()
      } finally {
        await handle.close()
      }
      await syncFolder(folder)
    } catch (cause) {
      throw new GatewatchError('internal', `What is read cannot be noted: ${messageOf(cause)}.`, {
        cause,
        at: join(folder, FILE_NAME),
        remedy: 'Make room there, or give this user the right to write it.',
      })
    }
    add(byName, line)
  }

  return {
    identify: async ({ path, bytes, end, modifiedMs }) => {
      const name = plainName(path)
      const length = lengthWithoutEnd(bytes)
      const sha256 = sha256Of(bytes.subarray(0, length))
      const all = byName.get(name) ?? []
      const known = longestMatch(all, bytes)
      const topic =
        known?.topic ??
        (await followedAs(folder, path)) ??
        freeTopic(`file:${name}:${sha256.slice(0, 16)}`, new Set(all.map((other) => other.topic)))
      const marks = known?.marks ?? []
      const isNews = known === undefined || length > known.length || end > (marks.at(-1)?.end ?? -1)
      // A file of brackets and spaces would be the beginning of any other.
      if (length === 0) return { topic, marks: [{ end, atMs: modifiedMs }] }
      if (!isNews) return { topic, marks: [...marks] }
      await note({ name, topic, length, sha256, end, atMs: modifiedMs })
      return {
        topic,
        marks:
          byName
            .get(name)
            ?.find((other) => other.topic === topic)
            ?.marks.slice() ?? [],
      }
    },
    topicOf: async (path) => {
      const all = byName.get(plainName(path))
      return all && longestMatch(all, await beginningOf(path, BEGINNING_BYTES))?.topic
    },
  }
}

function add(byName: Map<string, Known[]>, { name, topic, length, sha256, end, atMs }: Line): void {
  const all = byName.get(name) ?? []
  byName.set(name, all)
  let known = all.find((other) => other.topic === topic)
  if (known === undefined) {
    known = { topic, length, sha256, marks: [] }
    all.push(known)
  }
  // A file that grew is known by its longer beginning only: two days’ logs may begin with the same lines.
  if (length > known.length) Object.assign(known, { length, sha256 })
  if (end > (known.marks.at(-1)?.end ?? -1)) known.marks.push({ end, atMs })
}

/** The known file whose beginning this is; of several the one of which most is known. */
function longestMatch(all: readonly Known[], bytes: Uint8Array): Known | undefined {
  const sums = new Map<number, string>()
  const running = createHash('sha256')
  let at = 0
  let best: Known | undefined
  for (const known of all.toSorted((a, b) => a.length - b.length)) {
    if (known.length > bytes.byteLength) break
    if (!sums.has(known.length)) {
      running.update(bytes.subarray(at, known.length))
      at = known.length
      sums.set(known.length, running.copy().digest('hex'))
    }
    if (sums.get(known.length) === known.sha256) best = known
  }
  return best
}

const [SPACE, RETURN, OPEN_BRACKET, CLOSE_BRACKET] = [32, 13, 91, 93]

// The end of an array moves on when the array grows.
function lengthWithoutEnd(bytes: Uint8Array): number {
  for (let length = bytes.byteLength; length > 0; length--) {
    const byte = bytes[length - 1] ?? 0
    const isEnd = byte === SPACE || (byte >= 9 && byte <= RETURN)
    if (!isEnd && byte !== OPEN_BRACKET && byte !== CLOSE_BRACKET) return length
  }
  return 0
}

const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function freeTopic(wanted: string, taken: ReadonlySet<string>): string {
  let topic = wanted
  for (let number = 2; taken.has(topic); number++) topic = `${wanted}:${number}`
  return topic
}

/** The topic under which a follower has read this file, if one on this data folder has. */
async function followedAs(folder: string, path: string): Promise<string | undefined> {
  const facts = await factsOf(path)
  const head = await headOf(path).catch(() => undefined)
  if (facts === undefined || head === undefined) return undefined
  for (const name of (await readdir(folder)).filter((each) => each.endsWith('.json')).sort()) {
    for (const position of await positionsIn(join(folder, name))) {
      if (position.head !== head || position.offset === 0) continue
      if (await isWhole(position.path).catch(() => isCompressed(position.path))) {
        if (position.path === resolve(path) && position.ino === facts.ino) return position.topic
        continue
      }
      const sum = await checksumOf(path, position.offset).catch(() => undefined)
      if (basename(position.topic.split(':')[1] ?? '') === plainName(path) && sum === position.crc) {
        return position.topic
      }
    }
  }
  return undefined
}

async function positionsIn(path: string): Promise<readonly FilePosition[]> {
  try {
    return (JSON.parse(await readFile(path, 'utf8')) as { files: FilePosition[] }).files
  } catch {
    // Its follower says what is wrong with it.
    return []
  }
}

async function readLines(path: string, note: NoteSetAside): Promise<Line[]> {
  const lines: Line[] = []
  for await (const line of readJournalLines(path, { maxBytes: MAX_BYTES, maxLine: MAX_LINE, note })) {
    try {
      const parsed = JSON.parse(line) as Line
      if (typeof parsed.topic === 'string' && typeof parsed.length === 'number') lines.push(parsed)
    } catch {
      // Torn by a crash: nothing of that file was read yet.
    }
  }
  return lines
}

// Hundreds of thousands of files.
const MAX_BYTES = 256 * 1024 ** 2
const MAX_LINE = 64 * 1024
