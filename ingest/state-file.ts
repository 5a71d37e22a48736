import { createReadStream } from 'node:fs'
import { readFile, rename, stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'

/** A file of the data folder that could not be read: named, kept beside where it was, and started without. */
export interface SetAside {
  readonly path: string
  /** What it is called now. */
  readonly kept: string
  readonly reason: string
}

/** Told of each file that was set aside. */
export type NoteSetAside = (file: SetAside) => void

/** What a file that was set aside is called: its own name and this. */
export const SET_ASIDE = '.damaged'

// What gatewatch writes into one is far below.
const MAX_STATE_BYTES = 64 * 1024 ** 2

/**
 * What `read` makes of a small file that is there wholly or not at all; `undefined` without it. One that is too large or
 * that `read` throws at is set aside, so that a start goes on without it.
 * @throws what the disk says of a file that cannot be opened or renamed
 */
export async function readStateFile<Content>(
  path: string,
  read: (text: string) => Content,
  note: NoteSetAside,
  maxBytes = MAX_STATE_BYTES,
): Promise<Content | undefined> {
  const size = await sizeOf(path)
  if (size === undefined) return undefined
  try {
    if (size > maxBytes) throw new RangeError(`it has ${size} bytes; at most ${maxBytes} are read`)
    return read(await readFile(path, 'utf8'))
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && String(cause.code).startsWith('E')) {
      if (!String(cause.code).startsWith('ERR_')) throw cause
    }
    await setAside(path, cause instanceof Error ? cause.message : String(cause), note)
    return undefined
  }
}

/**
 * The lines of a journal, one after the other; a journal that is too large is set aside. A file of any size takes no more
 * memory than its longest line, and lines longer than `maxLine` are left out.
 */
export async function* readJournalLines(
  path: string,
  { maxBytes, maxLine, note }: { maxBytes: number; maxLine: number; note: NoteSetAside },
): AsyncGenerator<string> {
  const size = await sizeOf(path)
  if (size === undefined) return
  if (size > maxBytes) {
    await setAside(path, `it has ${size} bytes; at most ${maxBytes} are read`, note)
    return
  }
  const lines = createInterface({
    input: createReadStream(path, 'utf8'),
    crlfDelay: Number.POSITIVE_INFINITY,
  })
  for await (const line of lines) if (line.length <= maxLine) yield line
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function setAside(path: string, reason: string, note: NoteSetAside): Promise<void> {
  const kept = `${path}${SET_ASIDE}`
  await rename(path, kept)
  note({ path, kept, reason })
}
