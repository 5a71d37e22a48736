import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { systemClock } from '../../../core/clock.ts'
import { GatewatchError } from '../../../core/errors.ts'
import { parseToolCatalogue } from '../../../core/tool-catalogue.ts'
import { createPipeline } from '../../../ingest/pipeline.ts'
import {
  createKafkaSource,
  type KafkaSource,
  type KafkaSourceOptions,
} from '../../../ingest/sources/kafka.ts'
import { createIngestTelemetry, silentTelemetry } from '../../../ingest/telemetry.ts'
import type { Database } from '../../../store/database.ts'
import { listDeadLetters } from '../../../store/dead-letters.ts'
import { createBatchWriter, createBlockEncoder } from '../../../store/event-writer.ts'
import { createKnownEvents } from '../../../store/known-events.ts'
import { isRequest, JOIN_GROUP, removeMember } from '../../faults/kafka-requests.ts'
import { describeKafka } from '../../helpers/kafka/distribution.ts'
import { type KafkaCluster, startKafka } from '../../helpers/kafka.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'
import { freePorts } from '../../helpers/ports.ts'
import { startTcpProxy } from '../../helpers/tcp-proxy.ts'
import { processNumbers } from './process-numbers.ts'

describeKafka('the Kafka source', () => {
  let folder: string
  let database: Database
  let kafka: KafkaCluster
  let advertised: number
  const sources: KafkaSource[] = []
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatewatch-kafka-source-'))
    database = await openMigratedStore(folder)
    ;[advertised = 0] = await freePorts(1)
    kafka = await startKafka({ advertised: [advertised] })
  })
  afterEach(async () => {
    for (const source of sources.splice(0)) await source.stop()
  })
  afterAll(async () => {
    await kafka?.stop()
    await database?.close()
    await rm(folder, { recursive: true, force: true })
  })

  function startSource(topics: KafkaSourceOptions['topics'], changes: Partial<KafkaSourceOptions> = {}) {
    const source = createKafkaSource({
      brokers: kafka.brokers,
      groupId: `group-${JSON.stringify(topics[0]).replace(/\W+/g, '-')}`,
      topics,
      process: processNumbers,
      createEncoder: createBlockEncoder,
      compare: createKnownEvents(database, systemClock),
      write: createBatchWriter(database).write,
      limits: { maxRows: 500, maxAgeMs: 50 },
      sessionTimeoutMs: 6_000,
      brokerBackoff: { firstMs: 100, capMs: 500 },
      storeBackoff: { firstMs: 5, capMs: 50 },
      clock: systemClock,
      telemetry: silentTelemetry,
      ...changes,
    })
    sources.push(source)
    source.start()
    return source
  }

  const numbers = (topic: string, count: number, from = 0) =>
    Array.from({ length: count }, (_, index) => ({
      topic,
      partition: index % 3,
      value: `{"n": ${from + index}}`,
    }))

  const storedOf = async (topic: string) => {
    const [row] = await database.query<{ stored: number; ids: number }>(
      `SELECT toUInt32(count()) AS stored, toUInt32(uniqExact(event_id)) AS ids FROM events WHERE topic = {topic:String}`,
      { topic },
    )
    return row
  }
  const untilStored = (topic: string, count: number) =>
    expect.poll(() => storedOf(topic)).toEqual({ stored: count, ids: count })

  it('is in its group again after the group forgot it and joining failed once', async () => {
    await kafka.createTopic('forgotten', 3)
    const [target = ''] = kafka.behindProxies
    const proxy = await startTcpProxy({ port: advertised, target })
    const admin = kafka.client().admin()
    await admin.connect()
    try {
      startSource([{ name: 'forgotten' }], { groupId: 'forgotten', brokers: [`127.0.0.1:${advertised}`] })
      await kafka.produceWithForeignClient(numbers('forgotten', 30))
      await untilStored('forgotten', 30)
      const { promise: failed, resolve } = Promise.withResolvers<void>()
      const spring = async () => {
        resolve()
        return 'cut' as const
      }
      proxy.arm({ matches: (request) => isRequest(request, JOIN_GROUP), at: 'before', spring })
      const { groups } = await admin.describeGroups(['forgotten'])
      for (const { memberId } of groups.flatMap(({ members }) => members))
        await removeMember(kafka.brokers, 'forgotten', memberId)
      await failed
      await kafka.produceWithForeignClient(numbers('forgotten', 30, 30))
      await untilStored('forgotten', 60)
      const committed = async () => {
        const [of] = await admin.fetchOffsets({ groupId: 'forgotten', topics: ['forgotten'] })
        return of?.partitions.map(({ offset }) => offset)
      }
      await expect.poll(committed).toEqual(['20', '20', '20'])
    } finally {
      await admin.disconnect()
      await proxy.close()
    }
  })

  it('reads topics of different formats; odd records are dead letters and the next goes on', async () => {
    await kafka.createTopic('native-events', 1)
    await kafka.createTopic('logger-events', 1)
    const native = (name: string) =>
      JSON.stringify({ occurred_at: '2026-08-21T14:03:11Z', 'gen_ai.tool.name': name, 'user.id': 'u1' })
    const logger = JSON.stringify({
      timestamp: '2026-08-21T14:03:11Z',
      tool: 'read_file',
      caller: 'agent-7',
      param_keys: ['path'],
      result_length: 12,
      success: true,
    })
    await kafka.produceWithForeignClient([
      { topic: 'native-events', value: Buffer.from(native('one')) },
      { topic: 'native-events', value: null },
      { topic: 'native-events', value: Buffer.from([0xff, 0xfe, 0x00]) },
      { topic: 'native-events', value: Buffer.from('') },
      { topic: 'native-events', value: Buffer.from('{"half":') },
      { topic: 'native-events', value: Buffer.from(native('two')) },
      { topic: 'logger-events', value: Buffer.from(logger) },
    ] as Parameters<KafkaCluster['produceWithForeignClient']>[0])
    const catalogue = await readFile(new URL('../../../core/tool-catalogue.yaml', import.meta.url), 'utf8')
    startSource(
      [
        { name: 'native-events', tenant: 'acme' },
        { name: 'logger-events', format: 'audit-logger' },
      ],
      {
        process: createPipeline({
          catalogue: parseToolCatalogue(catalogue),
          redactionKey: { id: 'k1', secret: Buffer.alloc(32, 7) },
          clock: systemClock,
        }),
      },
    )
    await untilStored('native-events', 2)
    await untilStored('logger-events', 1)
    const rows = await database.query<Record<string, unknown>>(
      `SELECT topic, tenant, toUInt32(offset) AS offset, gen_ai_tool_name AS tool, source_format FROM events
       WHERE topic IN ('native-events', 'logger-events') ORDER BY topic, offset`,
    )
    expect(rows).toEqual([
      {
        topic: 'logger-events',
        tenant: 'default',
        offset: 0,
        tool: 'read_file',
        source_format: 'audit-logger',
      },
      { topic: 'native-events', tenant: 'acme', offset: 0, tool: 'one', source_format: 'native' },
      { topic: 'native-events', tenant: 'acme', offset: 5, tool: 'two', source_format: 'native' },
    ])
    const letters = await listDeadLetters(database, { topic: 'native-events' })
    expect(letters.map(({ offset }) => offset).sort()).toEqual([1, 2, 3, 4])
    expect(letters.find(({ offset }) => offset === 1)?.reason).toBe('record_empty')
  })

  it('stores once what a producer sends again, and a call under the id of another beside it', async () => {
    await kafka.createTopic('sent-again', 2)
    const sentAt = new Date().toISOString()
    const call = (id: string, tool: string) =>
      Buffer.from(
        JSON.stringify({
          ...{ event_id: id, occurred_at: sentAt, 'gen_ai.tool.name': tool },
          'user.id': 'u1',
        }),
      )
    const calls = Array.from({ length: 60 }, (_, index) => call(`id-${index}`, 'read_file'))
    const send = (values: readonly Buffer[], partition: number) =>
      kafka.produceWithForeignClient(values.map((value) => ({ topic: 'sent-again', value, partition })))
    const catalogue = await readFile(new URL('../../../core/tool-catalogue.yaml', import.meta.url), 'utf8')
    await send(calls, 0)
    const counts = new Map<string, number>()
    startSource([{ name: 'sent-again' }], {
      process: createPipeline({
        catalogue: parseToolCatalogue(catalogue),
        redactionKey: { id: 'k1', secret: Buffer.alloc(32, 7) },
        clock: systemClock,
      }),
      telemetry: createIngestTelemetry({ info: () => {}, warn: () => {}, error: () => {} }, (name, by) => {
        counts.set(name, (counts.get(name) ?? 0) + by)
      }),
    })
    await untilStored('sent-again', 60)
    await send(calls, 1)
    await send([...calls, call('id-7', 'drop_table'), call('last', 'read_file')], 0)
    await untilStored('sent-again', 62)
    expect(
      await database.query(
        `SELECT event_id = 'last' AS is_last, conflicting_event_id AS id, gen_ai_tool_name AS tool FROM events
         WHERE topic = 'sent-again' AND (id != '' OR is_last) ORDER BY id`,
      ),
    ).toEqual([
      { is_last: 1, id: '', tool: 'read_file' },
      { is_last: 0, id: 'id-7', tool: 'drop_table' },
    ])
    await expect.poll(() => counts.get('duplicates')).toBe(120)
    expect(counts.get('id_conflicts')).toBe(1)
  })

  it('stores each record once while members come and go', async () => {
    await kafka.createTopic('shared', 3)
    await kafka.produceWithForeignClient(numbers('shared', 9_000))
    const first = startSource([{ name: 'shared' }], { limits: { maxRows: 100, maxAgeMs: 20 } })
    await expect.poll(async () => (await storedOf('shared'))?.stored).toBeGreaterThan(500)
    const second = startSource([{ name: 'shared' }], { limits: { maxRows: 150, maxAgeMs: 20 } })
    await expect.poll(() => second.status().ready).toBe(true)
    await kafka.produceWithForeignClient(numbers('shared', 3_000, 9_000))
    await first.stop()
    await untilStored('shared', 12_000)
    await expect.poll(() => second.status().partitions.map(({ lag }) => lag)).toEqual([0, 0, 0])
  })

  it('loses nothing while the store is away, and says so', async () => {
    await kafka.createTopic('store-away', 3)
    await kafka.produceWithForeignClient(numbers('store-away', 3_000))
    let away = true
    const writer = createBatchWriter(database)
    const source = startSource([{ name: 'store-away' }], {
      write: (tables, token) =>
        away
          ? Promise.reject(new GatewatchError('store_unavailable', 'the store is away'))
          : writer.write(tables, token),
    })
    await expect
      .poll(() => source.status().partitions.map(({ lastError }) => lastError))
      .toContain('the store is away')
    expect(source.status().partitions.reduce((sum, { lag }) => sum + lag, 0)).toBe(3_000)
    away = false
    await untilStored('store-away', 3_000)
  })

  it('waits for a broker that is away at the start, and reads on when it comes back', async () => {
    await kafka.createTopic('broker-away', 3)
    await kafka.produceWithForeignClient(numbers('broker-away', 300))
    await kafka.broker(0).kill()
    const source = startSource([{ name: 'broker-away' }])
    await expect.poll(() => source.status().lastError).toMatch(/ECONNREFUSED|Connection/)
    expect(source.status().ready).toBe(false)
    await kafka.broker(0).start()
    await untilStored('broker-away', 300)
    await kafka.broker(0).kill()
    await kafka.broker(0).start()
    await kafka.produceWithForeignClient(numbers('broker-away', 300, 300))
    await untilStored('broker-away', 600)
  })

  it('reads every codec', async () => {
    await kafka.createTopic('packed', 3)
    const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
    for (const [index, codec] of codecs.entries())
      await kafka.produceWithForeignClient(numbers('packed', 1_000, index * 1_000), codec)
    const source = startSource([{ name: 'packed' }])
    await untilStored('packed', 5_000)
    expect(source.status().lastError).toBeUndefined()
  })
})
