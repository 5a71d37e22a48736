import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { createGzip } from 'node:zlib'
import kafkajs, { type Admin } from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { checkKafka } from '../../../app/wire/ingest.ts'
import { systemClock } from '../../../core/clock.ts'
import { GatewatchError } from '../../../core/errors.ts'
import {
  createKafkaSource,
  type KafkaSource,
  type KafkaSourceOptions,
} from '../../../ingest/sources/kafka.ts'
import { createIngestTelemetry, type IngestCounter, silentTelemetry } from '../../../ingest/telemetry.ts'
import type { Database } from '../../../store/database.ts'
import { listDeadLetters } from '../../../store/dead-letters.ts'
import { createBatchWriter, createBlockEncoder } from '../../../store/event-writer.ts'
import { createKnownEvents } from '../../../store/known-events.ts'
import { describeKafka } from '../../helpers/kafka/distribution.ts'
import { type TransactionStep, transact } from '../../helpers/kafka/transactions.ts'
import { type KafkaCluster, startKafka } from '../../helpers/kafka.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'
import { PATIENCE_MS } from '../../helpers/patience.ts'
import { encodeRecord, varint } from '../../unit/ingest/sources/record-batches.ts'
import { processNumbers } from './process-numbers.ts'

const MB = 1024 ** 2

