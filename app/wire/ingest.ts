import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Clock } from '../../core/clock.ts'
import { parseToolCatalogue, type ToolCatalogue } from '../../core/tool-catalogue.ts'
import { createAssemble } from '../../ingest/assemble.ts'
import { createAssembler } from '../../ingest/assembler.ts'
import { createPipeline, type Pipeline } from '../../ingest/pipeline.ts'
import type { Batch } from '../../ingest/record.ts'
import { openSegmentLog, type SegmentLog } from '../../ingest/segment-log.ts'
import { recordsOfBody } from '../../ingest/sources/http.ts'
import { createKafkaSource, type KafkaSource } from '../../ingest/sources/kafka.ts'
import { createIngestTelemetry, INGEST_COUNTERS, type IngestTelemetry } from '../../ingest/telemetry.ts'
import type { Database } from '../../store/database.ts'
import { createBatchWriter, createBlockEncoder, encodeBatch } from '../../store/event-writer.ts'
import { createPartStore } from '../../store/parts.ts'
import { findStoredIds } from '../../store/stored-ids.ts'
import type { Config } from '../config.ts'
import type { Credentials } from '../credentials.ts'
import type { Part } from '../lifecycle.ts'

const SHIPPED_CATALOGUE = new URL('../../core/tool-catalogue.yaml', import.meta.url)
const ASSEMBLE_EVERY_MS = 1000

/** The shipped tool catalogue. @throws GatewatchError `config_invalid` */
export const loadToolCatalogue = (): ToolCatalogue =>
  parseToolCatalogue(readFileSync(SHIPPED_CATALOGUE, 'utf8'))

export interface IngestOptions {
  readonly config: Config
  readonly credentials: Credentials
  readonly database: Database
  readonly clock: Clock
  readonly logger: Logger
  readonly registry: Registry
}

/** What every way in shares: the pipeline, the encoding and the writer. */
export function createIngest({ config, credentials, database, clock, logger, registry }: IngestOptions) {
  const completion = {
    catalogue: loadToolCatalogue(),
    ...(config.actorPrecedence ? { actorPrecedence: config.actorPrecedence as never } : {}),
  }
  const pipeline: Pipeline = createPipeline({
    ...completion,
    redactionKey: { id: 'k1', secret: credentials.redactionKey },
    clock,
  })
  return {
    pipeline,
    writer: createBatchWriter(database),
    assemble: createAssemble(completion),
    telemetry: createIngestTelemetry(logger, ingestCounters(registry)),
  }
}

export type Ingest = ReturnType<typeof createIngest>

function ingestCounters(registry: Registry) {
  const labels = {
    records_read: ['source'],
    rows_stored: ['source'],
    duplicates: ['source'],
    rows_rejected: ['source'],
    store_retries: ['source'],
    offset_gaps: ['partition'],
    rebalances: [],
  } as const
  const counters = new Map(
    Object.entries(INGEST_COUNTERS).map(([name, help]) => [
      name,
      new Counter({
        name: `gatewatch_ingest_${name}_total`,
        help,
        labelNames: [...labels[name as keyof typeof INGEST_COUNTERS]],
        registers: [registry],
      }),
    ]),
  )
  return (name: string, by: number, values: Readonly<Record<string, string>>) =>
    counters.get(name)?.inc({ ...values }, by)
}

/** Opens the segment log of this process’s own sources (HTTP, files). */
export function openSegments(
  config: Config,
  ingest: Ingest,
  database: Database,
  telemetry: IngestTelemetry,
): Promise<SegmentLog> {
  return openSegmentLog({
    folder: join(config.data, 'segments'),
    encode: encodeBatch,
    write: (blocks, token) => ingest.writer.write(blocks, token),
    findStored: (question) => findStoredIds(database, question),
    telemetry,
  })
}

