import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Bench } from './benchmark.ts'
import { loadRealRecords } from './ingest/real-records.ts'
import { median } from './ingest.ts'
import { type Cost, KINDS, type Kind } from './pipeline/cost.ts'

/**
 * What a record costs between Kafka and the store: microseconds of CPU time of one thread for its way through the
 * pipeline and into a block of the store’s, without those that read and store. `us_per_record` and `us_per_otlp_record`
 * are of the records of `bench ingest` and `bench ingest-otlp`, `us_per_rich_record` of those of `bench redaction`,
 * `us_per_real_…` of real calls in the shapes of real gateway records (`ingest/real-records.ts`), which need the data
 * beside the project. `parse_ratio` is what those of 1 kB cost for each microsecond that `JSON.parse` takes for them.
 * Each round has new records; kinds alternate, and the figures are medians of the rounds.
 */
export const run: Bench = async ({ quick, progress }) => {
  const rounds = quick ? 8 : 24
  const hasData = loadRealRecords() !== undefined
  if (!hasData) progress('../shared/data is not there: no figures of real records')
  const kinds = KINDS.filter((kind) => hasData || !kind.startsWith('real_')).map((kind) => ({
    kind,
    worker: new Worker(new URL('./pipeline/cost.ts', import.meta.url), { workerData: kind }),
    costs: [] as number[],
    ratios: [] as number[],
  }))
  for (let round = 0; round <= rounds; round++) {
    for (const { worker, costs, ratios } of kinds) {
      const answer = once(worker, 'message')
      worker.postMessage(round)
      const [{ pipeline, parse }] = (await answer) as [Cost]
      // The first round is the compiler’s.
      if (round === 0) continue
      costs.push(pipeline)
      if (parse !== undefined) ratios.push(pipeline / parse)
    }
  }
  const figures: Record<string, { value: number; unit: string; goal?: string }> = {}
  for (const { kind, worker, costs, ratios } of kinds) {
    progress(`${kind}: ${costs.map((micros) => micros.toFixed(1)).join(' ')}`)
    figures[nameOf(kind)] = { value: Number(median(costs).toFixed(2)), unit: 'µs of CPU' }
    if (kind === 'real_1kb_record')
      figures['parse_ratio'] = { value: Number(median(ratios).toFixed(1)), unit: '×', goal: '<= 5' }
    await worker.terminate()
  }
  return { figures }
}

const nameOf = (kind: Kind): string => `us_per_${kind}`
