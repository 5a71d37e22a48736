import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromMicros } from '../../../../ingest/formats/read-time.ts'

describe('fromMicros', () => {
  it('says what Date says, in every year from 0 to 9999', () => {
    const millis = fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 })
    fc.assert(
      fc.property(millis, fc.nat(999), (ms, micros) => {
        const expected = `${new Date(ms).toISOString().slice(0, 23)}${String(micros).padStart(3, '0')}Z`
        const exact = ms * 1000 + micros
        fc.pre(Number.isSafeInteger(exact))
        expect(fromMicros(exact)).toBe(expected)
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    [-62_167_219_200_000_000, '0000-01-01T00:00:00.000000Z'],
    [-1, '1969-12-31T23:59:59.999999Z'],
    [0, '1970-01-01T00:00:00.000000Z'],
    [951_782_400_000_000, '2000-02-29T00:00:00.000000Z'],
    [1_709_251_199_999_999, '2024-02-29T23:59:59.999999Z'],
    [4_107_542_400_000_000, '2100-03-01T00:00:00.000000Z'],
    [253_402_300_799_000_000, '9999-12-31T23:59:59.000000Z'],
    [253_402_300_800_000_000, '9999-12-31T23:59:59.999999Z'],
  ])('%d is %s', (micros, text) => {
    expect(fromMicros(micros)).toBe(text)
  })
})