describeKafka('the Kafka source at depth', () => {
  let folder: string
  let database: Database
  let kafka: KafkaCluster
  let admin: Admin
  const sources: KafkaSource[] = []
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatewatch-kafka-depth-'))
    database = await openMigratedStore(folder)
    kafka = await startKafka({
      properties: {
        'log.cleaner.backoff.ms': 200,
        'log.cleaner.min.cleanable.ratio': 0.01,
        'file.delete.delay.ms': 0,
        'log.dirs': join(folder, 'broker'),
      },
    })
    admin = kafka.client().admin()
    await admin.connect()
  })
  afterEach(async () => {
    for (const source of sources.splice(0)) await source.stop()
  })
  afterAll(async () => {
    await admin?.disconnect()
    await kafka?.stop()
    await database?.close()
    await rm(folder, { recursive: true, force: true })
  })

  function startSource(
    group: string,
    topics: KafkaSourceOptions['topics'],
    changes: Partial<KafkaSourceOptions> = {},
  ) {
    const source = createKafkaSource({
      brokers: kafka.brokers,
      groupId: group,
      topics,
      process: processNumbers,
      createEncoder: createBlockEncoder,
      compare: createKnownEvents(database, systemClock),
      write: createBatchWriter(database).write,
      limits: { maxRows: 5_000, maxAgeMs: 50 },
      sessionTimeoutMs: 6_000,
      refreshMs: 500,
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

  const counting = () => {
    const counts = new Map<IngestCounter, number>()
    const quiet = { info: () => {}, warn: () => {}, error: () => {} }
    const telemetry = createIngestTelemetry(quiet, (name, by) =>
      counts.set(name, (counts.get(name) ?? 0) + by),
    )
    return { counts, telemetry }
  }
  const numbers = (topic: string, count: number, from = 0, partition = 0) =>
    Array.from({ length: count }, (_, index) => ({ topic, partition, value: `{"n": ${from + index}}` }))
  const storedOf = async (topic: string) => {
    const rows = await database.query<{ n: string }>(
      `SELECT gen_ai_tool_call_id AS n FROM events WHERE topic = {topic:String} ORDER BY toUInt64(n)`,
      { topic },
    )
    return rows.map(({ n }) => Number(n))
  }
  const untilStored = (topic: string, wanted: readonly number[]) =>
    expect.poll(() => storedOf(topic)).toEqual(wanted)
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)
  const caughtUp = (source: KafkaSource) =>
    expect
      .poll(() => {
        const { ready, partitions } = source.status()
        return ready && partitions.length > 0 && partitions.every(({ lag }) => lag === 0)
      })
      .toBe(true)

  describe('records', () => {
    it('of aborted transactions are not stored, however they interleave; of open ones when they are committed', async () => {
      await kafka.createTopic('transactions', 1)
      const send = (by: string, n: number): TransactionStep => ({
        by,
        does: 'send',
        topic: 'transactions',
        partition: 0,
        value: `{"n": ${n}}`,
      })
      const step = (by: string, does: 'begin' | 'commit' | 'abort'): TransactionStep => ({ by, does })
      await transact(kafka.brokers, [
        step('a', 'begin'),
        send('a', 1),
        step('a', 'commit'),
        // The broker lists the transaction of c before that of b, which began first and ended last.
        step('b', 'begin'),
        send('b', 101),
        step('c', 'begin'),
        send('c', 102),
        step('a', 'begin'),
        send('a', 2),
        send('b', 103),
        step('c', 'abort'),
        step('c', 'begin'),
        send('c', 3),
        step('b', 'abort'),
        step('a', 'commit'),
        step('c', 'commit'),
        step('d', 'begin'),
        send('d', 104),
        step('a', 'begin'),
        send('a', 4),
        step('a', 'commit'),
      ])
      const source = startSource('transactions', [{ name: 'transactions' }])
      await untilStored('transactions', [1, 2, 3])
      // A producer of the same name ends what d left open; 4 was committed behind it.
      await transact(kafka.brokers, [step('d', 'begin'), send('d', 5), step('d', 'commit')])
      await untilStored('transactions', [1, 2, 3, 4, 5])
      await caughtUp(source)
      expect(await listDeadLetters(database, { topic: 'transactions' })).toEqual([])
    })

    it('of compacted topics: holes are no loss, tombstones are accounted, odd keys and headers do no harm', async () => {
      await kafka.createTopic('compacted', 1, {
        'cleanup.policy': 'compact',
        'segment.ms': '100',
        'delete.retention.ms': '60000',
      })
      const records = range(0, 300).map((n) => ({
        topic: 'compacted',
        partition: 0,
        key: `k${n % 3}`,
        value: `{"n": ${n}}`,
        headers: { 'X-Odd': Buffer.from([0xff, 0x00, 0xfe]), '': '' },
      }))
      await kafka.produceWithForeignClient(records)
      const { counts, telemetry } = counting()
      const source = startSource('compacted', [{ name: 'compacted' }], { telemetry })
      await caughtUp(source)
      await source.stop()
      await sleep(150)
      await kafka.produceWithForeignClient([
        { topic: 'compacted', partition: 0, key: 'k0', value: null },
        { topic: 'compacted', partition: 0, key: 'k9', value: '{"n": 301}' },
      ])
      // Another group reads what compaction left.
      await expect
        .poll(
          async () => {
            const fresh = counting()
            const other = startSource(`compacted-${crypto.randomUUID()}`, [{ name: 'compacted' }], {
              telemetry: fresh.telemetry,
              write: async () => ({ rejected: 0 }),
            })
            await caughtUp(other)
            await other.stop()
            expect(fresh.counts.get('offset_gaps')).toBeUndefined()
            return fresh.counts.get('records_read')
          },
          { interval: 500 },
        )
        .toBeLessThan(20)
      const again = startSource('compacted', [{ name: 'compacted' }], { telemetry })
      await caughtUp(again)
      expect(await storedOf('compacted')).toEqual([...range(0, 300), 301])
      expect(await listDeadLetters(database, { topic: 'compacted' })).toMatchObject([
        { offset: 300, reason: 'record_empty' },
      ])
      expect(counts.get('offset_gaps')).toBeUndefined()
    })
  })

  describe('batches', () => {
    it('that hold a thousand times their size: accounted one by one, memory bounded, the next is read', async () => {
      await kafka.createTopic('bombs', 1, { 'max.message.bytes': String(4 * MB) })
      await kafka.produceWithForeignClient(numbers('bombs', 1))
      await produceRaw('bombs', await gzip(oneRecord(1024 * MB)), 1)
      await produceRaw('bombs', await gzip(manyRecords(300, MB)), 300)
      await kafka.produceWithForeignClient(numbers('bombs', 1, 1))
      const { counts, telemetry } = counting()
      let before = 0
      let most = 0
      const watch = setInterval(() => {
        most = Math.max(most, process.memoryUsage.rss())
      }, 20)
      const source = startSource('bombs', [{ name: 'bombs' }], {
        telemetry,
        // A member that the group lost would count again what it reads again.
        sessionTimeoutMs: PATIENCE_MS,
        process: (records) => {
          if (before === 0) before = process.memoryUsage.rss()
          return processNumbers(
            records.map((record) => ({ ...record, value: record.value.subarray(0, 100) })),
          )
        },
      })
      await untilStored('bombs', [0, 1])
      clearInterval(watch)
      await caughtUp(source)
      const letters = await listDeadLetters(database, { topic: 'bombs', limit: 1_000 })
      expect(letters.map(({ offset }) => offset).toSorted((one, other) => one - other)).toEqual(range(1, 302))
      const reasons = Map.groupBy(letters, ({ reason }) => reason)
      expect([...reasons.keys()].toSorted()).toEqual(['batch_unreadable', 'record_not_json'])
      expect(counts.get('records_unreadable')).toBe(reasons.get('batch_unreadable')?.length)
      expect(letters.find(({ offset }) => offset === 1)?.message).toMatch(
        /^The batch of offsets 1 to 1 \(codec gzip\) is too large to be read to its end\. /,
      )
      expect((most - before) / MB).toBeLessThan(64)
    })

    function* manyRecords(count: number, bytes: number) {
      const value = Buffer.alloc(bytes)
      for (let index = 0; index < count; index++) yield encodeRecord({ value }, index)
    }
    function* oneRecord(bytes: number) {
      const start = Buffer.concat([Buffer.from([0]), varint(0), varint(0), varint(-1), varint(bytes)])
      yield Buffer.concat([varint(start.length + bytes + 1), start])
      for (let left = bytes; left > 0; left -= MB) yield Buffer.alloc(Math.min(MB, left))
      yield varint(0)
    }
    const gzip = (pieces: Iterable<Buffer>) => buffer(Readable.from(pieces).pipe(createGzip({ level: 6 })))

    /** A batch of so many records whose compressed bytes are these. */
    async function produceRaw(topic: string, compressed: Buffer, records: number) {
      const { CompressionCodecs, CompressionTypes } = kafkajs
      const gzipCodec = CompressionCodecs[CompressionTypes.GZIP]
      CompressionCodecs[CompressionTypes.GZIP] = () => ({
        compress: async () => compressed,
        decompress: async () => Buffer.alloc(0),
      })
      const producer = kafka.client().producer()
      await producer.connect()
      try {
        await producer.send({
          topic,
          compression: CompressionTypes.GZIP,
          messages: Array.from({ length: records }, () => ({ partition: 0, value: 'x' })),
        })
      } finally {
        await producer.disconnect()
        CompressionCodecs[CompressionTypes.GZIP] = gzipCodec as never
      }
    }
  })

  describe('what is broken', () => {
    it('on the disk of a broker is named offset by offset, and the rest is read', async () => {
      await kafka.createTopic('damaged', 1)
      for (let from = 0; from < 9; from += 3)
        await kafka.produceWithForeignClient(numbers('damaged', 3, from))
      const segment = join(folder, 'broker', 'damaged-0', '00000000000000000000.log')
      const bytes = await readFile(segment)
      const place = bytes.indexOf('{"n": 4}') + 6
      expect(place).toBeGreaterThan(6)
      const disk = await open(segment, 'r+')
      // Still a number, and a wrong one: nobody would notice.
      await disk.write('7', place)
      await disk.close()
      const { counts, telemetry } = counting()
      const source = startSource('damaged', [{ name: 'damaged' }], { telemetry })
      await caughtUp(source)
      expect(await storedOf('damaged')).toEqual([0, 1, 2, 6, 7, 8])
      const letters = await listDeadLetters(database, { topic: 'damaged' })
      expect(letters.map(({ offset }) => offset).toSorted()).toEqual([3, 4, 5])
      expect(letters[0]).toMatchObject({
        reason: 'batch_unreadable',
        message: 'The batch of offsets 3 to 5 is damaged: its checksum is wrong.',
      })
      expect(counts.get('records_unreadable')).toBe(3)
    })

    it('in our encoder costs the one record that it fails on', async () => {
      await kafka.createTopic('not-encodable', 1)
      await kafka.produceWithForeignClient(numbers('not-encodable', 100))
      const process: KafkaSourceOptions['process'] = (records) => {
        const batch = processNumbers(records)
        // A list that is none: the encoder of the store throws on it.
        for (const event of batch.events)
          if (event['gen_ai.tool.call.id'] === '13') Object.assign(event, { argument_keys: 5 })
        return batch
      }
      const source = startSource('not-encodable', [{ name: 'not-encodable' }], { process })
      await caughtUp(source)
      expect(await storedOf('not-encodable')).toEqual(range(0, 100).filter((n) => n !== 13))
      expect(await listDeadLetters(database, { topic: 'not-encodable' })).toMatchObject([
        { offset: 13, reason: 'internal', message: expect.stringContaining('could not be encoded') },
      ])
      expect(checkKafka(source.status())).toEqual([])
    })
  })

  describe('topics', () => {
    it('by name and pattern, each as its own; new ones and new partitions are read while it runs', async () => {
      await kafka.createTopic('mcp.one', 1)
      await kafka.createTopic('mcp.two', 1)
      await kafka.createTopic('elsewhere', 1)
      await kafka.produceWithForeignClient([
        ...numbers('mcp.one', 5),
        ...numbers('mcp.two', 5),
        ...numbers('elsewhere', 5),
      ])
      const source = startSource('patterns', [
        { pattern: '^mcp\\..*', tenant: 'pattern' },
        { name: 'mcp.two', tenant: 'named' },
        { name: 'not-there' },
      ])
      await untilStored('mcp.one', range(0, 5))
      await untilStored('mcp.two', range(0, 5))
      expect(source.status()).toMatchObject({ ready: true, missingTopics: ['not-there'] })

      await kafka.createTopic('mcp.three', 1)
      await kafka.createTopic('not-there', 1)
      await admin.createPartitions({ topicPartitions: [{ topic: 'mcp.one', count: 3 }] })
      await kafka.produceWithForeignClient([
        ...numbers('mcp.three', 5),
        ...numbers('not-there', 5),
        ...numbers('mcp.one', 5, 5, 2),
      ])
      await untilStored('mcp.three', range(0, 5))
      await untilStored('not-there', range(0, 5))
      await untilStored('mcp.one', range(0, 10))
      await expect.poll(() => source.status()).toMatchObject({ ready: true, missingTopics: [] })
      expect(await storedOf('elsewhere')).toEqual([])
      const tenants = await database.query(
        `SELECT DISTINCT topic, tenant FROM events WHERE topic LIKE 'mcp%' ORDER BY topic`,
      )
      expect(tenants).toEqual([
        { topic: 'mcp.one', tenant: 'pattern' },
        { topic: 'mcp.three', tenant: 'pattern' },
        { topic: 'mcp.two', tenant: 'named' },
      ])
    })

    it('that do not exist yet are waited for, and nothing else waits for them', async () => {
      const source = startSource('early', [{ name: 'early' }])
      await expect
        .poll(() => source.status())
        .toMatchObject({ state: 'waiting', ready: true, missingTopics: ['early'] })
      expect(checkKafka(source.status())).toEqual([
        { state: 'degraded', reason: 'topic_missing', detail: expect.stringContaining('topic early') },
      ])
      await kafka.createTopic('early', 1)
      await kafka.produceWithForeignClient(numbers('early', 5))
      await untilStored('early', range(0, 5))
      expect(checkKafka(source.status())).toEqual([])
    })

    it('whose records were deleted before they were read: the range is kept once, the rest is read', async () => {
      await kafka.createTopic('retention', 1)
      await kafka.produceWithForeignClient(numbers('retention', 100))
      await startSource('retention', [{ name: 'retention' }]).stop()
      const first = startSource('retention', [{ name: 'retention' }])
      await untilStored('retention', range(0, 100))
      await first.stop()
      await kafka.produceWithForeignClient(numbers('retention', 100, 100))
      // kafkajs knows the leader of a topic once it has asked about it.
      await admin.fetchTopicOffsets('retention')
      await admin.deleteTopicRecords({ topic: 'retention', partitions: [{ partition: 0, offset: '150' }] })
      const { counts, telemetry } = counting()
      const second = startSource('retention', [{ name: 'retention' }], { telemetry })
      await untilStored('retention', [...range(0, 100), ...range(150, 200)])
      await caughtUp(second)
      expect(second.status().partitions).toMatchObject([{ lost: 50 }])
      await second.stop()
      await caughtUp(startSource('retention', [{ name: 'retention' }], { telemetry }))
      expect(await listDeadLetters(database, { topic: 'retention' })).toMatchObject([
        {
          offset: 100,
          reason: 'records_lost',
          message: 'Kafka deleted 50 offsets (100 to 149) before they could be read.',
        },
      ])
      expect(counts.get('offset_gaps')).toBe(50)
    })

    it('that are deleted and made anew are read from their beginning', async () => {
      await kafka.createTopic('anew', 1)
      await kafka.produceWithForeignClient(numbers('anew', 100))
      const source = startSource('anew', [{ name: 'anew' }])
      await untilStored('anew', range(0, 100))
      await recreate('anew')
      await kafka.produceWithForeignClient(numbers('anew', 30, 100))
      await untilStored('anew', range(0, 130))
      // While nobody reads.
      await source.stop()
      await recreate('anew')
      await kafka.produceWithForeignClient(numbers('anew', 200, 130))
      const { counts, telemetry } = counting()
      await caughtUp(startSource('anew', [{ name: 'anew' }], { telemetry }))
      await untilStored('anew', range(0, 330))
      expect(counts.get('offset_gaps')).toBeUndefined()
      expect(await listDeadLetters(database, { topic: 'anew' })).toEqual([])
    })

    async function recreate(topic: string) {
      await admin.deleteTopics({ topics: [topic] })
      await expect.poll(async () => (await admin.listTopics()).includes(topic)).toBe(false)
      await kafka.createTopic(topic, 1)
    }
  })

  const processPadded: KafkaSourceOptions['process'] = (records) =>
    processNumbers(
      records.map((record) => ({
        ...record,
        value: record.value.subarray(0, record.value.indexOf(125 /* } */) + 1),
      })),
    )

  describe('a member that has less memory for a partition than the last owner', () => {
    it('finishes the larger blocks that were begun, exactly once, and reads on', async () => {
      const [topic, group] = ['unequal', 'unequal']
      await kafka.createTopic(topic, 6)
      const partitionsOf = (source: KafkaSource) => source.status().partitions.length
      const memoryBytes = 36 * MB
      // A member that owns three partitions makes blocks of 6 MB; one that owns six has 3 MB for each.
      const begins = startSource(group, [{ name: topic }], {
        ...{ memoryBytes, limits: { maxRows: 1_000_000, maxAgeMs: 600_000 } },
        write: () => new Promise(() => {}),
      })
      await expect.poll(() => partitionsOf(begins)).toBe(6)
      const replayed: number[] = []
      const goesOn = startSource(group, [{ name: topic }], {
        ...{ memoryBytes, process: processPadded },
        telemetry: { ...silentTelemetry, intentReplayed: (_, from, to) => replayed.push(to - from + 1) },
      })
      await expect.poll(() => [begins, goesOn].map(partitionsOf)).toEqual([3, 3])
      const padding = ' '.repeat(10_000)
      const records = range(0, 4_200).map((n) => ({
        ...{ topic, partition: n % 6, value: `{"n": ${n}}${padding}` },
      }))
      await kafka.produceWithForeignClient(records, 'zstd')
      // Each of the three has told the broker where its block ends, and none is stored.
      await expect
        .poll(async () => {
          const [committed] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
          return committed?.partitions.filter(({ metadata }) => metadata?.startsWith('E=')).length
        })
        .toBe(3)
      await begins.stop(0)
      await untilStored(topic, range(0, 4_200))
      await caughtUp(goesOn)
      expect(replayed).toHaveLength(3)
      for (const count of replayed) expect(count * padding.length).toBeGreaterThan(memoryBytes / 2 / 6)
      const [row] = await database.query<{ stored: number }>(
        'SELECT toUInt32(count()) AS stored FROM events WHERE topic = {topic:String}',
        { topic },
      )
      expect(row?.stored).toBe(4_200)
    })
  })

  describe('a slow store', () => {
    it('stops the fetching, and bounds what waits in memory', async () => {
      await kafka.createTopic('pressure', 1)
      const padding = 'x'.repeat(10_000)
      const records = range(0, 10_000).map((n) => ({
        topic: 'pressure',
        partition: 0,
        value: `{"n": ${n}, "p": "${padding}"}`,
      }))
      await kafka.produceWithForeignClient(records, 'zstd')
      let away = true
      const writer = createBatchWriter(database)
      const source = startSource('pressure', [{ name: 'pressure' }], {
        limits: { maxRows: 500 },
        write: (tables, token) =>
          away
            ? Promise.reject(new GatewatchError('store_unavailable', 'away'))
            : writer.write(tables, token),
      })
      const waiting = () =>
        source.status().partitions.reduce((sum, { waitingBytes }) => sum + waitingBytes, 0)
      await expect.poll(() => source.status().partitions.map(({ paused }) => paused)).toEqual([true])
      const full = waiting()
      await sleep(1_000)
      expect(waiting()).toBe(full)
      // At most a portion more than the queue may hold.
      expect(full).toBeLessThan((64 + 16) * MB)
      away = false
      await caughtUp(source)
      const letters = await database.query<{ count: number }>(
        `SELECT toUInt32(uniqExact(partition, offset)) AS count FROM dead_letters WHERE topic = 'pressure'`,
      )
      expect(letters).toEqual([{ count: 10_000 }])
    })

    it('does not hold up a stop', async () => {
      await kafka.createTopic('slow-stop', 1)
      await kafka.produceWithForeignClient(numbers('slow-stop', 10_000))
      const source = startSource('slow-stop', [{ name: 'slow-stop' }], {
        limits: { maxRows: 500, maxAgeMs: 50 },
        write: () => new Promise(() => {}),
      })
      await expect.poll(() => source.status().partitions[0]?.waitingRows).toBeGreaterThan(0)
      // Whoever waited for the store would wait for ever.
      await source.stop()
      await untilStoredByAnother('slow-stop', 10_000)
    })

    async function untilStoredByAnother(topic: string, count: number) {
      startSource(topic, [{ name: topic }])
      await untilStored(topic, range(0, count))
    }
  })
})
