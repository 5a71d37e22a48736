import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { startDemo } from '../test/helpers/demo.ts'
import type { Bench } from './benchmark.ts'

/** Resident memory of the embedded process: the demo’s month loaded, judged and served, then live traffic. */
export const run: Bench = async ({ quick, progress }) => {
  progress('starting the demo …')
  const demo = await startDemo()
  try {
    for (const path of ['/v1/overview', '/v1/findings', '/v1/events', '/v1/volume']) await demo.get(path)
    const afterLoad = rssMb(demo.pid)
    progress('live traffic …')
    await sleep(quick ? 20_000 : 120_000)
    return {
      figures: {
        rss_mb: { value: rssMb(demo.pid), unit: 'MB' },
        rss_after_load_mb: { value: afterLoad, unit: 'MB' },
        rss_peak_mb: { value: rssMb(demo.pid, 'VmHWM'), unit: 'MB' },
      },
    }
  } finally {
    await demo.stop()
  }
}

function rssMb(pid: number, field = 'VmRSS'): number {
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(
    readFileSync(`/proc/${pid}/status`, 'utf8'),
  )?.[1]
  return Math.round(Number(kilobytes) / 1024)
}
