import { RE2JS } from 're2js'
import { messageOf } from '../../../core/errors.ts'
import type { Given } from './mapping-source.ts'

/** A regular expression of a mapping file (RE2: time grows with the length of the text only). */
export interface Pattern {
  test(text: string): boolean
  /** The group `value`, else the first group, else the whole match; `undefined` without a match or when it is empty. */
  take(text: string): string | undefined
  /** Named groups that matched something. */
  groups(text: string): Readonly<Record<string, string>> | undefined
  readonly names: readonly string[]
}

const MAX_PATTERN = 2000
/** Of a longer text only the beginning is looked at. */
const MAX_TEXT = 64 * 1024

export function patternIn(given: Given): Pattern | undefined {
  const { value } = given
  if (typeof value !== 'string' || value === '' || value.length > MAX_PATTERN)
    return given.refuse('must be a regular expression.', "Write for example: '^([^/]+)/'")
  let expression: RE2JS
  try {
    expression = RE2JS.compile(value)
  } catch (cause) {
    return given.refuse(
      `is not a regular expression: ${messageOf(cause).replace(/^error parsing regexp: /, '')}.`,
      'The syntax is that of RE2: no look-around, no back references; named groups are (?P<name>…).',
    )
  }
  const byName = Object.entries(expression.namedGroups())
  const wanted = byName.find(([name]) => name === 'value')?.[1] ?? (expression.groupCount() > 0 ? 1 : 0)
  const match = (text: string) => {
    const matcher = expression.matcher(text.length > MAX_TEXT ? text.slice(0, MAX_TEXT) : text)
    return matcher.find() ? matcher : undefined
  }
  return {
    test: (text) => match(text) !== undefined,
    take: (text) => match(text)?.group(wanted) || undefined,
    groups: (text) => {
      const matcher = match(text)
      if (matcher === undefined) return undefined
      const groups: Record<string, string> = Object.create(null)
      for (const [name, index] of byName) {
        const group = matcher.group(index)
        if (group) groups[name] = group
      }
      return groups
    },
    names: byName.map(([name]) => name),
  }
}
