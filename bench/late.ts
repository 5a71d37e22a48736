import type { Bench } from './benchmark.ts'
import { makeFolder, quantile, removeFolder, round, startDetection } from './detection/child.ts'

const SIZES = {
  full: { actors: 10_000, calls: 10_000_000, days: 28, year: 3_000_000, seconds: 120 },
  quick: { actors: 500, calls: 1_000_000, days: 28, year: 300_000, seconds: 40 },
} as const

/**
 * How long live ticks take, as the product runs them each second beside the backfill: first with nothing but live calls, then
 * while one call of 2001 makes every baseline wrong, then while a year of history waits.
 */
export const run: Bench = async ({ quick, progress }) => {
  const { actors, calls, days, year, seconds } = quick ? SIZES.quick : SIZES.full
  const folder = makeFolder()
  const detection = await startDetection(folder)
  try {
    progress(`${calls} calls of ${actors} actors over ${days} days …`)
    await detection.order({ do: 'history', history: { actors, calls, days } })
    await detection.order({ do: 'drain' })
    const live = { do: 'run', actors, calls: 25, seconds } as const
    const p95 = async (what: string): Promise<number> => {
      const { tickMs, busy } = await detection.order(live)
      const ms = quantile(tickMs, 0.95)
      progress(
        `${what}: ${tickMs.length} ticks, p95 ${Math.round(ms)} ms${busy ? ', the backfill still works' : ''}`,
      )
      return ms
    }
    const without = await p95('live calls only')
    await detection.order({ do: 'call', at: '2001-09-09 01:46:40' })
    const withOld = await p95('one call of 2001')
    await detection.order({
      do: 'history',
      history: { actors, calls: year, days: 365, fromCall: 500_000_000, daysAgo: days, recordedNow: true },
    })
    const withYear = await p95('a year of history')
    const again = await p95('live calls, again')
    return {
      figures: {
        p95_ratio: { value: round(Math.max(withOld, withYear) / without), unit: '×', goal: '<= 1.2' },
        p95_ratio_call_of_2001: { value: round(withOld / without), unit: '×' },
        p95_ratio_year: { value: round(withYear / without), unit: '×' },
        p95_ratio_noise: { value: round(again / without), unit: '×' },
        p95_ms: { value: Math.round(without), unit: 'ms' },
      },
    }
  } finally {
    await detection.stop()
    removeFolder(folder)
  }
}