/** The HTTP way in: answers when every record is on disk. */
export function createIntake({ ingest, segments }: { ingest: Ingest; segments: SegmentLog }) {
  return {
    async accept(body: {
      readonly bytes: Uint8Array
      readonly headers: Readonly<Record<string, string>>
      readonly tenant: string
      readonly receivedAtMs: number
    }) {
      const format = body.headers['x-gatewatch-format']
      const { records, lines } = recordsOfBody({
        body: body.bytes,
        headers: body.headers,
        tenant: body.tenant,
        // Another process has an HTTP source too: the same coordinates must not mean two records.
        topic: `http-${segments.id}`,
        ...(format === undefined ? {} : { format }),
        nowMs: body.receivedAtMs,
        reserve: (topic, count) => segments.reserve(topic, count),
      })
      ingest.telemetry.recordsRead('http', records.length)
      const batch = ingest.pipeline(records)
      const { stored } = await segments.append(batch)
      const duplicate = body.headers['x-gatewatch-wait'] === 'stored' ? (await stored).duplicates : 0
      if (body.headers['x-gatewatch-wait'] !== 'stored') stored.catch(() => {})
      return {
        ...receiptOf(batch, duplicate),
        read: records.length,
        errors: errorsOf(batch, records[0]?.offset ?? 0, lines),
      }
    },
  }
}

const receiptOf = (batch: Batch, duplicate: number) => ({
  stored: batch.events.length + batch.parts.length - duplicate,
  deadLettered: batch.deadLetters.length,
  duplicate,
})

const errorsOf = (batch: Batch, firstOffset: number, lines: readonly number[]) =>
  batch.deadLetters.map(({ offset, reason, message, field }) => ({
    line: lines[offset - firstOffset] ?? 0,
    reason,
    message,
    ...(field === '' ? {} : { field }),
  }))

export interface KafkaPart extends Part {
  readonly source: KafkaSource
}

/** The Kafka way in. */
export function createKafkaPart(
  kafka: NonNullable<Config['kafka']>,
  { ingest, clock, registry }: { ingest: Ingest; clock: Clock; registry: Registry },
): KafkaPart {
  const source = createKafkaSource({
    brokers: kafka.brokers,
    groupId: kafka.group,
    clientId: 'gatewatch',
    topics: kafka.topics,
    process: ingest.pipeline,
    createEncoder: createBlockEncoder,
    write: (blocks, token) => ingest.writer.write(blocks, token),
    telemetry: ingest.telemetry,
    clock,
  })
  new Gauge({
    name: 'gatewatch_kafka_lag_records',
    help: 'Records in the topic that are not in the store',
    labelNames: ['topic', 'partition'],
    registers: [registry],
    collect() {
      for (const { topic, partition, lag } of source.status().partitions) this.set({ topic, partition }, lag)
    },
  })
  return {
    name: 'kafka',
    source,
    start: async () => source.start(),
    stop: () => source.stop(),
  }
}

/** Folds the parts of calls that are reported in several records into events, about every second. */
export function createAssemblerPart(
  ingest: Ingest,
  database: Database,
  logger: Logger,
): Part & { catchUp(): Promise<void> } {
  const assembler = createAssembler({
    store: createPartStore(database),
    fold: ingest.assemble,
    telemetry: ingest.telemetry,
  })
  const stop = new AbortController()
  let loop: Promise<void> = Promise.resolve()
  const run = async () => {
    let failing = false
    while (!stop.signal.aborted) {
      try {
        const { more } = await assembler.tick()
        failing = false
        if (more) continue
      } catch (error) {
        if (!failing) logger.error({ reason: String(error) }, 'assembling calls failed; trying again')
        failing = true
      }
      await pause(ASSEMBLE_EVERY_MS, stop.signal)
    }
  }
  return {
    name: 'assembler',
    start: async () => {
      loop = run()
    },
    stop: async () => {
      stop.abort()
      await loop
    },
    catchUp: async () => {
      while ((await assembler.tick()).more) {}
    },
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
