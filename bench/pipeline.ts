import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Bench } from './benchmark.ts'
import { median } from './ingest.ts'
import { KINDS, type Kind } from './pipeline/cost.ts'

/**
 * What a record costs between Kafka and the store: microseconds of CPU time of one thread for its way through the
 * pipeline and into a block of the store’s, without those that read and store. `us_per_record` and `us_per_otlp_record`
 * are of the records of `bench ingest` and `bench ingest-otlp`, `us_per_rich_record` of those of `bench redaction`. Each
 * round has new records; kinds alternate, and the figures are medians of the rounds.
 */
export const run: Bench = async ({ quick, progress }) => {
  const rounds = quick ? 8 : 24
  const kinds = KINDS.map((kind) => ({
    kind,
    worker: new Worker(new URL('./pipeline/cost.ts', import.meta.url), { workerData: kind }),
    costs: [] as number[],
  }))
  for (let round = 0; round <= rounds; round++) {
    for (const { worker, costs } of kinds) {
      const answer = once(worker, 'message')
      worker.postMessage(round)
      const [micros] = (await answer) as [number]
      // The first round is the compiler’s.
      if (round > 0) costs.push(micros)
    }
  }
  const figures: Record<string, { value: number; unit: string }> = {}
  for (const { kind, worker, costs } of kinds) {
    progress(`${kind}: ${costs.map((micros) => micros.toFixed(1)).join(' ')}`)
    figures[nameOf(kind)] = { value: Number(median(costs).toFixed(2)), unit: 'µs of CPU' }
    await worker.terminate()
  }
  return { figures }
}

const nameOf = (kind: Kind): string => `us_per_${kind}`
