import { stableId } from '../core/hash.ts'

/** Longest name or id that is kept as it is. */
export const MAX_NAME = 1024

/**
 * A text of at most `limit` characters: a longer one as its beginning, its length and a digest of all of it. So it cannot
 * make its record vanish, and two that differ anywhere stay two.
 */
export function shorten(text: string, limit: number): string {
  if (text.length <= limit) return text
  const mark = `…[cut, ${text.length} characters, ${stableId(text)}]`
  return text.slice(0, Math.max(0, limit - mark.length)).toWellFormed() + mark
}

// A token of redaction makes a name shorter; what none makes short enough is not read whole for it.
const MAX_RAW_NAME = 16_384

/** A name before redaction: bounded, so that it costs no more than it can say. */
export const boundName = (name: string): string => shorten(name, MAX_RAW_NAME)

export const shortenName = (name: string): string => shorten(name, MAX_NAME)
