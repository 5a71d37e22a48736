import { GatewatchError } from './errors.ts'

/**
 * Keyset cursors: the sort key of the last row given out, opaque to callers. Unlike an offset they stay right while
 * rows are inserted.
 */
export const encodeCursor = (key: readonly string[]): string =>
  Buffer.from(JSON.stringify(key), 'utf8').toString('base64url')

/**
 * @param parts patterns of the parts of the key, in order
 * @throws GatewatchError `request_invalid` for a cursor that is not one of ours
 */
export function decodeCursor(cursor: string, parts: readonly RegExp[]): string[] {
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    if (Array.isArray(key) && key.length === parts.length) {
      const fits = parts.every((pattern, index) => {
        const part: unknown = key[index]
        return typeof part === 'string' && pattern.test(part)
      })
      if (fits) return key as string[]
    }
  } catch {
    // Not ours either way.
  }
  throw new GatewatchError('request_invalid', 'The cursor is not one that this call gave out.', {
    field: 'cursor',
    remedy: 'Pass next_cursor of the page before as it is, or none for the first page.',
  })
}
