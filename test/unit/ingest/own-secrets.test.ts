import { expect, it } from 'vitest'
import { createRedactor } from '../../../ingest/redact/redactor.ts'

const KEY = { id: 'k1', secret: new Uint8Array(32).fill(7) }
const OWN = ['0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9', 'Xy7+Zk/Q9r.T(1)=']
const redactor = createRedactor({ keys: [KEY], own: [...OWN, 'short'] })
const A = 'Zq3-_xB7'.repeat(6)

it.each(OWN)('hides what has no look: %s', (secret) => {
  for (const text of [secret, `the value is ${secret}.`, secret.toUpperCase()])
    expect(redactor.text(text, 't').toLowerCase()).not.toContain(secret.toLowerCase())
  const sent = { note: [`a ${secret}`], encoded: Buffer.from(`the value is ${secret}`).toString('base64') }
  const clean = JSON.stringify(redactor.json(sent, 't'))
  expect(clean).not.toContain(secret)
  expect(clean).not.toContain(sent.encoded)
  expect(redactor.isClean(`x ${secret}`)).toBe(false)
  expect(redactor.name(secret, 't')).toMatch(/^hmac:k1:/)
})

it('needs no list for keys that have a look', () => {
  const plain = createRedactor(KEY)
  for (const secret of [
    `gw_${A.slice(0, 43)}`,
    `v1.k1.eyJzdWIiOi${A}.${A.slice(0, 43)}`,
    `gatewatch-session-ab12=${A.slice(0, 43)}`,
    `__Host-gatewatch-session=${A.slice(0, 43)}`,
    `/login?ticket=${A.slice(0, 43)}`,
    `#session-key=${A.slice(0, 43)}`,
  ])
    expect(plain.text(`see ${secret} there`, 't'), secret).not.toContain(A.slice(0, 12))
})

it('hides nothing else', () => {
  for (const text of ['gw_config', 'gateway gw_1', 'v1.2.3', 'short cuts', 'gatewatch-session'])
    expect(redactor.text(`see ${text} there`, 't')).toBe(`see ${text} there`)
})
