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

  it('knows a number from digits in a text, whatever is escaped before it', () => {
    for (const text of [
      '{"a":"x\\"12345678901234567","n":12345678901234567}',
      '{"a":"\\\\","n":12345678901234567}',
      '{"a":"12345678901234567\\\\\\"","b":["IBAN 12345678901234567"],"n":-12345678901234567}',
      '[12345678901234567,"12345678901234567 12345678901234567",0]',
    ])
      expect(exactJsonText(parseExactly(text))).toBe(text)
  })

  it('reads a text that it made as any other', () => {
    const same = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(-0, Number.POSITIVE_INFINITY, 1e20, 2 ** 53),
      fc.bigInt().map(String),
    )
    fc.assert(
      fc.property(fc.array(same), fc.dictionary(fc.string(), same), (list, object) => {
        for (const value of [list, object]) {
          const text = exactJsonText(value)
          const read = parseExactly(text)
          // As if somebody else had made it: a space makes it another text.
          expect(read).toStrictEqual(parseExactly(`${text} `))
        }
      }),
    )
  })

  it('says what is no JSON', () => {
    expect(() => parseExactly('')).toThrow(SyntaxError)
    expect(() => parseExactly('{"n":12345678901234567890')).toThrow(SyntaxError)
  })
})
