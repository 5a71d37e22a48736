import { expect, it } from 'vitest'
import { withoutValues } from '../../../store/fault-text.ts'

const SECRET = 'zebra-crossing'

// As ClickHouse 26.8 says them.
it.each([
  [
    `Code: 41. DB::Exception: Cannot parse string '${SECRET}' as DateTime64(6): while executing 'FUNCTION toDateTime64(__table1.x : 3)'. In scope SELECT event_id FROM events WHERE actor = '${SECRET}'. (CANNOT_PARSE_DATETIME)`,
    {},
  ],
  [
    `Code: 62. DB::Exception: Syntax error: failed at position 31 (${SECRET}) (line 2, col 5): ${SECRET} OR 1. Expected one of: token. (SYNTAX_ERROR)`,
    {},
  ],
  [
    `Code: 457. DB::Exception: Value ${SECRET} cannot be parsed as UInt32 for query parameter 'limit' because it isn't parsed completely. (BAD_QUERY_PARAMETER)`,
    { limit: SECRET },
  ],
  [
    `Code: 47. DB::Exception: Unknown expression or function identifier \`x\` in ${SECRET}x.`,
    { list: ['ab', SECRET] },
  ],
  [`Row 1: Column 0, name: event_id, type: String, parsed text: "${SECRET}<TAB>" (CANNOT_PARSE_INPUT)`, {}],
  [`Code: 6. Cannot parse 'it\\'s ${SECRET}`, {}],
])('says what kind of fault it is without the values: %s', (message, params) => {
  const clean = withoutValues(message, params)
  expect(clean).not.toContain(SECRET)
  expect(clean.slice(0, 8)).toBe(message.slice(0, 8))
})

it('leaves words alone', () => {
  const message =
    "Code: 241. DB::Exception: Memory limit exceeded: it doesn't fit, would use 2.00 GiB. (MEMORY_LIMIT_EXCEEDED)"
  expect(withoutValues(message, { tenant: 'it' })).toBe(message)
})

it('is of bounded length', () => {
  expect(withoutValues(`Code: 1. ${'x'.repeat(100_000)}`).length).toBeLessThanOrEqual(1000)
})
