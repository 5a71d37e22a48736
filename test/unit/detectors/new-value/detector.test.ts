import { describe, expect, it } from 'vitest'
import { DEFAULT_LIMITS } from '../../../../detectors/cardinality.ts'
import type { Draft } from '../../../../detectors/detector.ts'
import { emptyFamiliar, type Familiar, type Use } from '../../../../detectors/familiar.ts'
import { absorbUses } from '../../../../detectors/familiar-days.ts'
import { Fields, type Reading } from '../../../../detectors/fields.ts'
import { newValue } from '../../../../detectors/new-value/detector.ts'
import type { FirstUse } from '../../../../detectors/new-value/first-uses.ts'
import { completed } from '../../../../detectors/steps.ts'
import { startOfDay } from '../../../../detectors/utc-day.ts'

const FIRST_DAY = 20_605
const grace = { days: 7, calls: 100 }

const judgeWith = (params: Readonly<Record<string, unknown>>) => {
  const reading: Reading = { locate: () => 'rule.yaml', faults: [], asked: [] }
  const question = newValue.prepare(new Fields(params, ['params'], reading), DEFAULT_LIMITS)
  if (reading.faults[0]) throw reading.faults[0]
  return (past: Familiar, day: number, uses: readonly FirstUse[]): readonly Draft[] =>
    completed(question.judge(past, { tenant: 'default', day }, uses))
}
const judge = judgeWith({})

/** What is familiar after `days` days on which `actors` actors used the wiki, `calls` times each. */
function past(actors: number, days: number, calls = 20): Familiar {
  let familiar = emptyFamiliar
  for (let day = FIRST_DAY; day < FIRST_DAY + days; day += 1) {
    const uses = Array.from(
      { length: actors },
      (_, index): Use => ({
        day,
        actor: `actor-${index}`,
        server: 'wiki',
        tool: 'search',
        destination: '',
        calls,
        firstMs: startOfDay(day) + index,
      }),
    )
    familiar = completed(absorbUses(familiar, day, uses, grace))
  }
  return familiar
}

const secretBy = (actor: string, day: number): FirstUse => ({
  day,
  actor,
  server: 'vault',
  tool: 'read_secret',
  capability: 'read-credential',
  firstMs: startOfDay(day) + 3_600_000,
  calls: 1,
})

describe('new-value in the first days of a tenant', () => {
  it('says nothing on the first day, of however many actors and tools', () => {
    const uses = Array.from({ length: 30 }, (_, index) => secretBy(`actor-${index % 6}`, FIRST_DAY))
    expect(judge(emptyFamiliar, FIRST_DAY, uses)).toEqual([])
  })

  it('says nothing until the tenant has the days of grace behind it', () => {
    const titles = [1, 6, 7].map((days) =>
      judge(past(8, days), FIRST_DAY + days, [
        secretBy('newcomer', FIRST_DAY + days),
        secretBy('actor-0', FIRST_DAY + days),
      ]).map(({ signature }) => signature),
    )
    expect(titles).toEqual([[], [], ['actor-0', 'newcomer']])
  })

  it.each([
    [0, []],
    [1, []],
    [4, []],
    [5, ['New actor newcomer used read_secret on its first day; none of 5 peers had used it before.']],
  ])('with %i settled actors, says of a newcomer %j', (actors, titles) => {
    const day = FIRST_DAY + 14
    expect(judge(past(actors, 14), day, [secretBy('newcomer', day)]).map(({ title }) => title)).toEqual(
      titles,
    )
  })

  it('counts only settled actors as peers, and as many as the rule says', () => {
    const day = FIRST_DAY + 14
    const newcomer = [secretBy('newcomer', day)]
    expect(judge(past(8, 14, 2), day, newcomer)).toEqual([])
    expect(judgeWith({ peers: 9 })(past(8, 14), day, newcomer)).toEqual([])
    expect(judgeWith({ peers: 2 })(past(2, 14), day, newcomer)).toHaveLength(1)
    expect(() => judgeWith({ peers: 1 })).toThrow(expect.objectContaining({ code: 'rule_invalid' }))
  })

  it('judges a settled actor by its own past, and names no peers where there are none', () => {
    const day = FIRST_DAY + 14
    const title = (actors: number) => judge(past(actors, 14), day, [secretBy('actor-0', day)])[0]?.title
    const sentence = 'actor-0 used read_secret on vault for the first time in 14 days;'
    expect(title(1)).toBe(`${sentence} there are no peers to compare with.`)
    expect(title(2)).toBe(`${sentence} 0 of 1 peer had used it before.`)
    expect(title(8)).toBe(`${sentence} 0 of 7 peers had used it before.`)
  })
})
