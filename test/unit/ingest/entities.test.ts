import { describe, expect, it } from 'vitest'
import { ENTITY, entitiesIn } from '../../../ingest/entities.ts'

/** What the expression finds in the whole text: slow, and right by definition. */
const byExpression = (text: string): string[] => text.match(ENTITY) ?? []

describe('entitiesIn', () => {
  it.each([
    'write to anna.b+c@mail.example.com and to x@y.zz, please',
    'see https://intranet.example.com/wiki?id=7 and ftp://10.0.0.1:21/x',
    'https://user@host.example/path',
    'iban de89370400440532013000, not de89-3704',
    'call 030-123456 or 4111-1111-1111-1111; not 12-3 and not a1234567',
    '1-----2 -1234567 1234567- 1234567.89',
    `${'a'.repeat(70)}@b.cc 123456@b.cc é123456é`,
    '://abc ://abcd :///abcde',
    '12345678',
    '',
  ])('finds what the expression finds: %s', (text) => {
    expect(entitiesIn(text)).toEqual(byExpression(text))
  })

  it('finds something in each of the kinds', () => {
    expect(entitiesIn('anna@example.com https://host.example de89370400440532013000 0301234567')).toEqual([
      'anna@example.com',
      'host.example',
      'de89370400440532013000',
      '0301234567',
    ])
  })

  it('finds what the expression finds in texts of any such characters', () => {
    const pieces = [
      'a',
      'de',
      '12',
      '7',
      '-',
      '.',
      '+',
      '_',
      '@',
      '://',
      ':',
      '/',
      ' ',
      '\n',
      'é',
      '345678',
      'xy.zz',
      '"',
    ]
    let seed = 20261130
    const next = (below: number) => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
      return (seed >>> 8) % below
    }
    for (let round = 0; round < 20_000; round++) {
      const text = Array.from({ length: 1 + next(24) }, () => pieces[next(pieces.length)]).join('')
      expect(entitiesIn(text), JSON.stringify(text)).toEqual(byExpression(text))
    }
  })
})
