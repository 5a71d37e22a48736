/** Writing the filter language of the search bar; reading it is the server's work. */

const PLAIN = /^[\p{L}\p{N}_][\p{L}\p{N}_.@-]*$/u
const WORDS = new Set(['AND', 'OR', 'NOT'])

/** A value as the filter language wants it: bare where that is safe, else quoted. */
export function quoteValue(value: string): string {
  if (PLAIN.test(value) && !WORDS.has(value.toUpperCase())) return value
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

/** The filter with one more term; asking for what is already there changes nothing, and the opposite replaces it. */
export function withTerm(filter: string, field: string, value: string, exclude = false): string {
  const term = `${field}:${quoteValue(value)}`
  const wanted = exclude ? `-${term}` : term
  const terms = splitTerms(filter).filter((existing) => existing !== term && existing !== `-${term}`)
  return [...terms, wanted].join(' ')
}

/** Terms at the top level: split at blanks that are in neither quotes nor parentheses. */
export function splitTerms(filter: string): string[] {
  const terms: string[] = []
  let current = ''
  let depth = 0
  let quoted = false
  for (let at = 0; at < filter.length; at += 1) {
    const character = filter.charAt(at)
    if (quoted && character === '\\') {
      current += character + filter.charAt(at + 1)
      at += 1
      continue
    }
    if (character === '"') quoted = !quoted
    if (!quoted && (character === '(' || character === '[')) depth += 1
    if (!quoted && (character === ')' || character === ']')) depth -= 1
    if (/\s/.test(character) && !quoted && depth <= 0) {
      if (current !== '') terms.push(current)
      current = ''
    } else current += character
  }
  if (current !== '') terms.push(current)
  return terms
}
