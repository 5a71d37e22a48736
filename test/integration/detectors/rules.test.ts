import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { eventsOf } from '../../../detectors/example.ts'
import { tryExample } from '../../../detectors/example-trial.ts'
import type { Database } from '../../../store/database.ts'
import { emptyStore, openTestStore, shippedRules, shippedSignals, store } from './support.ts'

let database: Database
let close: () => Promise<void>

beforeAll(async () => {
  ;({ database, close } = await openTestStore())
})
afterAll(() => close())
beforeEach(() => emptyStore(database))

const all = [...shippedRules(), ...shippedSignals()]

describe.each(all.map((rule) => [rule.id, rule] as const))('the rule %s', (_, rule) => {
  it.each(rule.examples.map((example) => [example.expected, example.name, example] as const))(
    'is %s: %s',
    async (expected, _name, example) => {
      const events = eventsOf(example, 'example')
      await store(database, events)
      const verdict = await tryExample((sql, params) => database.query(sql, params), rule, example, events)
      expect(verdict).toMatchObject({ passed: true, expected })
      expect(verdict.findings).toHaveLength(expected === 'firing' ? 1 : 0)
    },
  )
})
