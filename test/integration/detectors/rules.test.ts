import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { backtest } from '../../../detectors/backtest.ts'
import { eventsOf } from '../../../detectors/example.ts'
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
      const found = await Array.fromAsync(
        backtest({
          query: (sql, params) => database.query(sql, params),
          rules: [rule],
          fromMs: 0,
          toMs: 4e12,
        }),
      )
      // The calls before the example's last day are its history: they must be quiet either way.
      const lastDay = events.at(-1)?.occurred_at.slice(0, 10) ?? ''
      expect(
        found.filter((finding) => finding.last_event_at < lastDay).map((finding) => finding.title),
      ).toEqual([])
      expect(found.map((finding) => finding.title)).toHaveLength(expected === 'firing' ? 1 : 0)
      for (const finding of found) expect(finding.event_ids.length).toBeGreaterThan(0)
    },
  )
})
