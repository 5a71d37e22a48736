/**
 * Text patterns: pieces of literal text with anything between them. `LIKE` in the store and `matchesPieces` here
 * mean the same; a regular expression would not be linear (`*a*a*a*b`).
 */

/** The `LIKE` pattern of a value's pieces, the whole text matched. */
export const likePattern = (pieces: readonly string[]): string =>
  pieces.map((piece) => piece.replace(/[\\%_]/g, '\\$&')).join('%')

/** Whether the whole text is the pieces in order with anything between them. Linear in the text for each piece. */
export function matchesPieces(text: string, pieces: readonly string[]): boolean {
  const first = pieces[0] ?? ''
  if (pieces.length <= 1) return text === first
  const last = pieces[pieces.length - 1] ?? ''
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last))
    return false
  const end = text.length - last.length
  let from = first.length
  for (let index = 1; index < pieces.length - 1; index += 1) {
    const piece = pieces[index] ?? ''
    const at = text.indexOf(piece, from)
    if (at < 0 || at + piece.length > end) return false
    from = at + piece.length
  }
  return true
}

/** The pieces that find a value anywhere in a text. */
export const anywhere = (pieces: readonly string[]): readonly string[] => ['', ...pieces, '']

/** Whether the value is nothing but stars: any text that is there. */
export const isAnything = (pieces: readonly string[]): boolean =>
  pieces.length > 1 && pieces.every((piece) => piece === '')
