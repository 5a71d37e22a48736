import fc from 'fast-check'
import { expect, it } from 'vitest'
import { readPythonLiteral } from '../../../../ingest/formats/otlp-python-literal.ts'

it.each([
  [
    "{'name': 'get_customer', 'arguments': {'id': 'r1'}, 'mode': None}",
    { name: 'get_customer', arguments: { id: 'r1' }, mode: null },
  ],
  ["[1, -2.5, 1e3, True, False, ('a',), []]", [1, -2.5, 1000, true, false, ['a'], []]],
  [`{"it's": 'say "hi"', 'nl': 'a\\nb\\x41\\u00e9\\\\'}`, { "it's": 'say "hi"', nl: 'a\nbAé\\' }],
  ['12345678901234567890', '12345678901234567890'],
  ['{}', {}],
])('reads %s', (text, value) => {
  expect(JSON.parse(JSON.stringify(readPythonLiteral(text)))).toEqual(value)
})

it.each([
  '',
  "{'a'",
  "{'a': }",
  'open(1)',
  "{'a': 1} x",
  '{[1]: 2}',
  "'\\u12'",
  '1_000',
  '--1',
  '['.repeat(5000),
])('takes no %s for a literal', (text) => {
  expect(readPythonLiteral(text)).toBeUndefined()
})

it('keeps __proto__ a key like any other', () => {
  const value = readPythonLiteral("{'__proto__': {'admin': True}}") as Record<string, unknown>
  expect(Object.keys(value)).toEqual(['__proto__'])
  expect(({} as Record<string, unknown>)['admin']).toBeUndefined()
})

it('ends on any text, with a value or without', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'{}[]()\'",:\\ux1eTrueNon ') }), (text) => {
      readPythonLiteral(text)
    }),
    { numRuns: 1000 },
  )
})
