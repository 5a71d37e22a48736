import type { Bench } from './benchmark.ts'
import { type Detection, makeFolder, median, removeFolder, round, startDetection } from './detection/child.ts'
import type { Cost } from './detection/process.ts'

const SIZES = {
  full: { actors: 10_000, calls: 10_000_000, days: 28 },
  quick: { actors: 500, calls: 1_000_000, days: 28 },
} as const

interface Measured {
  readonly name: string
  readonly folder: string
  readonly detection: Detection
  readonly first: Cost
  readonly ticks: Cost[]
}

/**
 * What a tick costs over a history and over one of twice (quick: four times) as many calls in as many times the days: 25
 * new calls before each tick, medians. A tick must follow what arrives, not what is there. The sizes tick by turns, so that they
 * meet the same machine.
 */
export const run: Bench = async ({ quick, progress }) => {
  const size = quick ? SIZES.quick : SIZES.full
  const times = quick ? 4 : 2
  const start = async (name: string, calls: number, days: number): Promise<Measured> => {
    progress(`${name}: ${calls} calls of ${size.actors} actors over ${days} days …`)
    const folder = makeFolder()
    const detection = await startDetection(folder)
    await detection.order({ do: 'history', history: { actors: size.actors, calls, days } })
    const first = await detection.order({ do: 'drain' })
    progress(`judged for the first time in ${(first.wallMs / 1000).toFixed(1)} s`)
    return { name, folder, detection, first, ticks: [] }
  }
  const small = await start('small', size.calls, size.days)
  const large = await start('large', size.calls * times, size.days * times)
  const all = [small, large]
  for (let tick = 0; tick < (quick ? 15 : 40); tick += 1) {
    for (const { detection, ticks } of all)
      ticks.push(await detection.order({ do: 'tick', actors: size.actors, calls: 25 }))
  }
  for (const { detection, folder } of all) {
    await detection.stop()
    removeFolder(folder)
  }
  const wallMs = ({ ticks }: Measured) => median(ticks.map((tick) => tick.wallMs))
  const cpuMs = ({ ticks }: Measured) => median(ticks.map((tick) => tick.cpuMs))
  return {
    figures: {
      growth_ratio: { value: round(wallMs(large) / wallMs(small)), unit: '×', goal: '<= 1.1' },
      cpu_growth_ratio: { value: round(cpuMs(large) / cpuMs(small)), unit: '×' },
      cpu_seconds: { value: round(cpuMs(large) / 1000), unit: 's', goal: '<= 0.3' },
      tick_ms: { value: Math.round(wallMs(large)), unit: 'ms' },
      tick_ms_small: { value: Math.round(wallMs(small)), unit: 'ms' },
      first_judgement_seconds: { value: round(small.first.wallMs / 1000), unit: 's' },
      first_judgement_seconds_large: { value: round(large.first.wallMs / 1000), unit: 's' },
    },
  }
}
