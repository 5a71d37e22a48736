import { expect, it } from 'vitest'
import { DEFAULT_LIMITS } from '../../../detectors/cardinality.ts'
import {
  type ArgumentDay,
  type ArgumentProfile,
  absorbArguments,
  argumentCodec,
  argumentKey,
  emptyArguments,
  MOST_VALUES,
} from '../../../detectors/odd-argument/profile.ts'
import { completed } from '../../../detectors/steps.ts'

const row = (day: number, actor: string, values: readonly string[]): ArgumentDay => ({
  ...{ day, actor, server: 'store', tool: 'put', argument: 'bucket' },
  values,
})
const after = (days: readonly (readonly ArgumentDay[])[], through = (profile: ArgumentProfile) => profile) =>
  days.reduce(
    (profile, rows, day) => through(completed(absorbArguments(profile, day, rows, DEFAULT_LIMITS))),
    emptyArguments,
  )
const KEY = argumentKey(row(0, '', []))

it('counts days of actors with a value that was new to everybody before that day', () => {
  const profile = after([
    [row(0, 'ada', ['a']), row(0, 'ben', ['a'])],
    [row(1, 'ada', ['a']), row(1, 'ben', ['a', 'b'])],
  ])
  expect(profile.arguments.get(KEY)).toMatchObject({ actorDays: 4, newDays: 3, values: new Set(['a', 'b']) })
})

it('opens an argument that has too many values, for good', () => {
  const many = Array.from({ length: MOST_VALUES + 1 }, (_, index) => `v${index}`)
  const profile = after([[row(0, 'ada', many)], [row(1, 'ada', ['a'])]])
  expect(profile.arguments.get(KEY)?.values).toBeUndefined()
  expect(profile.arguments.get(KEY)).toMatchObject({ actorDays: 2, newDays: 1 })
})

it('is the same when it was stored and read on each day', () => {
  const days = [[row(0, 'ada', ['a'])], [row(1, 'ben', ['b', 'c'])], [row(2, 'ada', ['a'])]]
  const stored = (profile: ArgumentProfile) => argumentCodec.decode(completed(argumentCodec.encode(profile)))
  expect(after(days, stored)).toEqual(after(days))
})

it('holds no more values than it may, whoever invents arguments', () => {
  const limits = { ...DEFAULT_LIMITS, values: 10 }
  const invented = Array.from({ length: 30 }, (_, index) => ({
    ...row(1, 'mal', ['x']),
    argument: `made-up-${index}`,
  }))
  const before = completed(absorbArguments(emptyArguments, 0, [row(0, 'ada', ['a'])], limits))
  const profile = completed(absorbArguments(before, 1, [row(1, 'ada', ['a']), ...invented], limits))
  expect(profile.arguments.size).toBe(10)
  expect(profile.arguments.has(KEY)).toBe(true)
  expect(profile.overflow).toMatchObject([{ limit: 'values', keys: 21 }])
})
