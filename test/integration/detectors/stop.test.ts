import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../../app/config/config.ts'
import { createDetectPart } from '../../../app/wire/detect.ts'
import { createBackfills } from '../../../store/backfills.ts'
import type { Database } from '../../../store/database.ts'
import { seededRandom } from '../../faults/random.ts'
import { byTime, incidents, officeEvents } from '../../scenarios/office.ts'
import { emptyStore, engineOver, finalFindings, openTestStore, shippedRules, store } from './support.ts'

/** Issue 9, section 1, fault 17: a stop waited for a tick, and for a piece of the backfill, to their ends. */

const rules = shippedRules()
const events = [...officeEvents({ seed: 7, people: 6, days: 24 }), ...incidents(22)].sort(byTime)

let database: Database
let close: () => Promise<void>
beforeAll(async () => {
  ;({ database, close } = await openTestStore())
})
afterAll(() => close())
beforeEach(() => emptyStore(database))

// Would run for hours; a limit of the store would end it after a minute, with another error.
const ENDLESS = 'SELECT sum(sipHash64(number)) AS s FROM numbers(100000000000000)'

describe.each(['query', 'queryForPeople'] as const)('the part that detects, stopped while %s runs', (way) => {
  it('ends its question, and says nothing of a failure', async () => {
    await store(database, events)
    await createBackfills(database).request({ tenant: 'default', fromDay: 0, throughDay: 40_000 }, 'test')
    const said: string[] = []
    const asked = Promise.withResolvers<void>()
    const outcomes: string[] = []
    const watched: Database = {
      ...database,
      [way]: async (...[, , asker]: Parameters<Database['query']>) => {
        asked.resolve()
        return database[way](ENDLESS, {}, asker).catch((error: Error) => {
          outcomes.push(error.message)
          throw error
        })
      },
    }
    const part = createDetectPart({
      config: loadConfig({ logLevel: 'silent' }, {}),
      rules: { rules: [...rules], errors: [], faults: [] },
      database: watched,
      alerting: { pipeline: { handle: async () => {} } as never },
      logger: pino({ level: 'info' }, { write: (line: string) => void said.push(line) }),
      registry: new Registry(),
    })
    await part.start()
    await asked.promise
    await part.stop()
    expect(new Set(outcomes)).toEqual(new Set(['gatewatch is stopping.']))
    expect(said.filter((line) => line.includes('failed'))).toEqual([])
  })
})

it('work that is interrupted anywhere is finished by the next process, and no rule is blamed', async () => {
  await store(database, events)
  await engineOver(database, rules).drain()
  const expected = await finalFindings(database)
  expect(expected.length).toBeGreaterThanOrEqual(4)

  await emptyStore(database)
  await store(database, events)
  const random = seededRandom(9)
  let interrupted = 0
  for (let round = 0; round < 6; round++) {
    const stopping = new AbortController()
    let left = 1 + Math.floor(random() * 40)
    const engine = engineOver(database, rules, async () => {}, {
      signal: stopping.signal,
      query: async (sql, params) => {
        stopping.signal.throwIfAborted()
        left -= 1
        // The answer comes all the same: what follows it notices.
        if (left === 0) stopping.abort(new Error('stopping'))
        return database.query(sql, params)
      },
    })
    await engine.drain().catch((error: Error) => {
      expect(error.message).toBe('stopping')
      interrupted += 1
    })
    expect(engine.health().reasons.filter(({ code }) => code === 'rule_quarantined')).toEqual([])
  }
  expect(interrupted).toBeGreaterThan(1)
  await engineOver(database, rules).drain()
  expect(await finalFindings(database)).toEqual(expected)
})

it('a fold of many days ends between two of them', async () => {
  await store(database, events)
  const stopping = new AbortController()
  const days = new Set<number>()
  const [rule] = rules
  if (rule === undefined) throw new Error('no rule')
  const watching = {
    ...rule,
    question: {
      ...rule.question,
      absorb: (...[profile, day, rows]: Parameters<typeof rule.question.absorb>) => {
        days.add(day)
        if (days.size === 2) stopping.abort(new Error('stopping'))
        return rule.question.absorb(profile, day, rows)
      },
    },
  }
  const engine = engineOver(database, [watching], async () => {}, { signal: stopping.signal })
  await expect(engine.drain()).rejects.toThrow('stopping')
  expect(days.size).toBe(2)
})
