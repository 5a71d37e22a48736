import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cut, humanise, inert, inertBlock } from '../../../dashboards/web/src/text.ts'

describe('text from outside', () => {
  it.each([
    ['a\u202egnp.exe', 'a⟨U+202E⟩gnp.exe'],
    ['\u001b[31mred', '⟨ESC⟩[31mred'],
    ['zero\u200bwidth', 'zero⟨U+200B⟩width'],
    ['two\nlines', 'two⟨LF⟩lines'],
    ['lone\ud800', 'lone⟨U+D800⟩'],
    ['tag\u{e0041}', 'tag⟨U+E0041⟩'],
    ['\ufeffbom', '⟨U+FEFF⟩bom'],
    ['soft\u00adhyphen', 'soft⟨U+00AD⟩hyphen'],
  ])('shows what cannot be seen: %j', (text, shown) => {
    expect(inert(text)).toBe(shown)
  })

  it('leaves ordinary text of any script alone', () => {
    const text = 'Ünïcode — 日本語 العربية עברית <b>&amp;</b> 🙂'
    expect(inert(text)).toBe(text)
  })

  it('lets no control or bidi character through', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 0x10ffff })), (points) => {
        expect(inert(String.fromCodePoint(...points))).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u)
      }),
    )
  })

  it('keeps the lines of a block', () => {
    expect(inertBlock('{\n\t"a": 1\u202e}')).toBe('{\n\t"a": 1⟨U+202E⟩}')
  })
})

describe('cut', () => {
  it('cuts long text and says so', () => {
    expect(cut('A'.repeat(10_000), 5)).toBe('AAAA…')
    expect(cut('short', 5)).toBe('short')
  })

  it('counts code points and never halves one', () => {
    expect(cut('🙂🙂🙂🙂', 3)).toBe('🙂🙂…')
    expect(cut('🙂🙂🙂', 3)).toBe('🙂🙂🙂')
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 20 }), (text, limit) => {
        expect(Array.from(cut(text, limit)).length).toBeLessThanOrEqual(limit)
        expect(cut(text, limit).isWellFormed()).toBe(true)
      }),
    )
  })
})

it('humanise makes a label of a key', () => {
  expect(humanise('mean_when_active')).toBe('Mean when active')
})
