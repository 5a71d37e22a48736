import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFingerprints, FINGERPRINT_LENGTH } from '../../../ingest/fingerprints.ts'
import { cpuMsOf } from '../../helpers/cpu-time.ts'

const fingerprints = createFingerprints(new Uint8Array(32).fill(7))
const values = (marks: readonly string[]) => marks.map((mark) => mark.slice(-FINGERPRINT_LENGTH))

describe('fingerprints', () => {
  it('find an argument again in the result that it came from, however it is wrapped there', () => {
    const [sent] = values(fingerprints.ofArguments({ to: 'Mallory@Evil.example' }, 't'))
    const results: unknown[] = [
      { contact: 'mallory@evil.example' },
      [{ type: 'text', text: 'Please write to mallory@evil.example, thank you.' }],
      'Please write to <mallory@evil.example>.',
      { content: [{ type: 'text', text: '{"contact":{"mail":" mallory@evil.example "}}' }] },
    ]
    for (const result of results) expect(fingerprints.ofResult(result, 't')).toContain(sent)
    expect(fingerprints.ofResult('Please write to alice@evil.example.', 't')).not.toContain(sent)
  })

  it('name the argument, so that the same value elsewhere can be told from it', () => {
    const [to] = fingerprints.ofArguments({ to: 'a@b.example' }, 't')
    const [cc] = fingerprints.ofArguments({ cc: 'a@b.example' }, 't')
    expect(to).toMatch(/^to:[\w-]{8}$/)
    expect(values([to ?? ''])).toEqual(values([cc ?? '']))
  })

  it('see hosts, accounts and numbers inside texts', () => {
    const inText = fingerprints.ofArguments(
      { body: 'see https://evil.example/x?y=1 and pay GB29NWBK60161331926819, ticket 4711-2026-99' },
      't',
    )
    for (const value of ['evil.example', 'gb29nwbk60161331926819', '4711-2026-99'])
      expect(values(inText)).toContain(values(fingerprints.ofResult(value, 't'))[0])
  })

  it('leave out what says nothing', () => {
    expect(fingerprints.ofArguments({ yes: 'no', limit: 17, all: true, none: null, empty: '' }, 't')).toEqual(
      [],
    )
  })

  it('differ by tenant and by secret', () => {
    const of = (tenant: string, secret = 7) =>
      createFingerprints(new Uint8Array(32).fill(secret)).ofResult('the value', tenant)[0]
    expect(new Set([of('a'), of('b'), of('a', 8)]).size).toBe(3)
  })

  it('are those of each value and then of the entities in it, in order, the first 32', () => {
    const entity = fc.constantFrom(
      'Ann@Acme.example',
      'https://evil.example/x',
      '4711-2026-99',
      'GB29NWBK60161331926819',
    )
    const leaf = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.array(entity).map((all) => all.join(' and ')),
    )
    const value = fc.oneof(
      fc.dictionary(fc.string({ maxLength: 3 }), leaf, { maxKeys: 60 }),
      fc.dictionary(fc.string({ maxLength: 3 }), fc.dictionary(fc.string({ maxLength: 3 }), leaf)),
      fc.array(fc.dictionary(fc.constantFrom('to', 'text', '__proto__', '7'), leaf), { maxLength: 40 }),
    )
    const expected = (given: unknown, name = ''): string[] => {
      if (typeof given === 'object' && given !== null)
        return Array.isArray(given)
          ? given.flatMap((item) => expected(item, name))
          : Object.entries(given).flatMap(([key, item]) => expected(item, key))
      if (typeof given === 'boolean') return []
      const text = String(given).trim().toLowerCase()
      const inside =
        text.match(/ann@acme\.example|(?<=:\/\/)evil\.example|4711-2026-99|gb29nwbk60161331926819/g) ?? []
      const whole = text.length >= 4 && text.length <= 256 ? [text] : []
      return [...whole, ...inside].flatMap((each) =>
        values(fingerprints.ofResult({ each }, 't'))
          .slice(0, 1)
          .map((mark) => `${name}:${mark}`),
      )
    }
    fc.assert(
      fc.property(value, (given) => {
        // What random text holds of numbers and addresses by accident is another test’s.
        fc.pre(
          !/[@\d]\S{4}/.test(
            JSON.stringify(given).replace(/Ann@Acme|https:..evil|4711-2026-99|GB29NWBK\d+/g, ''),
          ),
        )
        expect(fingerprints.ofArguments(given, 't')).toEqual([...new Set(expected(given))].slice(0, 32))
      }),
    )
  })

  it('are few, distinct and found in linear time, whatever is in the arguments', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const marks = fingerprints.ofArguments(value, 't')
        expect(marks.length).toBeLessThanOrEqual(32)
        expect(new Set(marks).size).toBe(marks.length)
      }),
    )
    const timeOf = (size: number) => {
      const texts = ['a'.repeat(size), '1-'.repeat(size / 2), 'a.'.repeat(size / 2), 'a@'.repeat(size / 2)]
      return cpuMsOf(() => {
        for (const text of texts) fingerprints.ofResult(text, 't')
      })
    }
    timeOf(20_000)
    // Ten times the text may take ten times as long, not a hundred.
    expect(timeOf(200_000)).toBeLessThan(40 * Math.max(1, timeOf(20_000)))
  })
})
