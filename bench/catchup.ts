import type { Bench } from './benchmark.ts'
import { makeFolder, removeFolder, round, startDetection } from './detection/child.ts'

const SIZES = {
  full: { actors: 10_000, calls: 10_000_000 },
  quick: { actors: 500, calls: 1_000_000 },
} as const

/** Detection was away for three days: how fast it judges all that arrived meanwhile, and how much memory that takes. */
export const run: Bench = async ({ quick, progress }) => {
  const { actors, calls } = quick ? SIZES.quick : SIZES.full
  const folder = makeFolder()
  const detection = await startDetection(folder)
  try {
    progress('a month of history, judged …')
    await detection.order({ do: 'history', history: { actors, calls: calls / 5, days: 28, daysAgo: 3 } })
    await detection.order({ do: 'drain' })
    progress(`${calls} calls of three days arrive …`)
    await detection.order({
      do: 'history',
      history: { actors, calls, days: 3, fromCall: 500_000_000, recordedNow: true },
    })
    const { wallMs, cpuMs, grownBytes } = await detection.order({ do: 'drain' })
    return {
      figures: {
        events_per_second: {
          value: Math.round(calls / (wallMs / 1000)),
          unit: 'events/s',
          goal: '>= 300000',
        },
        rss_growth_mb: { value: Math.round(grownBytes / 2 ** 20), unit: 'MB', goal: '<= 300' },
        cpu_us_per_event: { value: round((cpuMs * 1000) / calls), unit: 'µs' },
      },
    }
  } finally {
    await detection.stop()
    removeFolder(folder)
  }
}
