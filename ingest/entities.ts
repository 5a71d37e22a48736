/**
 * What is told apart within a text: mail addresses, hosts of URLs, IBANs, and long numbers such as those of accounts,
 * cards and telephones.
 *
 * None of them reaches beyond the characters of `WORD`. So the expression, which is slow, looks only at the words that
 * may hold one: with an `@`, after `://`, or with enough digits.
 * Each begins where nothing of its kind stands before it: else a long word would be a beginning at every character.
 */
export const ENTITY =
  /(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}|(?<=:\/\/)[\w.-]{4,253}|\b[a-z]{2}\d{2}[a-z0-9]{10,30}\b|(?<![\w-])\d[\d-]{4,30}\d(?![\w-])/g

const OTHER = 0
const WORD = 1
const DIGIT = 2
const AT = 3

const KIND_OF = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code)
  if (char === '@') return AT
  if (/\d/.test(char)) return DIGIT
  return /[\w.+-]/.test(char) ? WORD : OTHER
})

const SCHEME_END = '://'
const SHORTEST_HOST = 4
// Of IBANs and numbers, whichever has less: a number may have dashes between its first and its last digit.
const FEWEST_DIGITS = 2
const SHORTEST_NUMBER = 6

/**
 * Linear in the text.
 * @param text in lower case
 * @returns in order, as often as they stand there
 */
export function entitiesIn(text: string): string[] {
  const found: string[] = []
  for (let at = 0; at < text.length; ) {
    const start = at
    let digits = 0
    let hasAt = false
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at)
      // Beyond the table a look-up takes several times as long.
      const kind = code < KIND_OF.length ? KIND_OF[code] : OTHER
      if (kind === OTHER) break
      if (kind === DIGIT) digits++
      else if (kind === AT) hasAt = true
    }
    const length = at - start
    const mayBeNumber = digits >= FEWEST_DIGITS && length >= SHORTEST_NUMBER
    if (length >= SHORTEST_HOST && (hasAt || mayBeNumber || isAfterScheme(text, start))) {
      // With what the expression looks at around the word.
      for (const entity of text.slice(Math.max(0, start - SCHEME_END.length), at + 1).match(ENTITY) ?? [])
        found.push(entity)
    }
    at++
  }
  return found
}

const isAfterScheme = (text: string, at: number): boolean =>
  text.startsWith(SCHEME_END, at - SCHEME_END.length)
