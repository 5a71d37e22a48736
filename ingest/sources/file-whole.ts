import { open } from 'node:fs/promises'
import type { Clock } from '../../core/clock.ts'
import { BEGINNING_BYTES, type FileFacts, isCompressed } from './file-identity.ts'

// Also rotated: audit.json.1, audit.json-20261121.
const MAY_BE_DOCUMENT = /\.json(?:$|[.-])/
const [NEWLINE, OPEN_BRACE] = [10, 123]

/**
 * Whether a file can only be read from its beginning, when nobody writes it: what is packed, and JSON that is a document.
 * A name does not tell the one from a log that has a record a line (`eve.json`): what begins with a line that is an
 * object is such a log.
 */
export async function isWhole(path: string): Promise<boolean> {
  if (isCompressed(path)) return true
  return MAY_BE_DOCUMENT.test(path) && !(await beginsWithObjectLine(path))
}

async function beginsWithObjectLine(path: string): Promise<boolean> {
  const handle = await open(path, 'r')
  try {
    const bytes = Buffer.alloc(BEGINNING_BYTES)
    const { bytesRead } = await handle.read(bytes, 0, bytes.byteLength, 0)
    const end = bytes.subarray(0, bytesRead).indexOf(NEWLINE)
    return end !== -1 && bytes[0] === OPEN_BRACE && isJson(bytes.toString('utf8', 0, end))
  } finally {
    await handle.close()
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/**
 * How a whole file is read. `so_far`: what is finished in it, because its writer may only pause, or still be at it.
 * `to_the_end`: what is cut off at its end as well, because nothing came for so long.
 */
export type WholeReading = 'so_far' | 'to_the_end'

/** Decides when files are read that have to be read from their beginnings. */
export interface WholeSchedule {
  /** How this version of a file is to be read now; `undefined`: not now. */
  due(file: FileFacts): WholeReading | undefined
  /** It was read; `isUnfinished` when something at its end was left. */
  wasRead(file: FileFacts, isUnfinished: boolean): void
  /** Forgets all but these, by device and inode. */
  keep(identities: ReadonlySet<string>): void
}

/** By which a file is known as long as it is there. */
export const identityOf = ({ dev, ino }: Pick<FileFacts, 'dev' | 'ino'>): string => `${dev}/${ino}`

/**
 * @param options.settleMs a file that did not change for so long is read so far
 * @param options.lingerMs one that did not is finished; one that always changes is read at this interval
 */
export function createWholeSchedule(options: {
  readonly clock: Clock
  readonly settleMs: number
  readonly lingerMs: number
}): WholeSchedule {
  const { clock, settleMs, lingerMs } = options
  const files = new Map<string, { read?: string; isUnfinished: boolean; waitsSinceMs: number }>()
  const versionOf = ({ size, modifiedMs }: FileFacts) => `${size}/${modifiedMs}`
  return {
    due: (file) => {
      const nowMs = clock.now()
      const known = files.get(identityOf(file)) ?? { isUnfinished: false, waitsSinceMs: nowMs }
      files.set(identityOf(file), known)
      const restMs = nowMs - file.modifiedMs
      if (known.read === versionOf(file)) {
        known.waitsSinceMs = nowMs
        return known.isUnfinished && restMs >= lingerMs ? 'to_the_end' : undefined
      }
      if (restMs >= lingerMs) return 'to_the_end'
      return restMs >= settleMs || nowMs - known.waitsSinceMs >= lingerMs ? 'so_far' : undefined
    },
    wasRead: (file, isUnfinished) => {
      files.set(identityOf(file), { read: versionOf(file), isUnfinished, waitsSinceMs: clock.now() })
    },
    keep: (identities) => {
      for (const identity of files.keys()) if (!identities.has(identity)) files.delete(identity)
    },
  }
}
