import { createHash } from 'node:crypto'

/**
 * A stable identity from parts: the first 128 bits of SHA-256, as 32 hex digits. Parts are length-prefixed, so
 * that `['ab','c']` and `['a','bc']` differ.
 */
export function stableId(...parts: readonly (string | number)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) {
    const text = String(part)
    hash.update(`${text.length}:${text}`)
  }
  return hash.digest('hex').slice(0, 32)
}
