import { hash } from 'node:crypto'

/**
 * A stable identity from parts: the first 128 bits of SHA-256, as 32 hex digits. Parts are length-prefixed, so
 * that `['ab','c']` and `['a','bc']` differ.
 */
export function stableId(...parts: readonly (string | number)[]): string {
  let text = ''
  for (const part of parts) text += `${String(part).length}:${part}`
  return hash('sha256', text, 'hex').slice(0, 32)
}
