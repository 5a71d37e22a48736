import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { backtest } from '../../../detectors/backtest.ts'
import { detectors } from '../../../detectors/registry.ts'
import { parseRules } from '../../../detectors/rule.ts'
import type { Database } from '../../../store/database.ts'
import { byTime, incidents, officeEvents } from '../../scenarios/office.ts'
import { bytesOf, engineOver, finalFindings, openTestStore, shippedRules, store } from './support.ts'

let database: Database
let close: () => Promise<void>

beforeAll(async () => {
  ;({ database, close } = await openTestStore())
  await store(database, [...officeEvents({ seed: 4, people: 12, days: 24 }), ...incidents(22)].sort(byTime))
})
afterAll(() => close())

/** The shipped rules, over the events that `where` selects. */
const rulesOver = (where: string) =>
  parseRules(
    shippedRules().map(({ path }) => ({
      path,
      text: `where: ${JSON.stringify(where)}\n${readFileSync(new URL(`../../../detectors/rules/${path}`, import.meta.url), 'utf8')}`,
    })),
    detectors,
  ).rules

const over = (where: string) =>
  Array.fromAsync(
    backtest({ query: database.query.bind(database), rules: rulesOver(where), fromMs: 0, toMs: 4e12 }),
  )

describe('a rule with a condition', () => {
  it('that every event meets finds what it finds without, from the events instead of the rollups', async () => {
    const plain = await Array.fromAsync(
      backtest({ query: database.query.bind(database), rules: shippedRules(), fromMs: 0, toMs: 4e12 }),
    )
    expect(bytesOf(await over('actor:*'))).toEqual(bytesOf(plain))
    expect(new Set(plain.map(({ detector }) => detector)).size).toBe(4)
  })

  it('sees only the events that meet it', async () => {
    const found = await over('-actor:person-0@office.example -server:cluster')
    expect(found.map(({ detector }) => detector).sort()).toEqual(['chain', 'off-hours'])
  })

  it('finds the same live', async () => {
    await engineOver(database, rulesOver('-server:cluster')).drain()
    expect(await finalFindings(database)).toEqual(bytesOf(await over('-server:cluster')))
  })
})
