import { join } from 'node:path'
import type { Logger } from 'pino'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { HealthCheck, Trouble } from '../../core/health.ts'
import { createAssembler } from '../../ingest/assembler.ts'
import { openIdempotencyKeys } from '../../ingest/idempotency.ts'
import { createIntake, type Intake } from '../../ingest/intake.ts'
import type { Pipeline } from '../../ingest/pipeline.ts'
import { createReplay, type KeptLetter, type LetterOutcome } from '../../ingest/replay.ts'
import { openSegmentLog, type SegmentLog } from '../../ingest/segment-log.ts'
import {
  createKafkaSource,
  type KafkaPartitionStatus,
  type KafkaSource,
  type KafkaSourceStatus,
} from '../../ingest/sources/kafka.ts'
import { resolveTopics } from '../../ingest/sources/kafka-topics.ts'
import { createRateLimits } from '../../ingest/sources/rate-limits.ts'
import type { NoteSetAside, SetAside } from '../../ingest/state-file.ts'
import { createIngestTelemetry, INGEST_COUNTERS, type IngestTelemetry } from '../../ingest/telemetry.ts'
import { type Database, untilStopped } from '../../store/database.ts'
import { markReplayed, type ReplayMark } from '../../store/dead-letters.ts'
import {
  createBatchWriter,
  createBlockEncoder,
  encodableBatch,
  encodeBatch,
} from '../../store/event-writer.ts'
import { createKnownEvents } from '../../store/known-events.ts'
import { createPartStore } from '../../store/parts.ts'
import { listToolAnnotations } from '../../store/tool-definitions.ts'
import type { Config } from '../config/config.ts'
import type { Credentials } from '../credentials.ts'
import { type Part, STOPPING } from '../lifecycle.ts'
import { createPipelineOf } from './pipeline.ts'

const ASSEMBLE_EVERY_MS = 1000

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
  const telemetry = createIngestTelemetry(logger, ingestCounters(registry))
  const {
    redactor,
    pipeline: process,
    assemble,
    annotations,
    sources,
  } = createPipelineOf(config, credentials, clock, (source) => telemetry.valueNotLinked(source))
  const pipeline: Pipeline = (records) => {
    const batch = process(records)
    if (batch.deadLetters.length > 0) telemetry.deadLettered(batch.deadLetters)
    return batch
  }
  return {
    pipeline,
    redactor,
    /** For records that were counted when they came. */
    reprocess: process,
    writer: createBatchWriter(database),
    compare: createKnownEvents(database, clock, sources),
    sources,
    assemble,
    annotations,
    telemetry,
  }
}

export type Ingest = ReturnType<typeof createIngest>

const LEARN_EVERY_MS = 60_000

/** The hints of tools that other processes saw, or this one before it was started; asked for now and each minute. */
export async function createAnnotationsPart(
  { annotations, telemetry }: Pick<Ingest, 'annotations' | 'telemetry'>,
  database: Database,
  everyMs = LEARN_EVERY_MS,
): Promise<Part> {
  const learn = async () => {
    for (const tool of (await listToolAnnotations(database)).toReversed()) annotations.see(tool)
  }
  await learn()
  let timer: NodeJS.Timeout | undefined
  let learning: Promise<void> | undefined
  return {
    name: 'annotations',
    start: async () => {
      timer = setInterval(() => {
        learning ??= learn()
          .catch((error) => telemetry.logFault(`hints of tools cannot be read: ${messageOf(error)}`))
          .finally(() => {
            learning = undefined
          })
      }, everyMs)
    },
    stop: async () => {
      clearInterval(timer)
      await learning
    },
  }
}

