import type { Bench } from './benchmark.ts'
import { makeFolder, median, removeFolder, round, startDetection } from './detection/child.ts'

const SIZES = {
  full: { actors: 10_000, calls: 10_000_000, days: 28 },
  quick: { actors: 500, calls: 1_000_000, days: 28 },
} as const

/** From the start of a process to the end of its first tick, over a store that another process judged; medians. */
export const run: Bench = async ({ quick, progress }) => {
  const { actors, calls, days } = quick ? SIZES.quick : SIZES.full
  const folder = makeFolder()
  try {
    progress(`${calls} calls of ${actors} actors over ${days} days …`)
    const first = await startDetection(folder)
    await first.order({ do: 'history', history: { actors, calls, days } })
    const judged = await first.order({ do: 'drain' })
    progress(`judged for the first time in ${(judged.wallMs / 1000).toFixed(1)} s`)
    // Something arrives while nobody runs, and must be judged by the first tick.
    await first.order({ do: 'tick', actors, calls: 25 })
    await first.stop()
    const seconds: number[] = []
    for (let start = 0; start < (quick ? 3 : 5); start += 1) {
      const beganMs = performance.now()
      const detection = await startDetection(folder)
      await detection.order({ do: 'tick', actors, calls: 25 })
      seconds.push((performance.now() - beganMs) / 1000)
      await detection.stop()
      progress(`start ${start + 1}: ${seconds.at(-1)?.toFixed(1)} s`)
    }
    return { figures: { seconds: { value: round(median(seconds)), unit: 's', goal: '<= 5' } } }
  } finally {
    removeFolder(folder)
  }
}
