import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exactJsonText, parseExactly } from '../../../ingest/exact-json.ts'

describe('exact JSON', () => {
  it('is what JSON.parse gives where no number is long', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        fc.pre(!/\d{16}/.test(text))
        expect(exactJsonText(parseExactly(text))).toBe(JSON.stringify(JSON.parse(text)))
      }),
    )
  })

  it('keeps the digits of any whole number, wherever it stands', () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.string({ maxLength: 40 }), (number, before) => {
        const text = JSON.stringify({ before, list: [{ n: 0 }, 1] }).replace('"n":0', `"n":${number}`)
        const value = parseExactly(text) as { list: [{ n: unknown }] }
        expect(exactJsonText(value)).toBe(text)
        expect(exactJsonText(value.list)).toBe(`[{"n":${number}},1]`)
        expect(String(value.list[0].n)).toBe(String(number))
      }),
      { numRuns: 300 },
    )
  })

  it('leaves texts of digits and numbers that a double holds alone', () => {
    expect(parseExactly('["12345678901234567890", 9007199254740991, 1e300]')).toEqual([
      '12345678901234567890',
      9007199254740991,
      1e300,
    ])
    expect(parseExactly('12345678901234567890')).toBe('12345678901234567890')
    expect(exactJsonText(parseExactly('[0.12345678901234567890]'))).toBe('[0.12345678901234567890]')
  })

  it('says what is no JSON', () => {
    expect(() => parseExactly('{"n":12345678901234567890')).toThrow(SyntaxError)
  })
})
