import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type ChainCall,
  matchEndingAt,
  type Step,
  splitAtGaps,
} from '../../../../detectors/chain/signature.ts'

const call = (capability: string, minute: number, chain = 'session:s'): ChainCall => ({
  chain,
  eventId: `${capability}@${minute}`,
  atMs: minute * 60_000,
  actor: 'ada',
  server: 's',
  tool: 't',
  capability,
  destination: '',
  imported: false,
  failed: 0,
})

const step = (capability: string, minCount = 1): Step => ({ capabilities: [capability], minCount })
const within15 = 15 * 60_000
const idsOf = (match: readonly (readonly ChainCall[])[] | undefined) =>
  match?.map((calls) => calls.map(({ eventId }) => eventId))

describe('a signature', () => {
  it('matches steps in order, the latest calls that fulfil them', () => {
    const calls = [call('read', 0), call('read', 4), call('other', 5), call('send', 6)]
    expect(idsOf(matchEndingAt([step('read'), step('send')], within15, calls, 3))).toEqual([
      ['read@4'],
      ['send@6'],
    ])
  })

  it('does not match the other order, or a call that is no last step', () => {
    const calls = [call('send', 0), call('read', 1)]
    expect(matchEndingAt([step('read'), step('send')], within15, calls, 0)).toBeUndefined()
    expect(matchEndingAt([step('read'), step('send')], within15, calls, 1)).toBeUndefined()
  })

  it('ends exactly at its window', () => {
    const steps = [step('read'), step('send')]
    expect(matchEndingAt(steps, within15, [call('read', 0), call('send', 15)], 1)).toBeDefined()
    expect(matchEndingAt(steps, within15, [call('read', 0), call('send', 15.1)], 1)).toBeUndefined()
  })

  it('counts calls of a step, and uses no call twice', () => {
    const steps = [step('a', 2), step('a')]
    const calls = [call('a', 0), call('a', 1), call('a', 2)]
    expect(idsOf(matchEndingAt(steps, within15, calls, 2))).toEqual([['a@0', 'a@1'], ['a@2']])
    expect(matchEndingAt(steps, within15, calls, 1)).toBeUndefined()
  })

  it('finds a match whenever there is one', () => {
    const capabilities = ['a', 'b', 'c']
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...capabilities), { minLength: 1, maxLength: 12 }), (order) => {
        const calls = order.map((capability, minute) => call(capability, minute))
        const steps = [step('a'), step('b', 2), step('c')]
        const end = calls.length - 1
        const within = 8 * 60_000
        // By brute force: every choice of one a, two b and the last c, in this order and within the window.
        let exists = false
        for (let a = 0; a < end; a += 1)
          for (let b = a + 1; b < end; b += 1)
            for (let other = b + 1; other < end; other += 1)
              if (
                order[a] === 'a' &&
                order[b] === 'b' &&
                order[other] === 'b' &&
                order[end] === 'c' &&
                end - a <= 8
              )
                exists = true
        expect(matchEndingAt(steps, within, calls, end) !== undefined).toBe(exists)
      }),
    )
  })

  it('splits what only the actor holds together where it rested', () => {
    const calls = [call('a', 0), call('b', 30), call('c', 61)]
    expect(splitAtGaps('actor:ada', calls)).toEqual([[calls[0], calls[1]], [calls[2]]])
    expect(splitAtGaps('session:s', calls)).toEqual([calls])
  })
})
