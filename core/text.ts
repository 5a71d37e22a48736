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

/**
 * Bytes as text for a person: line ends and tabs stay, what cannot be seen is written out as `\u{202e}`, and bytes that
 * are no UTF-8 as `\xff`. Nothing in it moves a cursor or reorders a line.
 */
export function inertBytes(bytes: Uint8Array): string {
  let text = ''
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  for (const [run, isText] of runsOf(bytes, decoder)) {
    if (isText) {
      text += decoder
        .decode(run)
        .replace(UNSEEN, (unseen) =>
          unseen === '\n' || unseen === '\t' ? unseen : `\\u{${unseen.codePointAt(0)?.toString(16)}}`,
        )
    } else {
      for (const byte of run) text += `\\x${byte.toString(16).padStart(2, '0')}`
    }
  }
  return text
}

type Decoder = InstanceType<typeof TextDecoder>

/** Cuts bytes into runs that are UTF-8 and single bytes that are not. */
function* runsOf(bytes: Uint8Array, decoder: Decoder): Generator<readonly [Uint8Array, boolean]> {
  let from = 0
  let at = 0
  while (at < bytes.length) {
    const length = characterLength(bytes, at, decoder)
    if (length > 0) {
      at += length
      continue
    }
    if (at > from) yield [bytes.subarray(from, at), true]
    yield [bytes.subarray(at, at + 1), false]
    at++
    from = at
  }
  if (at > from) yield [bytes.subarray(from, at), true]
}

/** Bytes of the UTF-8 character that begins at `at`; 0 when none does. */
function characterLength(bytes: Uint8Array, at: number, decoder: Decoder): number {
  const lead = bytes[at] ?? 0
  if (lead < 0x80) return 1
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2
  try {
    return at + length <= bytes.length && decoder.decode(bytes.subarray(at, at + length)) !== '' ? length : 0
  } catch {
    return 0
  }
}

/** JSON of a value in which whatever a reader cannot see is an escape: the same value, and nothing that acts on a terminal. */
export const inertJson = (value: unknown): string =>
  JSON.stringify(value).replace(UNSEEN, (unseen) =>
    Array.from(
      { length: unseen.length },
      (_, at) => `\\u${unseen.charCodeAt(at).toString(16).padStart(4, '0')}`,
    ).join(''),
  )
