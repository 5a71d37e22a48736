import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cutText, inertJson, inertText } from '../../../core/text.ts'

describe('inertText', () => {
  it.each([
    ['a right-to-left override', 'pay\u202egnp.exe', 'pay\\u{202e}gnp.exe'],
    ['a zero-width space', 'read\u200b_file', 'read\\u{200b}_file'],
    ['a new line and an escape sequence', 'a\n\u001b[31mb', 'a\\u{a}\\u{1b}[31mb'],
    ['tag characters', 'x\u{e0041}\u{e007f}', 'x\\u{e0041}\\u{e007f}'],
    ['half a surrogate pair', 'x\ud83dy', 'x\\u{d83d}y'],
    ['a Hangul filler', 'x\u3164y', 'x\\u{3164}y'],
  ])('shows %s', (_what, hostile, shown) => {
    expect(inertText(hostile)).toBe(shown)
  })

  it('leaves letters of every script and pictures alone', () => {
    const text = 'naïve Ωμέγα 日本語 עברית العربية 🚀 {"a": 1}'
    expect(inertText(text)).toBe(text)
  })

  it('never exceeds its length, cuts an escape in half, or lets an unseen character through', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 60 }),
        fc.integer({ min: 1, max: 40 }),
        (text, max) => {
          const shown = inertText(text, max)
          expect(shown.length).toBeLessThanOrEqual(max)
          expect(shown.isWellFormed()).toBe(true)
          expect(shown).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u)
          expect(shown.replace(/…$/, '')).not.toMatch(/\\u\{[0-9a-f]*$/)
        },
      ),
    )
  })
})

describe('cutText', () => {
  it('keeps what fits and marks what does not', () => {
    expect(cutText('abcde', 5)).toBe('abcde')
    expect(cutText('abcdef', 5)).toBe('abcd…')
    expect(cutText('🚀🚀🚀', 5)).toBe('🚀🚀…')
  })
})

it('writes JSON in which nothing acts on a terminal, and which means the same', () => {
  const value = { tool: 'a\u009b2J\u202eb\u200b\u{e0041}', n: [1, 'ä'] }
  const text = inertJson(value)
  expect(text).toBe('{"tool":"a\\u009b2J\\u202eb\\u200b\\udb40\\udc41","n":[1,"ä"]}')
  expect(JSON.parse(text)).toEqual(value)
})
