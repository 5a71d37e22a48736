import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_FILTER_DEPTH, parseFilter } from '../../../../core/filter/parse.ts'
import { FilterSyntaxError } from '../../../../core/filter/syntax-error.ts'

const root = fileURLToPath(new URL('../../../../', import.meta.url))

function faultOf(text: string): FilterSyntaxError {
  try {
    parseFilter(text)
  } catch (error) {
    if (error instanceof FilterSyntaxError) return error
    throw error
  }
  throw new Error(`“${text}” was accepted`)
}

describe('parseFilter', () => {
  it('keeps the generated parser in step with the grammar', () => {
    const folder = mkdtempSync(join(tmpdir(), 'grammar-'))
    try {
      const output = join(folder, 'grammar.js')
      execFileSync(process.execPath, [
        join(root, 'node_modules/peggy/bin/peggy.js'),
        '--format',
        'es',
        '--dts',
        '-o',
        output,
        join(root, 'core/filter/grammar.peggy'),
      ])
      for (const file of ['grammar.js', 'grammar.d.ts']) {
        expect(readFileSync(join(root, 'core/filter/generated', file), 'utf8')).toBe(
          readFileSync(join(folder, file), 'utf8'),
        )
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('binds NOT closer than AND, and AND closer than OR', () => {
    const text = (word: string, at: number) => ({ kind: 'text', value: { pieces: [word], at } })
    expect(parseFilter('a OR NOT b c')).toEqual({
      kind: 'or',
      nodes: [text('a', 1), { kind: 'and', nodes: [{ kind: 'not', node: text('b', 10) }, text('c', 12)] }],
    })
  })

  it('takes operators in any case, and as words where they are part of one', () => {
    expect(parseFilter('a and b')).toEqual(parseFilter('a AND b'))
    expect(parseFilter('a or b')).toMatchObject({ kind: 'or' })
    expect(parseFilter('android')).toEqual({ kind: 'text', value: { pieces: ['android'], at: 1 } })
    expect(parseFilter('"and"')).toMatchObject({ kind: 'text', value: { pieces: ['and'] } })
  })

  it('keeps escapes and stars apart', () => {
    expect(parseFilter('tool:a\\*b*')).toMatchObject({ value: { pieces: ['a*b', ''] } })
    expect(parseFilter('tool:"a*\\"b\\\\ \\n"')).toMatchObject({ value: { pieces: ['a*"b\\ \\n'] } })
  })

  it.each([
    ['a:b OR', 7, ['a value']],
    ['AND a', 1, ['a value', 'the end of the filter']],
    ['tool:a OR OR b', 11, ['a value']],
    ['tool: x', 6, ['a value']],
    ['(a', 3, ['a closing parenthesis', 'a value']],
    ['a)', 2, ['a value', 'the end of the filter']],
    ['tool:"x', 8, ['a closing quote']],
    ['tool:()', 7, ['a value']],
    ['duration_ms:[1 TO ]', 19, ['a bound']],
    ['a\\', 3, ['an escaped character']],
    ['😀 )', 3, ['a value', 'the end of the filter']],
  ])('refuses %j at column %i', (text, column, expected) => {
    const fault = faultOf(text)
    expect({ code: fault.code, column: fault.column, expected: fault.expected }).toEqual({
      code: 'filter_syntax',
      column,
      expected,
    })
    expect(fault.place.at).toBe(`column ${column}`)
  })

  it('bounds length and depth', () => {
    const nested = (depth: number) => `${'('.repeat(depth)}a${')'.repeat(depth)}`
    expect(parseFilter(nested(MAX_FILTER_DEPTH))).toMatchObject({ kind: 'text' })
    expect(faultOf(nested(MAX_FILTER_DEPTH + 1)).column).toBe(MAX_FILTER_DEPTH + 1)
    expect(parseFilter(`"${'('.repeat(1000)}"`)).toMatchObject({ kind: 'text' })
    expect(faultOf('é'.repeat(2049)).message).toContain('4096 bytes')
    expect(parseFilter('é'.repeat(2048))).toMatchObject({ kind: 'text' })
    expect(parseFilter(`${'- '.repeat(3).replaceAll(' ', '')}a`)).toMatchObject({ kind: 'not' })
    expect(parseFilter(`${'-'.repeat(4000)}a`)).toMatchObject({ kind: 'text' })
  })

  it('throws nothing but FilterSyntaxError, whatever the text', () => {
    const odd = fc.string({
      unit: fc.constantFrom(...'ab:()[]{}"\\*-<>=! \tTOORANDé😀\ud800'),
      maxLength: 60,
    })
    fc.assert(
      fc.property(odd, (text) => {
        try {
          parseFilter(text)
        } catch (error) {
          expect(error).toBeInstanceOf(FilterSyntaxError)
          expect((error as FilterSyntaxError).column).toBeLessThanOrEqual(Array.from(text).length + 1)
        }
      }),
      { numRuns: 2000 },
    )
  })
})
