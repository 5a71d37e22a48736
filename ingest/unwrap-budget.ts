import { gunzipSync } from 'node:zlib'

export interface UnwrapBudget {
  /** Whether another wrapper may be opened at all. */
  readonly open: () => boolean
  /** Whether a list of so many entries may be taken out of a wrapper; one that may not ends the budget. */
  readonly takeEntries: (count: number) => boolean
  /** Whether a text of so many characters may be read; one that may not ends the budget. */
  readonly takeCharacters: (count: number) => boolean
  /**
   * The text in base64, packed by gzip or not; the base64 itself where it is neither. `undefined` when it is more than
   * may still be read, or than 40 times what came: it is not unpacked then.
   */
  readonly unpack: (base64: string) => string | undefined
}

// Each level of wrapping may hold the text of the level before, so a record that unpacks nothing stays below.
const TIMES_A_RECORD = 4

// Packed text that becomes longer is made to do so.
const unpackedLimit = (packed: number): number => 4096 + 40 * packed

/**
 * What may be taken out of the wrappers of one record, over all levels. A bound for each level alone multiplies: packed lists
 * of packed lists make millions of entries of some kilobytes.
 * @param limits.maxEntries most entries beyond the first of each list
 * @param limits.maxRecordBytes largest record; texts may have four times as many characters in all
 */
export function createUnwrapBudget(limits: {
  readonly maxEntries: number
  readonly maxRecordBytes: number
}): UnwrapBudget {
  let entries = limits.maxEntries
  let characters = TIMES_A_RECORD * limits.maxRecordBytes
  return {
    open: () => entries > 0 && characters > 0,
    takeEntries: (count) => {
      entries -= Math.max(0, count - 1)
      return entries > 0
    },
    takeCharacters: (count) => {
      characters -= count
      return characters > 0
    },
    unpack: (base64) => {
      const bytes = Buffer.from(base64, 'base64')
      if (bytes[0] !== 0x1f) return bytes.toString('utf8')
      const most = Math.min(characters, unpackedLimit(bytes.length))
      if (most <= 0) return undefined
      try {
        return gunzipSync(bytes, { maxOutputLength: most }).toString('utf8')
      } catch (error) {
        return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? undefined : base64
      }
    },
  }
}
