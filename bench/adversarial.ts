import { loadToolCatalogue } from '../app/wire/pipeline.ts'
import { systemClock } from '../core/clock.ts'
import { createPipeline, type Pipeline } from '../ingest/pipeline.ts'
import type { RawRecord } from '../ingest/record.ts'
import { expressionsIn, hostilePieces, randomFrom, repeated } from '../test/helpers/hostile/pieces.ts'
import { PLACES } from '../test/helpers/hostile/places.ts'
import type { Bench } from './benchmark.ts'
import { richRecord } from './redaction/records.ts'

const KEY = { id: 'k1', secret: new Uint8Array(32).fill(7) }
const TEXTS = 2000
const LENGTH = 32_768
// So many of the dearest are measured again, carefully; what the first look says is mostly noise.
const FINALISTS = 40

/**
 * What the dearest text costs that anybody could send: CPU per KiB of texts made against every expression that ingest is
 * written with, each in one of the places where a text may stand in a record, through the whole pipeline. `worst_ratio`
 * divides it by that of ordinary records with long texts, code and queries; `growth` is what twice the length costs.
 */
export const run: Bench = async ({ quick, progress }) => {
  const pipeline = createPipeline({
    catalogue: loadToolCatalogue(),
    redactionKey: KEY,
    clock: systemClock,
  })
  const pieces = hostilePieces(expressionsIn(['core', 'ingest']), quick ? TEXTS / 4 : TEXTS, randomFrom(1))
  const ordinary = Array.from({ length: 2000 }, (_, number) => recordOf(richRecord(number)))
  let ordinaryCost = least(quick ? 5 : 15, () => costPerKib(pipeline, ordinary))

  const first = pieces
    .map((piece, index) => {
      const place = PLACES[index % PLACES.length] as (typeof PLACES)[number]
      return { piece, place, cost: costPerKib(pipeline, [recordOf(place.make(repeated(piece, LENGTH)))]) }
    })
    .sort((a, b) => b.cost - a.cost)
  const finalists = first.slice(0, FINALISTS).map(({ piece, place }) => {
    const [single, double] = [LENGTH, 2 * LENGTH].map((length) => {
      const record = recordOf(place.make(repeated(piece, length)))
      return least(5, () => costPerKib(pipeline, [record]))
    }) as [number, number]
    // Others use the machine too, now more and now less: both are measured at the same times.
    ordinaryCost = Math.min(ordinaryCost, costPerKib(pipeline, ordinary))
    return { piece, place, cost: single, growth: (2 * double) / single }
  })
  finalists.sort((a, b) => b.cost - a.cost)
  for (const { piece, place, cost, growth } of finalists.slice(0, 10))
    progress(
      `${cost.toFixed(0)} µs/KiB, ×${growth.toFixed(2)} at twice the length, ${place.name}: ${JSON.stringify(piece.slice(0, 80))}`,
    )
  const worst = finalists[0]?.cost ?? 0
  return {
    figures: {
      worst_ratio: { value: round(worst / ordinaryCost), unit: '×', goal: '<= 20' },
      growth: { value: round(median(finalists.map(({ growth }) => growth))), unit: '×', goal: '<= 2.3' },
      growth_worst: { value: round(Math.max(...finalists.map(({ growth }) => growth))), unit: '×' },
      ordinary_cpu: { value: round(ordinaryCost), unit: 'µs/KiB' },
      worst_cpu: { value: round(worst), unit: 'µs/KiB' },
      texts: { value: pieces.length, unit: 'texts' },
    },
  }
}

const recordOf = (value: string | Uint8Array): RawRecord => ({
  value: Buffer.from(value),
  headers: {},
  timestampMs: Date.now(),
  timestampSource: 'received',
  tenant: 'default',
  topic: 'bench',
  partition: 0,
  offset: 0,
})

function costPerKib(pipeline: Pipeline, records: readonly RawRecord[]): number {
  const before = process.threadCpuUsage()
  pipeline(records)
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / (records.reduce((sum, { value }) => sum + value.length, 0) / 1024)
}

const least = (times: number, measure: () => number): number =>
  Math.min(...Array.from({ length: times }, measure))

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

const round = (value: number): number => Number(value.toFixed(2))
