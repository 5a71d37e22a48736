import { expect, it } from 'vitest'
import { DEFAULT_LIMITS } from '../../../detectors/cardinality.ts'
import {
  absorbDefinitions,
  type DefinitionProfile,
  type DefinitionUse,
  definitionCodec,
  emptyDefinitions,
} from '../../../detectors/definition-change/profile.ts'
import { completed } from '../../../detectors/steps.ts'

const use = (given: Partial<DefinitionUse>): DefinitionUse => ({
  ...{ day: 100, server: 'maps', tool: 'route', definition: 'aa', calls: 3 },
  ...{ firstMs: 1, lastMs: 2, actors: ['ada'] },
  ...given,
})

const after = (before: DefinitionProfile, day: number, ...uses: DefinitionUse[]): DefinitionProfile =>
  completed(absorbDefinitions(before, day, uses, { ...DEFAULT_LIMITS, values: 3 }))

it('knows what each tool was defined as, and when that changed last', () => {
  const first = after(emptyDefinitions, 100, use({}), use({ tool: 'places' }))
  const second = after(
    first,
    102,
    use({ definition: 'bb', firstMs: 9 }),
    use({ definition: 'aa', firstMs: 3 }),
  )
  expect(second.tools.get('["maps","route"]')).toEqual({
    ...{ firstDay: 100, lastDay: 102, activeDays: 2 },
    ...{ definitions: ['aa', 'bb'], changes: 2, changedDay: 102 },
  })
  expect(second.tools.get('["maps","places"]')).toMatchObject({ lastDay: 100, changedDay: 100 })
  expect(definitionCodec.decode(completed(definitionCodec.encode(second)))).toEqual(second)
})

it('is bounded: whoever invents tools does not push out those that were there before', () => {
  let profile = after(emptyDefinitions, 100, use({}))
  profile = after(profile, 101, use({ day: 101 }))
  const invented = Array.from({ length: 9 }, (_, index) => use({ tool: `invented-${index}`, calls: 2 }))
  profile = after(profile, 102, ...invented)
  expect(profile.tools.size).toBe(3)
  expect(profile.tools.has('["maps","route"]')).toBe(true)
  expect(profile.overflow).toMatchObject([{ limit: 'values', what: 'tools', keys: 7, calls: 14 }])
})
