/** A closed list of meanings, and the words that sources use for them. */
export interface Words<Meaning extends string> {
  /** `undefined` for what is no text and for words that it does not know; case, spaces and dashes do not matter. */
  meaningOf(word: unknown): Meaning | undefined
  /** Every word, by what it means. */
  byMeaning(): Readonly<Record<string, readonly string[]>>
}

const LONGEST = 60

/** @param lists each a meaning and its words, separated by spaces, in lower case with `_` */
export function createWords<const Meaning extends string>(
  lists: readonly (readonly [Meaning, string])[],
): Words<Meaning> {
  const meanings: ReadonlyMap<string, Meaning> = new Map(
    lists.flatMap(([meaning, words]) => words.split(' ').map((word) => [word, meaning] as const)),
  )
  return {
    meaningOf: (word) => {
      if (typeof word !== 'string' || word.length > LONGEST) return undefined
      return meanings.get(word) ?? meanings.get(word.trim().toLowerCase().replaceAll(/[\s-]/g, '_'))
    },
    byMeaning: () =>
      Object.groupBy(meanings.keys(), (word) => meanings.get(word) ?? '') as Record<string, string[]>,
  }
}
