import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../../core/clock.ts'
import { createKafkaSource } from '../../../ingest/sources/kafka.ts'
import { silentTelemetry } from '../../../ingest/telemetry.ts'
import { openEmbedded } from '../../../store/clickhouse.ts'
import { createBatchWriter, createBlockEncoder } from '../../../store/event-writer.ts'
import { createKnownEvents } from '../../../store/known-events.ts'
import { migrate } from '../../../store/migrate.ts'
import { processNumbers } from './process-numbers.ts'

// Consumes until it is killed. Says `running` when it owns partitions; with `drain` it ends when nothing is left.
const [folder = '', brokers = '', topic = '', mode = ''] = process.argv.slice(2)
const database = await openEmbedded({ path: folder })
await migrate(database)
const source = createKafkaSource({
  brokers: brokers.split(','),
  groupId: 'kill-test',
  topics: [{ name: topic }],
  process: processNumbers,
  createEncoder: createBlockEncoder,
  compare: createKnownEvents(database, systemClock),
  write: createBatchWriter(database).write,
  // Small blocks, so that kills find inserts and commits under way.
  limits: { maxRows: 500, maxAgeMs: 50 },
  // A killed member is missed only when its session ends.
  sessionTimeoutMs: 2_000,
  clock: systemClock,
  telemetry: silentTelemetry,
})
source.start()
while (!source.status().ready) await sleep(20)
writeSync(1, 'running\n')
while (mode === 'drain') {
  const { partitions, ready } = source.status()
  if (ready && partitions.length > 0 && partitions.every(({ lag }) => lag === 0)) {
    await source.stop()
    await database.close()
    process.exit(0)
  }
  await sleep(50)
}