function ingestCounters(registry: Registry) {
  const labels = {
    records_read: ['source'],
    rows_stored: ['source'],
    duplicates: ['source'],
    id_conflicts: ['source'],
    values_not_linked: ['source'],
    dead_letters: ['source', 'reason'],
    rows_rejected: ['source'],
    store_retries: ['source'],
    offset_gaps: ['partition'],
    offset_restarts: ['partition'],
    records_unreadable: ['partition'],
    rebalances: [],
    calls_assembled: [],
    parts_late: [],
    calls_incomplete: [],
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
  clock: Clock,
  noteSetAside?: NoteSetAside,
): Promise<SegmentLog> {
  return openSegmentLog({
    folder: join(config.data, 'segments'),
    encode: encodeBatch,
    encodable: encodableBatch,
    write: (blocks, token) => ingest.writer.write(blocks, token),
    compare: ingest.compare,
    telemetry: ingest.telemetry,
    maxBytes: config.intake.bytesWaiting,
    now: () => clock.now(),
    ...(noteSetAside ? { noteSetAside } : {}),
  })
}

/** Collects the files of the data folder that a start could not read, for the log and for `/readyz`. */
export function createStateFiles(telemetry: Pick<IngestTelemetry, 'logFault'>): {
  readonly note: NoteSetAside
  readonly check: HealthCheck
} {
  const files: SetAside[] = []
  const detailOf = ({ path, kept, reason }: SetAside): string =>
    `${path} could not be read: ${reason}; it is kept as ${kept}, and gatewatch runs without it`
  return {
    note: (file) => {
      files.push(file)
      telemetry.logFault(detailOf(file))
    },
    check: () =>
      files.map((file) => ({ state: 'degraded', reason: 'state_file_damaged', detail: detailOf(file) })),
  }
}

/** The HTTP way in: answers when every record is on disk. Closed before the segment log. */
export async function openIntake(
  config: Pick<Config, 'data' | 'intake'>,
  {
    ingest,
    segments,
    clock,
    noteSetAside,
  }: { ingest: Ingest; segments: SegmentLog; clock: Clock; noteSetAside: NoteSetAside },
): Promise<Intake & { close(): Promise<void> }> {
  const keys = await openIdempotencyKeys({ folder: join(config.data, 'idempotency'), clock, noteSetAside })
  const { limit, sources } = config.intake
  const limits = createRateLimits({
    bySource: new Map(sources.flatMap(({ name, limit: own }) => (own ? [[name, own] as const] : []))),
    ...(limit ? { otherwise: limit } : {}),
    clock,
  })
  const { pipeline, telemetry } = ingest
  return { ...createIntake({ pipeline, segments, keys, limits, telemetry }), close: keys.close }
}

/** Tries dead letters again, and notes down who did it and what became of each. */
export function createReplays(
  config: Pick<Config, 'kafka'>,
  {
    ingest,
    segments,
    database,
    clock,
  }: {
    ingest: Ingest
    segments: SegmentLog
    database: Database
    clock: Clock
  },
) {
  const formatOf = (topic: string) =>
    resolveTopics(config.kafka?.topics ?? [], [topic]).topics.get(topic)?.format
  return {
    run: (letters: readonly KeptLetter[], by: string) =>
      createReplay({
        pipeline: ingest.reprocess,
        segments,
        formatOf,
        note: (tried, outcomes) =>
          markReplayed(database, marksOf(tried, outcomes), { by, token: `${segments.id}/${clock.now()}` }),
      }).run(letters),
  }
}

function marksOf(letters: readonly KeptLetter[], outcomes: readonly LetterOutcome[]): ReplayMark[] {
  const tenants = new Map(letters.map(({ deadLetterId, tenant }) => [deadLetterId, tenant]))
  return outcomes.flatMap(({ deadLetterId, outcome, reason, field, message, stored, duplicates }) =>
    outcome === 'not_replayable'
      ? []
      : [
          {
            ...{ tenant: tenants.get(deadLetterId) ?? '', deadLetterId, outcome, stored, duplicates },
            ...{ reason: reason ?? '', field: field ?? '', message: message ?? '' },
          },
        ],
  )
}

export interface KafkaPart extends Part {
  readonly source: KafkaSource
  /** For `/readyz`: whether it reads everything that it is to read, and what it does not. */
  readonly check: HealthCheck
}

const NO_TOPIC_MATCHES: Trouble = {
  state: 'degraded',
  reason: 'topic_missing',
  detail: 'No topic has a name that kafka.topics matches; create one, or correct the pattern.',
}

/**
 * What is wrong with the Kafka way in: a group that was not joined stops all of it, a missing topic or a partition that
 * stands still only itself.
 */
export function checkKafka(status: KafkaSourceStatus): readonly Trouble[] {
  const { ready, state, lastError, missingTopics, partitions } = status
  const why = lastError === undefined ? '' : `: ${lastError}`
  return [
    ...(ready ? [] : [{ state: 'failing', reason: 'kafka_not_joined', detail: `${state}${why}` } as const]),
    ...missingTopics.map((topic) => ({
      state: 'degraded' as const,
      reason: 'topic_missing',
      detail: `There is no topic ${topic}; create it, or correct kafka.topics.`,
    })),
    ...(state === 'waiting' && missingTopics.length === 0 ? [NO_TOPIC_MATCHES] : []),
    ...partitions.flatMap((partition) => checkPartition(partition, partitions)),
  ]
}

const STUCK_INSERTS = 5

function checkPartition(
  { topic, partition, halted, failedInserts, lastError = '' }: KafkaPartitionStatus,
  all: readonly KafkaPartitionStatus[],
): Trouble[] {
  const name = `${topic}/${partition}`
  if (halted !== undefined) {
    // One that stands still among others is a part of the work, all of them are the work.
    const state = all.every((each) => each.halted !== undefined) ? 'failing' : 'degraded'
    return [{ state, reason: 'partition_halted', detail: `${name} stands still: ${halted}` }]
  }
  if (failedInserts < STUCK_INSERTS) return []
  const detail = `${name} is not stored after ${failedInserts} attempts: ${lastError}`
  return [{ state: 'degraded', reason: 'partition_not_stored', detail }]
}

/** The Kafka way in. */
export function createKafkaPart(
  kafka: NonNullable<Config['kafka']>,
  { ingest, clock, registry }: { ingest: Ingest; clock: Clock; registry: Registry },
): KafkaPart {
  const source = createKafkaSource({
    ...kafka,
    groupId: kafka.group,
    process: ingest.pipeline,
    createEncoder: createBlockEncoder,
    compare: ingest.compare,
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
      // Partitions that others own now are theirs to report.
      this.reset()
      for (const { topic, partition, lag } of source.status().partitions) this.set({ topic, partition }, lag)
    },
  })
  new Gauge({
    name: 'gatewatch_kafka_partition_halted',
    help: '1 for a partition that stands still until the process is started again',
    labelNames: ['topic', 'partition'],
    registers: [registry],
    collect() {
      this.reset()
      for (const { topic, partition, halted } of source.status().partitions)
        this.set({ topic, partition }, halted === undefined ? 0 : 1)
    },
  })
  return {
    name: 'kafka',
    source,
    check: () => checkKafka(source.status()),
    start: async () => source.start(),
    stop: () => source.stop(),
  }
}

/**
 * Folds the parts of calls that are reported in several records into events, about every second.
 * @param mayRun whether this process is the one that does, now. Default: it is
 */
export function createAssemblerPart(
  ingest: Ingest,
  database: Database,
  logger: Logger,
  mayRun: () => boolean = () => true,
): Part & { catchUp(): Promise<void> } {
  const stop = new AbortController()
  const assembler = createAssembler({
    store: createPartStore(untilStopped(database, 'assemble', stop.signal), undefined, ingest.sources),
    fold: ingest.assemble,
    identityOf: ingest.assemble.identityOf,
    telemetry: ingest.telemetry,
  })
  let loop: Promise<void> = Promise.resolve()
  const run = async () => {
    let failing = false
    while (!stop.signal.aborted) {
      try {
        const more = mayRun() && (await assembler.tick()).more
        failing = false
        if (more) continue
      } catch (error) {
        if (stop.signal.aborted) return
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
      stop.abort(STOPPING)
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
