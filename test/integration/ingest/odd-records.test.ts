import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { systemClock } from '../../../core/clock.ts'
import { parseToolCatalogue } from '../../../core/tool-catalogue.ts'
import { createPipeline } from '../../../ingest/pipeline.ts'
import { createKafkaSource, type KafkaSource } from '../../../ingest/sources/kafka.ts'
import { silentTelemetry } from '../../../ingest/telemetry.ts'
import type { Database } from '../../../store/database.ts'
import { eventOf } from '../../../store/event-rows.ts'
import { createBatchWriter, createBlockEncoder } from '../../../store/event-writer.ts'
import { createKnownEvents } from '../../../store/known-events.ts'
import { describeKafka } from '../../helpers/kafka/distribution.ts'
import { type KafkaCluster, startKafka } from '../../helpers/kafka.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'
import { ODD_RECORDS } from '../../unit/ingest/odd-record-cases.ts'

const GOOD = '{"occurred_at":"2026-11-19T10:00:00Z","gen_ai.tool.name":"good","user.id":"u1"}'

describeKafka('odd records on a topic', () => {
  let folder: string
  let database: Database
  let kafka: KafkaCluster
  let source: KafkaSource
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatewatch-odd-records-'))
    database = await openMigratedStore(folder)
    kafka = await startKafka()
    await kafka.createTopic('odd', 1, { 'max.message.bytes': String(16 * 1024 ** 2) })
    await kafka.produceWithForeignClient(
      ODD_RECORDS.flatMap(({ value, headers = {} }) => [
        { topic: 'odd', value, headers },
        { topic: 'odd', value: GOOD },
      ]),
    )
    const catalogue = await readFile(new URL('../../../core/tool-catalogue.yaml', import.meta.url), 'utf8')
    source = createKafkaSource({
      brokers: kafka.brokers,
      groupId: 'odd',
      topics: [{ name: 'odd' }],
      process: createPipeline({
        catalogue: parseToolCatalogue(catalogue),
        redactionKey: { id: 'k1', secret: Buffer.alloc(32, 7) },
        clock: systemClock,
      }),
      createEncoder: createBlockEncoder,
      compare: createKnownEvents(database, systemClock),
      write: createBatchWriter(database).write,
      clock: systemClock,
      telemetry: silentTelemetry,
    })
    source.start()
  })
  afterAll(async () => {
    await source?.stop()
    await kafka?.stop()
    await database?.close()
    await rm(folder, { recursive: true, force: true })
  })

  it('each becomes what the rule says', async () => {
    await expect
      .poll(() => source.status().partitions.map(({ stored }) => stored))
      .toEqual([2 * ODD_RECORDS.length])
    const letters = await database.query<{ offset: number; reasons: string[] }>(
      `SELECT toUInt32(offset) AS offset, groupArray(reason) AS reasons FROM dead_letters GROUP BY offset`,
    )
    const reasons = new Map(letters.map((row) => [row.offset, row.reasons]))
    for (const [index, odd] of ODD_RECORDS.entries()) {
      const rows = await database.query<Parameters<typeof eventOf>[0]>(
        `SELECT * FROM events WHERE offset = {offset:UInt64} ORDER BY record_index`,
        { offset: index * 2 },
      )
      expect([odd.name, reasons.get(index * 2) ?? []]).toEqual([odd.name, odd.deadLetters])
      expect([odd.name, rows.length]).toEqual([odd.name, odd.events.length])
      for (const [position, wanted] of odd.events.entries())
        expect(eventOf(rows[position] as never)).toMatchObject(wanted)
    }
  })

  it('the good one after each is stored', async () => {
    const rows = await database.query<{ offset: number }>(
      `SELECT toUInt32(offset) AS offset FROM events WHERE gen_ai_tool_name = 'good' ORDER BY offset`,
    )
    expect(rows.map(({ offset }) => offset)).toEqual(ODD_RECORDS.map((_, index) => index * 2 + 1))
  })
})
