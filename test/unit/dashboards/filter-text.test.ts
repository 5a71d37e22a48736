import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileFilter } from '../../../core/filter/compile.ts'
import { quoteValue, splitTerms, withTerm } from '../../../dashboards/web/src/filter-text.ts'
import { smallEvent } from '../../helpers/events.ts'

describe('terms of a filter', () => {
  it('quotes what the language would read as something else', () => {
    expect(quoteValue('carol@example.com')).toBe('carol@example.com')
    expect(quoteValue('a b')).toBe('"a b"')
    expect(quoteValue('say "hi" \\')).toBe('"say \\"hi\\" \\\\"')
    expect(quoteValue('or')).toBe('"or"')
    expect(quoteValue('github/*')).toBe('"github/*"')
  })

  it('adds, replaces by the opposite, and does not repeat', () => {
    expect(withTerm('', 'outcome', 'denied')).toBe('outcome:denied')
    expect(withTerm('outcome:denied', 'outcome', 'denied')).toBe('outcome:denied')
    expect(withTerm('outcome:denied tool:x', 'outcome', 'denied', true)).toBe('tool:x -outcome:denied')
  })

  it('splits at blanks outside quotes and parentheses', () => {
    expect(splitTerms('actor:"a b" (tool:x OR tool:y)  -q:"\\" z"')).toEqual([
      'actor:"a b"',
      '(tool:x OR tool:y)',
      '-q:"\\" z"',
    ])
  })
})

it('writes terms that the filter language reads as exactly that value', () => {
  const value = fc
    .string({ minLength: 1, maxLength: 40, unit: 'grapheme' })
    .filter((text) => text.trim() === text)
  fc.assert(
    fc.property(value, value, (actor, other) => {
      fc.pre(actor.toLowerCase() !== other.toLowerCase())
      const only = compileFilter(withTerm('', 'actor', actor)).predicate
      const without = compileFilter(withTerm('', 'actor', actor, true)).predicate
      expect(only(smallEvent({ actor }))).toBe(true)
      expect(only(smallEvent({ actor: other }))).toBe(false)
      expect(without(smallEvent({ actor }))).toBe(false)
      expect(without(smallEvent({ actor: other }))).toBe(true)
    }),
  )
})
