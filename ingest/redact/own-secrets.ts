import type { Hide } from './named-values.ts'

export interface OwnSecrets {
  /** Words that call for `replace`, in the order of the secrets. */
  readonly keywords: readonly string[]
  /** Hides the secrets whose keywords were found. */
  replace(text: string, found: ReadonlySet<number>, hide: Hide): string
}

const SHORTEST = 8
const KEYWORD_LENGTH = 12

/**
 * Values that are known to be secrets, as they are: keys of gatewatch’s own, which no look gives away. In any case, since a
 * source may have put a name in lower case.
 * @param firstIndex the index of the first keyword in the set that is searched for
 */
export function createOwnSecrets(values: readonly string[], firstIndex: number): OwnSecrets {
  const secrets = [...new Set(values)].filter(
    (value) => value.length >= SHORTEST && /^[\x20-\x7e]+$/.test(value),
  )
  const expressions = secrets.map((value) => new RegExp(value.replace(/[^\w]/g, '\\$&'), 'gi'))
  return {
    keywords: secrets.map((value) => value.slice(0, KEYWORD_LENGTH)),
    replace: (text, found, hide) => {
      let clean = text
      for (const [index, expression] of expressions.entries())
        if (found.has(firstIndex + index)) clean = clean.replace(expression, (secret) => hide(secret))
      return clean
    },
  }
}
