import { parentPort, workerData } from 'node:worker_threads'
import { loadToolCatalogue } from '../../app/wire/pipeline.ts'
import { systemClock } from '../../core/clock.ts'
import { createPipeline } from '../../ingest/pipeline.ts'
import { sliceLength } from '../../ingest/pipeline-slices.ts'
import type { RawRecord } from '../../ingest/record.ts'
import { createBlockEncoder } from '../../store/event-writer.ts'
import { loadRealRecords } from '../ingest/real-records.ts'
import { benchRecord } from '../ingest/records.ts'
import { otlpMessage } from '../ingest-otlp.ts'
import { richRecord } from '../redaction/records.ts'

/** Kinds of records, each measured in a thread of its own: the compiler then knows no other, as in a real topic. */
export const KINDS = [
  'record',
  'rich_record',
  'otlp_record',
  'real_300b_record',
  'real_1kb_record',
  'real_4kb_record',
] as const
export type Kind = (typeof KINDS)[number]

/** What a round of records cost, in microseconds of CPU time a record. */
export interface Cost {
  readonly pipeline: number
  /** `JSON.parse` of the same bytes; of records that are no JSON, nothing. */
  readonly parse: number | undefined
}

const KEY = { id: 'k1', secret: new Uint8Array(32).fill(7) }
const RECORDS = 30_000
const RECORDS_IN_MESSAGE = 100

const REAL_BYTES: Partial<Record<Kind, number>> = {
  real_300b_record: 300,
  real_1kb_record: 1_000,
  real_4kb_record: 4_000,
}

const real = loadRealRecords()
const realValues =
  (kind: Kind) =>
  (first: number): readonly Uint8Array[] =>
    numbers(first, RECORDS).map((number) =>
      Buffer.from(real?.recordOf(number, REAL_BYTES[kind] ?? 0) ?? benchRecord(number)),
    )

const VALUES: Readonly<Record<Kind, (first: number) => readonly Uint8Array[]>> = {
  record: (first) => numbers(first, RECORDS).map((number) => Buffer.from(benchRecord(number))),
  rich_record: (first) => numbers(first, RECORDS).map((number) => Buffer.from(richRecord(number))),
  otlp_record: (first) =>
    numbers(0, RECORDS / RECORDS_IN_MESSAGE).map((message) =>
      otlpMessage(numbers(first + message * RECORDS_IN_MESSAGE, RECORDS_IN_MESSAGE)),
    ),
  real_300b_record: realValues('real_300b_record'),
  real_1kb_record: realValues('real_1kb_record'),
  real_4kb_record: realValues('real_4kb_record'),
}

/** Takes the number of a round, answers with what each of its records cost. */
parentPort?.on('message', (round: number) => {
  const kind = workerData as Kind
  const values = VALUES[kind](round * RECORDS)
  const parse = kind === 'otlp_record' ? undefined : costOfParsing(values)
  const records = values.map(rawRecord)
  const before = process.threadCpuUsage()
  const encoder = createBlockEncoder()
  for (let at = 0; at < records.length; ) {
    const length = sliceLength(records, at)
    encoder.add(pipeline(records.slice(at, at + length)))
    at += length
  }
  encoder.finish()
  const { user, system } = process.threadCpuUsage(before)
  parentPort?.postMessage({ pipeline: (user + system) / RECORDS, parse } satisfies Cost)
})

function costOfParsing(values: readonly Uint8Array[]): number {
  const before = process.threadCpuUsage()
  let fields = 0
  for (const value of values)
    fields += Object.keys(JSON.parse(Buffer.from(value).toString('utf8')) as object).length
  const { user, system } = process.threadCpuUsage(before)
  if (fields === 0) throw new Error('the records are empty')
  return (user + system) / values.length
}

const pipeline = createPipeline({ catalogue: loadToolCatalogue(), redactionKey: KEY, clock: systemClock })

const numbers = (first: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, at) => first + at)

const rawRecord = (value: Uint8Array, offset: number): RawRecord => ({
  value,
  headers: {},
  timestampMs: Date.now(),
  timestampSource: 'broker',
  tenant: 'default',
  topic: 'bench',
  partition: 0,
  offset,
})
