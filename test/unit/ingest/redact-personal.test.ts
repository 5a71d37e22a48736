import { describe, expect, it } from 'vitest'
import { isIban, isPan } from '../../../ingest/redact/personal-data.ts'
import { createRedactor } from '../../../ingest/redact/redactor.ts'

const key = { id: 'k1', secret: new Uint8Array(32).fill(7) }
const redactor = createRedactor(key)
const withMail = createRedactor({ keys: [key], personal: ['pan', 'iban', 'email'] })
const nothing = createRedactor({ keys: [key], personal: [] })

// The networks’ and banks’ published examples, put together here.
const CARD = ['4111', '1111', '1111', '1111']
const AMEX = ['3782', '822463', '10005']
const IBAN = ['GB29', 'NWBK', '6016', '1331', '9268', '19']

describe('card numbers and IBANs', () => {
  it.each([
    CARD,
    AMEX,
    ['5555', '5555', '5555', '4444'],
    ['6011', '1111', '1111', '1117'],
    ['3530', '1113', '3330', '0000'],
  ])('%s…', (...groups) => {
    expect(isPan(groups.join(''))).toBe(true)
    const last = Number(groups.at(-1)?.at(-1))
    expect(isPan(groups.join('').slice(0, -1) + ((last + 1) % 10))).toBe(false)
  })

  it('have one token however they are grouped', () => {
    for (const groups of [CARD, IBAN]) {
      const [one, two] = [groups.join(''), groups.join(' ')].map((written) =>
        redactor.text(`pay ${written} now`, 't'),
      )
      expect(one).toMatch(/^pay hmac:k1:\S{22} now$/)
      expect(two).toBe(one)
    }
    expect(isIban(IBAN.join(''))).toBe(true)
    expect(isIban(IBAN.join('').replace('29', '28'))).toBe(false)
  })

  it('are found in arguments, as numbers and as text, and in the middle of JSON', () => {
    const clean = redactor.jsonText(
      `{"card":${CARD.join('')},"note":"card ${CARD.join('-')}","to":"${IBAN.join('')}"}`,
      't',
    )
    expect(clean).toMatch(/^{"card":"hmac:k1:\S{22}","note":"card hmac:k1:\S{22}","to":"hmac:k1:\S{22}"}$/)
  })

  it('are not seen in clocks, ids and the like', () => {
    for (const text of [
      '1787666591000 1787666591000000 1787666591000000000',
      'id 4111111111111112, build 20261121120000123',
      '550e8400-e29b-41d4-a716-446655440000',
      '2026-11-21 12:00:00.000 2026-11-22 13:00:00',
      'DE00 1234 5678',
      '+49 170 1234567',
    ])
      expect(redactor.text(text, 't')).toBe(text)
  })

  it('stay in names and ids, and where they are not asked for', () => {
    expect(redactor.name(CARD.join(''), 't')).toBe(CARD.join(''))
    expect(nothing.text(CARD.join(' '), 't')).toBe(CARD.join(' '))
    expect(nothing.json({ card: Number(CARD.join('')) }, 't')).toEqual({ card: Number(CARD.join('')) })
  })
})

describe('mail addresses', () => {
  it('stay unless asked for: they say where data goes', () => {
    expect(redactor.text('to bob@example.com', 't')).toBe('to bob@example.com')
  })
  it('keep their domain, and are the same in any case', () => {
    const clean = withMail.text('from Bob.Li+x@Example.com to bob.li+x@example.com', 't')
    expect(clean).toMatch(/^from (hmac:k1:\S{22})@Example\.com to \1@example\.com$/)
    expect(withMail.text(clean, 't')).toBe(clean)
    expect(withMail.name('bob@example.com', 't')).toBe('bob@example.com')
  })
})

describe('keys', () => {
  const older = { id: 'k1', secret: new Uint8Array(32).fill(1) }
  const newer = { id: 'k2', secret: new Uint8Array(32).fill(2) }
  const rotated = createRedactor({ keys: [newer, older] })

  it('the newest makes tokens, every one is known', () => {
    const stored = createRedactor(older).text('password=correct-horse', 't').slice(9)
    const now = rotated.text('password=correct-horse', 't').slice(9)
    expect(now).toMatch(/^hmac:k2:/)
    expect(rotated.tokensFor('correct-horse', 't')).toEqual([now, stored])
    // What the older one hid stays as it is.
    expect(rotated.text(`password=${stored}`, 't')).toBe(`password=${stored}`)
  })
})
