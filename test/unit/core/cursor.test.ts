import { expect, it } from 'vitest'
import { decodeCursor, encodeCursor, partLike, timePart } from '../../../core/cursor.ts'

const PARTS = [timePart, partLike(/^[0-9a-f]{1,8}$/)]
const refusal = expect.objectContaining({
  code: 'request_invalid',
  place: expect.objectContaining({ field: 'cursor' }),
})

it.each([
  '2026-08-21T14:00:00.123456Z',
  '2026-08-21 14:00:00.123',
  '2024-02-29 00:00:00',
  '1969-12-31T23:59:59Z',
])('takes back what it gave out: %s', (time) => {
  expect(decodeCursor(encodeCursor([time, 'ab']), PARTS)).toEqual([time, 'ab'])
})

it.each([
  [['2026-99-99T99:99:99.999999Z', 'ab']],
  [['2026-02-30T00:00:00Z', 'ab']],
  [['2025-02-29T00:00:00Z', 'ab']],
  [['2026-08-21T24:00:00Z', 'ab']],
  [['2026-08-21T14:00:60Z', 'ab']],
  [['0001-01-01T00:00:00Z', 'ab']],
  [['9999-12-31T23:59:59Z', 'ab']],
  [['', 'ab']],
  [['2026-08-21T14:00:00Z']],
  [['2026-08-21T14:00:00Z', 'ab', '']],
  [['2026-08-21T14:00:00Z', 5]],
  [{ length: 2 }],
  [null],
])('refuses the key %j', (key) => {
  const cursor = Buffer.from(JSON.stringify(key)).toString('base64url')
  expect(() => decodeCursor(cursor, PARTS)).toThrow(refusal)
})

it('refuses other spellings of a key', () => {
  const key = ['2026-08-21T14:00:00Z', 'ab']
  const good = encodeCursor(key)
  const spaced = Buffer.from(JSON.stringify(key, null, 1)).toString('base64url')
  for (const cursor of [`${good}!`, `${good}=`, ` ${good}`, good.slice(0, -1), spaced, ''])
    expect(() => decodeCursor(cursor, PARTS), cursor).toThrow(refusal)
})
