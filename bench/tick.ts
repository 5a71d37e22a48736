import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Bench } from './benchmark.ts'
import type { TickCost } from './tick/history.ts'

const HISTORY = fileURLToPath(new URL('./tick/history.ts', import.meta.url))

/** Of 500 actors: four times as long, and four times as much a day. */
const SIZES = {
  month: { calls: 1_000_000, days: 28 },
  fourMonths: { calls: 4_000_000, days: 112 },
  busyMonth: { calls: 4_000_000, days: 28 },
} as const

interface Measured {
  readonly first: TickCost
  readonly ticks: TickCost[]
  readonly process: ChildProcess
}

/**
 * What a five-second tick costs with a month and with four months of history: 25 new events before each tick, medians. A
 * tick must follow what arrives, not what is there. The sizes tick by turns, so that they meet the same machine.
 */
export const run: Bench = async ({ quick, progress }) => {
  const start = async ({ calls, days }: { calls: number; days: number }): Promise<Measured> => {
    progress(`${calls} calls over ${days} days …`)
    const child = fork(HISTORY, [String(calls), String(days)], {
      env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
    })
    const first = await nextCost(child)
    progress(`first tick ${(first.wallMs / 1000).toFixed(1)} s`)
    return { first, ticks: [], process: child }
  }
  const month = await start(SIZES.month)
  const fourMonths = await start(SIZES.fourMonths)
  const busyMonth = await start(SIZES.busyMonth)
  for (let tick = 0; tick < (quick ? 15 : 60); tick += 1) {
    for (const { process: child, ticks } of [month, fourMonths, busyMonth]) {
      child.send('tick')
      ticks.push(await nextCost(child))
    }
  }
  for (const { process: child } of [month, fourMonths, busyMonth]) {
    child.disconnect()
    await once(child, 'exit')
  }
  const wallMs = ({ ticks }: Measured) => median(ticks.map((tick) => tick.wallMs))
  const cpuMs = ({ ticks }: Measured) => median(ticks.map((tick) => tick.cpuMs))
  return {
    figures: {
      growth_ratio: { value: round(wallMs(fourMonths) / wallMs(month)), unit: '×', goal: '<= 1.2' },
      cpu_growth_ratio: { value: round(cpuMs(fourMonths) / cpuMs(month)), unit: '×' },
      growth_ratio_busier: { value: round(wallMs(busyMonth) / wallMs(month)), unit: '×' },
      tick_ms: { value: Math.round(wallMs(fourMonths)), unit: 'ms' },
      tick_ms_1m: { value: Math.round(wallMs(month)), unit: 'ms' },
      cpu_seconds: { value: round(cpuMs(fourMonths) / 1000), unit: 's' },
      first_tick_seconds: { value: round(month.first.wallMs / 1000), unit: 's' },
      first_tick_seconds_4m: { value: round(fourMonths.first.wallMs / 1000), unit: 's' },
    },
  }
}

async function nextCost(child: ChildProcess): Promise<TickCost> {
  const ended = new AbortController()
  const died = once(child, 'exit', { signal: ended.signal }).then(([code, signal]) => {
    throw new Error(`bench/tick/history.ts ended with ${code ?? signal}`)
  })
  try {
    const [cost] = await Promise.race([once(child, 'message', { signal: ended.signal }), died])
    return cost as TickCost
  } finally {
    died.catch(() => {})
    ended.abort()
  }
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

const round = (value: number): number => Math.round(value * 100) / 100
