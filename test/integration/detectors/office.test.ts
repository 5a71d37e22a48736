import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Finding } from '../../../core/finding.ts'
import { backtest } from '../../../detectors/backtest.ts'
import type { Database } from '../../../store/database.ts'
import { incidents, officeEvents } from '../../scenarios/office.ts'
import { emptyStore, openTestStore, shippedRules, store } from './support.ts'

let database: Database
let close: () => Promise<void>

beforeAll(async () => {
  ;({ database, close } = await openTestStore())
})
afterAll(() => close())
beforeEach(() => emptyStore(database))

const findingsOf = (): Promise<Finding[]> =>
  Array.fromAsync(
    backtest({ query: database.query.bind(database), rules: shippedRules(), fromMs: 0, toMs: 4e12 }),
  )

describe('an office', () => {
  it.each([1, 2, 3])('has quiet weeks (seed %i)', async (seed) => {
    await store(database, officeEvents({ seed, people: 15, days: 28 }))
    const found = await findingsOf()
    expect(found.filter(({ severity }) => severity === 'high' || severity === 'critical')).toEqual([])
    expect(found.map(({ title }) => title).length).toBeLessThanOrEqual(4)
  })

  it('has each of its incidents found, with one sentence of observed against expected', async () => {
    await store(database, [...officeEvents({ seed: 4, people: 15, days: 24 }), ...incidents(22)])
    const found = (await findingsOf()).filter(({ window }) => window.start >= '2026-06-22')
    const titles = (detector: string) =>
      found.filter((finding) => finding.detector === detector).map(({ title }) => title)
    expect(titles('volume')).toEqual([
      expect.stringMatching(
        /^person-0@office\.example made 3\d\d calls between 14:00 and 15:00 UTC on 2026-06-23; the 2\d-day history expects at most \d+ in an hour\.$/,
      ),
    ])
    expect(titles('off-hours')).toEqual([
      expect.stringMatching(
        /^person-1@office\.example made 8 calls between \d\d:\d\d and \d\d:\d\d local time \(UTC[+−]\d\) on 2026-06-23; in \d+ active days it worked \d\d:\d\d–\d\d:\d\d\.$/,
      ),
    ])
    expect(titles('new-value')).toEqual([
      expect.stringMatching(
        /^person-2@office\.example used exec on cluster for the first time in 2\d days; 0 of 15 peers had used it before\.$/,
      ),
    ])
    expect(titles('chain')).toEqual([
      expect.stringMatching(
        /^person-4@office\.example went from vault\/read_secret \(read-credential\) to mail\/send \(send-external\) to drop\.example within 4 min; the destination drop\.example is new to everyone\.$/,
      ),
    ])
  })

  it('makes what others wrote visible and short in sentences', async () => {
    const hostile = {
      server: 'cluster',
      tool: `exec\u202e\n${'x'.repeat(300)}`,
      capability: 'execute',
    } as const
    const events = officeEvents({ seed: 4, people: 15, days: 24 })
    const [exec] = incidents(22).filter((event) => event['gen_ai.tool.name'] === 'exec')
    if (exec === undefined) throw new Error('no incident')
    await store(database, [...events, { ...exec, 'gen_ai.tool.name': hostile.tool }])
    const [title] = (await findingsOf())
      .filter(({ detector }) => detector === 'new-value')
      .map((each) => each.title)
    expect(title).toContain('exec\\u{202e}\\u{a}xxx')
    expect(title?.length).toBeLessThan(300)
  })
})
