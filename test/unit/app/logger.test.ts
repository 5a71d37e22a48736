import { expect, it } from 'vitest'
import { withoutKeys } from '../../../app/logger.ts'

const SECRET = 'Zq3-_x'.repeat(8).slice(0, 43)

it.each([
  `{"msg":"cannot use gw_${SECRET}"}`,
  `{"url":"/login?ticket=${SECRET}"}`,
  `{"url":"/#session-key=${SECRET}&a=b"}`,
  `{"msg":"Bearer v1.k1.${SECRET}${SECRET}.${SECRET}"}`,
  `{"msg":"whsec_${Buffer.from(SECRET).toString('base64')}"}`,
])('keeps the key out of %s', (line) => {
  const clean = withoutKeys(line)
  expect(clean).not.toContain(SECRET.slice(0, 8))
  expect(clean).toContain('…')
  expect(() => JSON.parse(clean)).not.toThrow()
})

it('leaves everything else', () => {
  const line =
    '{"level":"warn","path":"/v1.2.3/gw_config","ticket":"ABC-123","id":"v1.k1.x","time":"2026-11-30T00:00:00Z"}'
  expect(withoutKeys(line)).toBe(line)
})
