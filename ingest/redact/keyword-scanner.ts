/**
 * Finds which of a set of ASCII keywords occur in a text, ignoring case, in one pass: the automaton of Aho and
 * Corasick ("Efficient string matching", 1975), with every transition filled in. Text without keywords — nearly
 * all of it — costs one table look-up per character and allocates nothing.
 */
export interface KeywordScanner {
  /**
   * Indexes of the keywords that occur; `undefined` when none does. Characters beyond ASCII are taken for the one of
   * their last seven bits, so in rare foreign text a keyword may be named that is not there; none is missed.
   */
  scan(text: string): ReadonlySet<number> | undefined
}

const OTHER = 0

export function createKeywordScanner(keywords: readonly string[]): KeywordScanner {
  const classOf = new Uint8Array(128)
  let classes = 1
  for (const keyword of keywords) {
    for (const char of keyword.toLowerCase()) {
      const code = char.charCodeAt(0)
      if (code > 127) throw new TypeError(`keyword ${keyword} is not ASCII`)
      if (classOf[code] !== OTHER) continue
      classOf[code] = classes++
    }
  }
  for (let code = 65; code <= 90; code++) classOf[code] = classOf[code + 32] ?? OTHER

  const { transitions, outputs } = buildAutomaton(keywords, classOf, classes)
  // Where the row of the next state begins, times two, plus one if a keyword ends there: one look-up a character.
  const rows = Uint32Array.from(
    transitions,
    (state) => state * classes * 2 + (outputs[state] === undefined ? 0 : 1),
  )
  return {
    scan(text) {
      let row = 0
      let found: Set<number> | undefined
      for (let at = 0; at < text.length; at++) {
        row = rows[(row >>> 1) + (classOf[text.charCodeAt(at) & 127] as number)] as number
        if ((row & 1) === 0) continue
        found ??= new Set()
        for (const keyword of outputs[(row >>> 1) / classes] ?? []) found.add(keyword)
      }
      return found
    },
  }
}

function buildAutomaton(keywords: readonly string[], classOf: Uint8Array, classes: number) {
  const next: (number | undefined)[][] = [[]]
  const outputs: (number[] | undefined)[] = [undefined]
  keywords.forEach((keyword, index) => {
    let state = 0
    for (const char of keyword.toLowerCase()) {
      const row = next[state] as (number | undefined)[]
      const symbol = classOf[char.charCodeAt(0)] as number
      row[symbol] ??= next.push([]) - 1
      state = row[symbol]
    }
    outputs[state] = [...(outputs[state] ?? []), index]
  })

  const transitions = new Uint16Array(next.length * classes)
  const fallback = new Uint16Array(next.length)
  const queue = [0]
  for (let state = queue.shift(); state !== undefined; state = queue.shift()) {
    const behind = fallback[state] as number
    if (state !== 0 && outputs[behind]) outputs[state] = [...(outputs[state] ?? []), ...outputs[behind]]
    for (let symbol = 0; symbol < classes; symbol++) {
      const child = next[state]?.[symbol]
      const detour = state === 0 ? 0 : (transitions[behind * classes + symbol] as number)
      transitions[state * classes + symbol] = child ?? detour
      if (child === undefined) continue
      fallback[child] = detour
      queue.push(child)
    }
  }
  return { transitions, outputs: Array.from(next, (_, state) => outputs[state]) }
}
