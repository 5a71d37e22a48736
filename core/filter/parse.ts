import type { FilterNode } from './ast.ts'
import { resolveField } from './fields.ts'
import { SyntaxError as PeggyError, parse } from './generated/grammar.js'
import { FilterSyntaxError } from './syntax-error.ts'

/** Longest filter, in bytes of UTF-8. */
export const MAX_FILTER_BYTES = 4096
/** Deepest nesting of parentheses. */
export const MAX_FILTER_DEPTH = 64

/**
 * Text → AST. The empty text matches everything. Field names and values are checked by `compileFilter`.
 * @throws FilterSyntaxError (code `filter_syntax`)
 */
export function parseFilter(text: string): FilterNode {
  const wellFormed = text.toWellFormed()
  if (Buffer.byteLength(wellFormed) > MAX_FILTER_BYTES) {
    throw new FilterSyntaxError(`The filter is longer than ${MAX_FILTER_BYTES} bytes.`, 1)
  }
  checkDepth(wellFormed)
  try {
    return parse(wellFormed, {
      isField: (name: string) => resolveField(name) !== undefined,
      columnAt: columnCounter(wellFormed),
    }) as FilterNode
  } catch (thrown) {
    if (thrown instanceof PeggyError) throw describe(thrown, wellFormed)
    throw thrown
  }
}

// Before parsing: the parser recurses into parentheses, and the stack is no place to find out.
function checkDepth(text: string): void {
  let depth = 0
  let quoted = false
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index]
    if (char === '\\') index += 1
    else if (char === '"') quoted = !quoted
    else if (!quoted && char === '(') {
      depth += 1
      if (depth > MAX_FILTER_DEPTH) {
        throw new FilterSyntaxError(
          `The filter nests more than ${MAX_FILTER_DEPTH} parentheses.`,
          columnCounter(text)(index),
        )
      }
    } else if (!quoted && char === ')') depth -= 1
  }
}

/** People count characters, the parser counts UTF-16 units. */
function columnCounter(text: string): (offset: number) => number {
  const pairs: number[] = []
  for (let index = 0; index < text.length; index += 1) {
    if (text.codePointAt(index)! > 0xffff) pairs.push(index)
  }
  return (offset) => offset + 1 - pairs.filter((index) => index < offset).length
}

const QUIET = new Set([
  'a space',
  'AND',
  'OR',
  'NOT',
  'a comparison',
  'an opening parenthesis',
  'a range',
  'a colon',
])

function describe(error: PeggyError, text: string): FilterSyntaxError {
  const all = new Set(
    (error.expected ?? []).flatMap((entry) => (entry.type === 'other' ? [entry.description] : [])),
  )
  // Where a value can stand, so can many things; the value is what was forgotten.
  const telling = [...all].filter((word) => !QUIET.has(word))
  const expected = (telling.length > 0 ? telling : [...all]).sort()
  const found = error.found == null ? 'the end of the filter' : `“${error.found}”`
  return new FilterSyntaxError(
    `Expected ${listOf(expected)}, found ${found}.`,
    columnCounter(text)(error.location.start.offset),
    expected,
  )
}

const listOf = (words: readonly string[]): string =>
  words.length === 0
    ? 'something else'
    : words.length === 1
      ? String(words[0])
      : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
