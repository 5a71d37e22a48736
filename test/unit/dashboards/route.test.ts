import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatHash, parseHash } from '../../../dashboards/web/src/route.ts'

describe('the address', () => {
  it('reads path and parameters', () => {
    expect(parseHash('#/findings/ab12?from=-7d&q=tool%3Ax')).toEqual({
      path: ['findings', 'ab12'],
      params: { from: '-7d', q: 'tool:x' },
    })
  })

  it('leaves out what is absent, empty or the default range', () => {
    expect(formatHash(['events'], { from: '-24h', to: 'now', q: '', actor: undefined })).toBe('#/events')
  })

  it('gives back every path and parameter it was given', () => {
    const text = fc.string({ minLength: 1, unit: 'grapheme' })
    fc.assert(
      fc.property(fc.array(text, { maxLength: 3 }), fc.dictionary(text, text), (path, params) => {
        const asked = { ...params, from: '-7d', to: '-1d' }
        const read = parseHash(formatHash(path, asked))
        expect(read.path).toEqual(path)
        expect({ ...read.params }).toEqual(asked)
      }),
    )
  })

  it('survives anything typed into the address bar', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 0x10ffff })), (points) => {
        expect(Array.isArray(parseHash(String.fromCodePoint(...points)).path)).toBe(true)
      }),
    )
    expect(parseHash('#/%E0%A4%A').path).toEqual(['%E0%A4%A'])
    expect(Object.entries(parseHash('#/events?__proto__=x').params)).toEqual([['__proto__', 'x']])
  })
})
