import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Bench } from './bench.ts'
import type { HistoryResult } from './tick/history.ts'

const HISTORY = fileURLToPath(new URL('./tick/history.ts', import.meta.url))
const SMALL = { events: 1_000_000, days: 28 }
const LARGE = { events: 4_000_000, days: 112 }

/**
 * What a five-second tick costs with a month and with four months of history (the same traffic a day): 25 new events
 * of 500 actors before each tick, medians. A tick must follow what arrives, not what is there.
 */
export const run: Bench = async ({ quick, progress }) => {
  const ticks = quick ? 15 : 40
  const measure = async ({ events, days }: typeof SMALL): Promise<HistoryResult> => {
    progress(`${events} events over ${days} days …`)
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [HISTORY, String(events), String(days), String(ticks)],
      {
        env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
      },
    )
    const result = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as HistoryResult
    progress(
      `first tick ${result.firstTickSeconds.toFixed(1)} s, later ticks ${Math.round(result.tickMs)} ms`,
    )
    return result
  }
  const small = await measure(SMALL)
  const large = await measure(LARGE)
  return {
    figures: {
      growth_ratio: { value: round(large.tickMs / small.tickMs), unit: '×', goal: '<= 1.2' },
      cpu_growth_ratio: { value: round(large.tickCpuMs / small.tickCpuMs), unit: '×' },
      tick_ms: { value: Math.round(large.tickMs), unit: 'ms' },
      cpu_seconds: { value: round(large.tickCpuMs / 1000), unit: 's' },
      first_tick_seconds: { value: round(small.firstTickSeconds), unit: 's' },
      first_tick_seconds_4m: { value: round(large.firstTickSeconds), unit: 's' },
    },
  }
}

const round = (value: number): number => Math.round(value * 100) / 100
