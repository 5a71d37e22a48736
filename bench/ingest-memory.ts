import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startKafka } from '../test/helpers/kafka.ts'
import type { Bench } from './benchmark.ts'
import { benchRecord } from './ingest/records.ts'
import { median } from './ingest.ts'

const CONTENDER = fileURLToPath(new URL('./ingest/contender.ts', import.meta.url))
const TOPIC = 'bench'
const PARTITIONS = 3
const BATCH = 5000
const MOST_BEHIND = 300_000
const MINUTE_MS = 60_000
const SAMPLE_MS = 500
const PROGRESS_MS = 10_000

/**
 * Resident memory of the ingest process (with the embedded store in it) while it always has records waiting: how much
 * more it is at the end, by the median of the last tenth, than by the median of the tenth that follows the first minute.
 * Ten minutes; one minute after the first with `--quick`.
 */
export const run: Bench = async ({ quick, progress }) => {
  const measuredMs = (quick ? 1 : 9) * MINUTE_MS
  progress('starting a broker …')
  const kafka = await startKafka()
  const child = { process: undefined as ChildProcess | undefined }
  try {
    await kafka.createTopic(TOPIC, PARTITIONS)
    const producer = kafka.client('bench-producer').producer({ maxInFlightRequests: 4 })
    const admin = kafka.client('bench-admin').admin()
    await Promise.all([producer.connect(), admin.connect()])
    // It never has what it waits for; it is killed at the end.
    const ingest = spawn(
      process.execPath,
      [CONTENDER, 'gatewatch', kafka.brokers[0] ?? '', TOPIC, String(Number.MAX_SAFE_INTEGER)],
      { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, UV_THREADPOOL_SIZE: '16' } },
    )
    child.process = ingest
    const group = `bench-gatewatch-${ingest.pid}`
    let produced = 0
    let stored = 0
    let over = false
    const feed = async () => {
      while (!over) {
        if (produced - stored > MOST_BEHIND) {
          await sleep(50)
          continue
        }
        const messages = Array.from({ length: BATCH }, (_, index) => ({
          value: benchRecord(produced + index),
          partition: (produced / BATCH) % PARTITIONS,
        }))
        await producer.send({ topic: TOPIC, messages })
        produced += BATCH
      }
    }
    const follow = async () => {
      while (!over) {
        const [topic] = await admin.fetchOffsets({ groupId: group, topics: [TOPIC] }).catch(() => [])
        stored = (topic?.partitions ?? []).reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0)
        await sleep(200)
      }
    }
    const samples: { readonly atMs: number; readonly mb: number }[] = []
    const sample = async () => {
      // The first minute begins with the first stored record.
      while (stored === 0) await sleep(100)
      const beganMs = performance.now()
      let toldMs = 0
      for (;;) {
        const atMs = performance.now() - beganMs
        if (atMs > MINUTE_MS + measuredMs) break
        if (ingest.exitCode !== null) throw new Error(`the ingest process ended with ${ingest.exitCode}`)
        samples.push({ atMs, mb: residentMb(ingest.pid ?? 0) })
        if (atMs - toldMs > PROGRESS_MS) {
          progress(`${Math.round(atMs / 1000)} s: ${samples.at(-1)?.mb} MB, ${stored} stored`)
          toldMs = atMs
        }
        await sleep(SAMPLE_MS)
      }
      over = true
      return stored / ((MINUTE_MS + measuredMs) / 1000)
    }
    const [rate] = await Promise.all([sample(), feed(), follow()])
    await Promise.all([producer.disconnect(), admin.disconnect()])
    const between = (fromMs: number, toMs: number) =>
      median(samples.filter(({ atMs }) => atMs >= fromMs && atMs < toMs).map(({ mb }) => mb))
    const before = between(MINUTE_MS, MINUTE_MS + measuredMs / 10)
    const after = between(MINUTE_MS + measuredMs * 0.9, Number.POSITIVE_INFINITY)
    return {
      figures: {
        rss_growth_mb: { value: after - before, unit: 'MB', goal: '<= 50' },
        rss_mb: { value: after, unit: 'MB' },
        rss_peak_mb: { value: Math.max(...samples.map(({ mb }) => mb)), unit: 'MB' },
        rows: { value: stored, unit: 'rows' },
        rows_per_second: { value: Math.round(rate), unit: 'rows/s' },
      },
    }
  } finally {
    child.process?.kill('SIGKILL')
    await kafka.stop()
  }
}

function residentMb(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Math.round(Number(kilobytes) / 1024)
}
