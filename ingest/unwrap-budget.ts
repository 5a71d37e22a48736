export interface UnwrapBudget {
  /** Whether another wrapper may be opened at all. */
  readonly open: () => boolean
  /** Whether a list of so many entries may be taken out of a wrapper; one that may not ends the budget. */
  readonly takeEntries: (count: number) => boolean
  /** Whether a text of so many characters may be read; one that may not ends the budget. */
  readonly takeCharacters: (count: number) => boolean
}

// Each level of wrapping may hold the text of the level before, so a record that unpacks nothing stays below.
const TIMES_A_RECORD = 4

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
  }
}
