import { GatewatchError } from './errors.ts'

/**
 * Keyset cursors: the sort key of the last row given out, opaque to callers. Unlike an offset they stay right while
 * rows are inserted.
 */
export const encodeCursor = (key: readonly string[]): string =>
  Buffer.from(JSON.stringify(key), 'utf8').toString('base64url')

/** What a part of the key has to look like. */
export type CursorPart = (part: string) => boolean

/** A part that a pattern matches as a whole. */
export const partLike =
  (pattern: RegExp): CursorPart =>
  (part) =>
    pattern.test(part)

const TIME = /^((?:19|20|21|22)\d\d-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d{1,6})?Z?$/

/** A moment that exists, as rows have it: `2026-08-21T14:00:00.123456Z`, or with a blank and no `Z` as the store writes it. */
export const timePart: CursorPart = (part) => {
  const [, day, time] = TIME.exec(part) ?? []
  if (day === undefined) return false
  const parsed = new Date(`${day}T${time}Z`)
  // The 30th of February is the 2nd of March to the parser.
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(`${day}T${time}`)
}

/**
 * @param parts what the parts of the key look like, in order; whatever passes must be something that the store can read
 * @throws GatewatchError `request_invalid` for a cursor that is not one of ours
 */
export function decodeCursor(cursor: string, parts: readonly CursorPart[]): string[] {
  const key = keyOf(cursor)
  if (key?.length === parts.length && parts.every((fits, index) => fits(key[index] ?? ''))) return key
  throw new GatewatchError('request_invalid', 'The cursor is not one that this call gave out.', {
    field: 'cursor',
    remedy: 'Pass next_cursor of the page before as it is, or none for the first page.',
  })
}

function keyOf(cursor: string): string[] | undefined {
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    if (!Array.isArray(key) || !key.every((part) => typeof part === 'string')) return undefined
    // The decoder of base64 skips what it does not know, and JSON has many spellings.
    return encodeCursor(key) === cursor ? key : undefined
  } catch {
    return undefined
  }
}
