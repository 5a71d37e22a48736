/**
 * Text that others wrote (tool names, arguments, agents’ names) on its way to a person’s eyes. Nothing here decides
 * what the text means; it only makes sure that what is shown is what is there.
 */

// What a reader cannot see or what reorders what is seen: controls, line separators, halves of surrogate pairs, and
// all that Unicode calls ignorable (zero-width and direction marks, embeddings and isolates, fillers, variation
// selectors and tag characters, which carry hidden messages).
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}\u{fff9}-\u{fffb}]/gu

/**
 * Makes text inert and short: characters that a reader cannot see become visible as `\u{202e}`, and what is longer
 * than `maxLength` UTF-16 units ends in an ellipsis, never inside a character or an escape.
 */
export function inertText(value: string, maxLength = 200): string {
  return cutText(value, maxLength, (character) =>
    character.replace(UNSEEN, (unseen) => `\\u{${unseen.codePointAt(0)?.toString(16)}}`),
  )
}

/**
 * Shortens `value`, each character written as `write` says, to at most `maxLength` UTF-16 units, `…` included. A
 * character’s written form is kept whole or left out, so that an escape is never cut in half.
 */
export function cutText(
  value: string,
  maxLength: number,
  write: (character: string) => string = (character) => character,
): string {
  let text = ''
  // Where the text would end if it has to be cut.
  let roomForEllipsis = 0
  for (const character of value) {
    const written = write(character)
    if (text.length + written.length > maxLength) return `${text.slice(0, roomForEllipsis)}…`
    text += written
    if (text.length < maxLength) roomForEllipsis = text.length
  }
  return text
}
