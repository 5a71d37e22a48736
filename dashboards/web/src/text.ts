/**
 * Text that an attacker may have chosen, made harmless to the eye. The document never parses it (it only ever
 * becomes text nodes); what is left is characters that reorder, hide or fake what is read.
 */

/** Controls, bidi marks and overrides, zero-width and other ignorable characters, line separators, lone surrogates. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu

/** Names of those that people know; glyphs of their own are missing from many fonts. */
const NAMED: Readonly<Record<string, string>> = {
  '\n': '⟨LF⟩',
  '\r': '⟨CR⟩',
  '\t': '⟨TAB⟩',
  '\u001b': '⟨ESC⟩',
  '\u0000': '⟨NUL⟩',
}

const visible = (character: string): string =>
  NAMED[character] ?? `⟨U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`

/** Every character that cannot be seen, or that changes how its neighbours are read, as a visible sign. */
export const inert = (text: string): string => text.replace(INVISIBLE, visible)

/** Like `inert`, but line breaks and tabs stay: for blocks of preformatted text. */
export const inertBlock = (text: string): string =>
  text.replace(INVISIBLE, (character) =>
    character === '\n' || character === '\t' ? character : visible(character),
  )

/** At most `limit` code points, the cut marked with an ellipsis. */
export function cut(text: string, limit: number): string {
  if (text.length <= limit) return text
  const points = Array.from(text.slice(0, limit * 2))
  return points.length <= limit && text.length <= limit * 2 ? text : `${points.slice(0, limit - 1).join('')}…`
}

/** `value.failed_login` → `Value failed login`: the label of a key that has no label of its own. */
export function humanise(key: string): string {
  const words = key
    .replaceAll(/[._-]+/g, ' ')
    .replaceAll(/([a-z])([A-Z])/g, (_, before: string, after: string) => `${before} ${after.toLowerCase()}`)
    .trim()
  return words.charAt(0).toUpperCase() + words.slice(1)
}
