import { createHash } from 'node:crypto'
import { create, toBinary } from '@bufbuild/protobuf'
import {
  EnvelopeSchema,
  LogRecordSchema,
  ResourceSchema,
  ScopeSchema,
} from '../ingest/formats/generated/otlp_pb.ts'
import { startKafka } from '../test/helpers/kafka.ts'
import type { Bench } from './benchmark.ts'
import type { ContenderResult } from './ingest/contender.ts'
import { benchRecord } from './ingest/records.ts'
import { contend, median, round2 } from './ingest.ts'

const PARTITIONS = 3
const RECORDS_IN_MESSAGE = 100
const MESSAGES_IN_BATCH = 50

/**
 * The same calls twice: as OTLP log records in protobuf, a hundred a message, as the Collector’s Kafka exporter writes
 * them, into gatewatch — until every call stands in the rollups, put together from its parts —, and as JSON lines into
 * ClickHouse’s own Kafka engine. Rounds alternate; the figures are ratios of medians.
 */
export const run: Bench = async ({ quick, progress }) => {
  const rows = quick ? 200_000 : 600_000
  progress('starting a broker …')
  const kafka = await startKafka()
  try {
    progress(`producing ${rows} calls twice …`)
    const producer = kafka.client('bench-producer').producer({ maxInFlightRequests: 4 })
    await producer.connect()
    await kafka.createTopic('json', PARTITIONS)
    await kafka.createTopic('otlp', PARTITIONS)
    const size = RECORDS_IN_MESSAGE * MESSAGES_IN_BATCH
    for (let first = 0; first < rows; first += size) {
      const partition = (first / size) % PARTITIONS
      const numbers = Array.from({ length: size }, (_, index) => first + index)
      await producer.send({
        topic: 'json',
        messages: numbers.map((number) => ({ value: benchRecord(number), partition })),
      })
      await producer.send({
        topic: 'otlp',
        messages: Array.from({ length: MESSAGES_IN_BATCH }, (_, index) => ({
          value: otlpMessage(numbers.slice(index * RECORDS_IN_MESSAGE, (index + 1) * RECORDS_IN_MESSAGE)),
          partition,
        })),
      })
    }
    await producer.disconnect()

    const results: Record<'engine' | 'gatewatch', ContenderResult[]> = { engine: [], gatewatch: [] }
    for (let round = 1; round <= 3; round++) {
      for (const contender of ['engine', 'gatewatch'] as const) {
        const topic = contender === 'engine' ? 'json' : 'otlp'
        const result = await contend(contender, kafka.brokers[0] ?? '', topic, rows)
        results[contender].push(result)
        progress(
          `round ${round}: ${contender} ${Math.round(rows / result.seconds)} rows/s, ${Math.round(rows / result.cpuSeconds)} rows per CPU-second`,
        )
      }
    }
    const rate = (contender: 'engine' | 'gatewatch', unit: 'seconds' | 'cpuSeconds') =>
      rows / median(results[contender].map((result) => result[unit]))
    return {
      figures: {
        rows_ratio: {
          value: round2(rate('gatewatch', 'seconds') / rate('engine', 'seconds')),
          unit: '×',
          goal: '>= 1.0',
        },
        cpu_ratio: {
          value: round2(rate('gatewatch', 'cpuSeconds') / rate('engine', 'cpuSeconds')),
          unit: '×',
        },
        rows_per_second: { value: Math.round(rate('gatewatch', 'seconds')), unit: 'rows/s' },
        rss_mb: { value: median(results.gatewatch.map(({ rssMb }) => rssMb)), unit: 'MB' },
      },
      baselines: {
        engine_rows_per_second: Math.round(rate('engine', 'seconds')),
        engine_rows_per_cpu_second: Math.round(rate('engine', 'cpuSeconds')),
      },
    }
  } finally {
    await kafka.stop()
  }
}

const scope = toBinary(ScopeSchema, create(ScopeSchema, { name: 'mcp.audit' }))
const resource = toBinary(
  ResourceSchema,
  create(ResourceSchema, { attributes: [attribute('service.name', 'gateway-1')] }),
)

export function otlpMessage(numbers: readonly number[]): Buffer {
  const records = numbers.map(otlpRecord)
  const envelope = create(EnvelopeSchema, { resources: [{ resource, scopes: [{ scope, records }] }] })
  return Buffer.from(toBinary(EnvelopeSchema, envelope))
}

const ATTRIBUTE_OF: Readonly<Record<string, string>> = { event_id: 'audit.event.id' }

// The fields of `benchRecord`, in the names of the conventions, in the context of a span.
function otlpRecord(number: number): Uint8Array {
  const { occurred_at, ...fields } = JSON.parse(benchRecord(number)) as Record<string, string | number>
  const id = createHash('sha256').update(String(number)).digest()
  return toBinary(
    LogRecordSchema,
    create(LogRecordSchema, {
      timeUnixNano: `${Date.parse(String(occurred_at))}000000`,
      severityNumber: 9,
      traceId: id.subarray(0, 16),
      spanId: id.subarray(16, 24),
      attributes: Object.entries(fields).map(([key, value]) => attribute(ATTRIBUTE_OF[key] ?? key, value)),
    }),
  )
}

function attribute(key: string, value: string | number) {
  const wrapped =
    typeof value === 'string'
      ? { case: 'stringValue' as const, value }
      : Number.isInteger(value)
        ? { case: 'intValue' as const, value: String(value) }
        : { case: 'doubleValue' as const, value }
  return { key, value: { value: wrapped } }
}
