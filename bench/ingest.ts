import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startKafka } from '../test/helpers/kafka.ts'
import type { Bench } from './benchmark.ts'
import type { ContenderResult } from './ingest/contender.ts'
import { benchRecord } from './ingest/records.ts'

const CONTENDER = fileURLToPath(new URL('./ingest/contender.ts', import.meta.url))
const PARTITIONS = 3
const BATCH = 5000

/**
 * Rows from a real broker to stored rows with all rollups: gatewatch (decoded, validated, redacted, exactly once)
 * beside ClickHouse’s own Kafka engine into the same table with the same views on the same records. Rounds alternate;
 * the figures are ratios of medians.
 */
export const run: Bench = async ({ quick, progress }) => {
  const rows = quick ? 400_000 : 1_000_000
  const rounds = 3
  progress('starting a broker …')
  const kafka = await startKafka()
  try {
    const topic = 'bench'
    await kafka.createTopic(topic, PARTITIONS)
    progress(`producing ${rows} records …`)
    await fill(kafka, topic, rows)
    const results: Record<'engine' | 'gatewatch', ContenderResult[]> = { engine: [], gatewatch: [] }
    for (let round = 1; round <= rounds; round++) {
      for (const contender of ['engine', 'gatewatch'] as const) {
        const result = await contend(contender, kafka.brokers[0] ?? '', topic, rows)
        results[contender].push(result)
        progress(
          `round ${round}: ${contender} ${Math.round(rows / result.seconds)} rows/s, ${Math.round(rows / result.cpuSeconds)} rows per CPU-second`,
        )
      }
    }
    const rowsPerSecond = (contender: 'engine' | 'gatewatch') =>
      rows / median(results[contender].map(({ seconds }) => seconds))
    const rowsPerCpu = (contender: 'engine' | 'gatewatch') =>
      rows / median(results[contender].map(({ cpuSeconds }) => cpuSeconds))
    return {
      figures: {
        rows_ratio: {
          value: round2(rowsPerSecond('gatewatch') / rowsPerSecond('engine')),
          unit: '×',
          goal: '>= 1.0',
        },
        cpu_ratio: {
          value: round2(rowsPerCpu('gatewatch') / rowsPerCpu('engine')),
          unit: '×',
          goal: '>= 0.8',
        },
        rows_per_second: { value: Math.round(rowsPerSecond('gatewatch')), unit: 'rows/s' },
        rows_per_cpu_second: { value: Math.round(rowsPerCpu('gatewatch')), unit: 'rows/s' },
        rss_mb: { value: median(results.gatewatch.map(({ rssMb }) => rssMb)), unit: 'MB' },
      },
      baselines: {
        engine_rows_per_second: Math.round(rowsPerSecond('engine')),
        engine_rows_per_cpu_second: Math.round(rowsPerCpu('engine')),
      },
    }
  } finally {
    await kafka.stop()
  }
}

/** Runs one contender in a process of its own. */
export async function contend(
  contender: string,
  broker: string,
  topic: string,
  rows: number,
): Promise<ContenderResult> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [CONTENDER, contender, broker, topic, String(rows)],
    {
      env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
      maxBuffer: 16 * 1024 * 1024,
    },
  )
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as ContenderResult
}

async function fill(
  kafka: Awaited<ReturnType<typeof startKafka>>,
  topic: string,
  rows: number,
): Promise<void> {
  const producer = kafka.client('bench-producer').producer({ maxInFlightRequests: 4 })
  await producer.connect()
  for (let first = 0; first < rows; first += BATCH) {
    const messages = Array.from({ length: Math.min(BATCH, rows - first) }, (_, index) => ({
      value: benchRecord(first + index),
      partition: (first / BATCH) % PARTITIONS,
    }))
    await producer.send({ topic, messages })
  }
  await producer.disconnect()
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
export const round2 = (value: number): number => Math.round(value * 100) / 100
