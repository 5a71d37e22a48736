import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mayBeEncoded, replaceEncoded } from '../../../ingest/redact/encoded-text.ts'
import { createRedactor } from '../../../ingest/redact/redactor.ts'

const redactor = createRedactor({
  keys: [{ id: 'k1', secret: new Uint8Array(32).fill(7) }],
  personal: ['pan', 'iban', 'email'],
})

const digits = '0123456789abcdef'
// Those whose pairs all begin with 2 to 7 may be text, and are decoded.
const hexId = fc
  .string({ unit: fc.constantFrom(...digits), minLength: 24, maxLength: 128 })
  .filter((id) => !/^(?:[0234567].)+$/.test(id))

describe('hex ids', () => {
  it('are not looked at as base64', () => {
    fc.assert(fc.property(hexId, (id) => !mayBeEncoded(id) && !mayBeEncoded(`trace:${id}, span:${id}`)))
  })

  it('hold nothing that would be hidden if they were', () => {
    fc.assert(
      fc.property(hexId, (id) => {
        const plain = Buffer.from(id, 'base64').toString('utf8')
        expect(redactor.jsonText(plain, 't')).toBe(plain)
      }),
      { numRuns: 2000 },
    )
  })

  it('cannot say a keyword, nor what a URL, an address or a card number needs', () => {
    const said = new Set<string>()
    for (const a of digits)
      for (const b of digits)
        for (const c of digits)
          for (const d of digits)
            for (const byte of Buffer.from(a + b + c + d, 'base64')) said.add(String.fromCharCode(byte))
    for (const needed of 'aehlpr"@:/%-+ 0123') expect(said.has(needed), needed).toBe(needed === ':')
  })
})

describe('runs that are not all hex', () => {
  const secret = Buffer.from('password=hunter2-hunter2-hunter2').toString('base64')
  const hide = () => 'hidden'
  const clean = (text: string) => (text.includes('password') ? 'hmac:k1:aaaaaaaaaaaaaaaaaaaaaa' : text)

  it.each([
    ['alone', secret],
    ['after an id', `0123456789abcdef0123456789abcdef ${secret}`],
    ['before an id', `${secret} 0123456789abcdef0123456789abcdef`],
    ['beside an id, in a path', `/0123456789abcdef0123456789abcdef/${secret}`],
  ])('are decoded: %s', (_, text) => {
    expect(mayBeEncoded(text)).toBe(true)
    expect(replaceEncoded(text, { percent: clean, bytes: clean, hide })).not.toContain(secret)
  })

  it.each([
    ['with a dash', 'x-0123456789abcdef0123456789abcdef'],
    ['padded', '0123456789abcdef0123456789abcdef=='],
    ['in capitals', '0123456789ABCDEF0123456789ABCDEF'],
    ['and another letter', '0123456789abcdef0123456789abcdefg'],
  ])('are looked at: %s', (_, text) => {
    expect(mayBeEncoded(text)).toBe(true)
  })
})
