import { parentPort, workerData } from 'node:worker_threads'
import { loadToolCatalogue } from '../../app/wire/pipeline.ts'
import { systemClock } from '../../core/clock.ts'
import { createPipeline } from '../../ingest/pipeline.ts'
import { sliceLength } from '../../ingest/pipeline-slices.ts'
import type { RawRecord } from '../../ingest/record.ts'
import { createBlockEncoder } from '../../store/event-writer.ts'
import { benchRecord } from '../ingest/records.ts'
import { otlpMessage } from '../ingest-otlp.ts'
import { richRecord } from '../redaction/records.ts'

/** Kinds of records, each measured in a thread of its own: the compiler then knows no other, as in a real topic. */
export const KINDS = ['record', 'rich_record', 'otlp_record'] as const
export type Kind = (typeof KINDS)[number]

const KEY = { id: 'k1', secret: new Uint8Array(32).fill(7) }
const RECORDS = 30_000
const RECORDS_IN_MESSAGE = 100

const VALUES: Readonly<Record<Kind, (first: number) => readonly Uint8Array[]>> = {
  record: (first) => numbers(first, RECORDS).map((number) => Buffer.from(benchRecord(number))),
  rich_record: (first) => numbers(first, RECORDS).map((number) => Buffer.from(richRecord(number))),
  otlp_record: (first) =>
    numbers(0, RECORDS / RECORDS_IN_MESSAGE).map((message) =>
      otlpMessage(numbers(first + message * RECORDS_IN_MESSAGE, RECORDS_IN_MESSAGE)),
    ),
}

/** Takes the number of a round, answers with the microseconds of CPU time that each of its records cost. */
parentPort?.on('message', (round: number) => {
  const records = VALUES[workerData as Kind](round * RECORDS).map(rawRecord)
  const before = process.threadCpuUsage()
  const encoder = createBlockEncoder()
  for (let at = 0; at < records.length; ) {
    const length = sliceLength(records, at)
    encoder.add(pipeline(records.slice(at, at + length)))
    at += length
  }
  encoder.finish()
  const { user, system } = process.threadCpuUsage(before)
  parentPort?.postMessage((user + system) / RECORDS)
})

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
