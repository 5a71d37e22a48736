import type { KafkaConfig } from '../../../app/config/kafka.ts'
import { systemClock } from '../../../core/clock.ts'
import { createKafkaSource, type KafkaSource } from '../../../ingest/sources/kafka.ts'
import { silentTelemetry } from '../../../ingest/telemetry.ts'
import type { Database } from '../../../store/database.ts'
import { createBatchWriter, createBlockEncoder } from '../../../store/event-writer.ts'
import { createKnownEvents } from '../../../store/known-events.ts'
import { processNumbers } from './process-numbers.ts'

/** The source as a configuration says, into a store, with short waits. Not started. */
export const configuredSource = (config: KafkaConfig, database: Database): KafkaSource =>
  createKafkaSource({
    ...config,
    groupId: config.group,
    process: processNumbers,
    createEncoder: createBlockEncoder,
    compare: createKnownEvents(database, systemClock),
    write: createBatchWriter(database).write,
    brokerBackoff: { firstMs: 100, capMs: 500 },
    limits: { maxAgeMs: 50 },
    clock: systemClock,
    telemetry: silentTelemetry,
  })
