import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openEmbedded } from '../../../store/clickhouse.ts'
import { describeKafka } from '../../helpers/kafka/distribution.ts'
import { type KafkaCluster, startKafka } from '../../helpers/kafka.ts'
import { copyMigratedStore } from '../../helpers/migrated-store.ts'

const KILLS = 6
const RECORDS = 50_000
const program = new URL('./kafka-process.ts', import.meta.url).pathname

describeKafka('the Kafka source under SIGKILL', () => {
  let folder: string
  let kafka: KafkaCluster
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatewatch-kafka-kill-'))
    await copyMigratedStore(folder)
    kafka = await startKafka()
  })
  afterAll(async () => {
    await kafka?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  async function produceNumbers(topic: string, from: number, count: number): Promise<void> {
    const producer = kafka.client().producer()
    await producer.connect()
    for (let first = from; first < from + count; first += 2_000) {
      const messages = Array.from({ length: Math.min(2_000, from + count - first) }, (_, index) => ({
        partition: (first + index) % 3,
        value: `{"n": ${first + index}}`,
      }))
      await producer.send({ topic, messages, acks: -1 })
    }
    await producer.disconnect()
  }

  async function runOnce(topic: string, killAfterMs: number | undefined): Promise<void> {
    const child = spawn(
      process.execPath,
      [program, folder, kafka.brokers.join(','), topic, ...(killAfterMs === undefined ? ['drain'] : [])],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const ended = once(child, 'exit')
    for await (const line of createInterface({ input: child.stdout })) {
      if (line === 'running' && killAfterMs !== undefined) {
        void sleep(killAfterMs).then(() => child.kill('SIGKILL'))
      }
    }
    const [code, signal] = await ended
    if (killAfterMs === undefined) expect(code).toBe(0)
    else expect(signal).toBe('SIGKILL')
  }

  it(`stores ${RECORDS} records of 3 partitions exactly once over ${KILLS} kills`, async () => {
    const topic = 'audit-kill'
    await kafka.createTopic(topic, 3)
    await produceNumbers(topic, 0, RECORDS)
    for (let kill = 0; kill < KILLS; kill++) {
      await runOnce(topic, 20 + Math.random() * 400)
    }
    await runOnce(topic, undefined)

    const database = await openEmbedded({ path: folder })
    try {
      const [counts] = await database.query<Record<string, number>>(
        `SELECT toUInt32(count()) AS stored, toUInt32(uniqExact(event_id)) AS ids,
                toUInt32(uniqExact(gen_ai_tool_call_id)) AS numbers,
                (SELECT toUInt32(sum(calls)) FROM calls_by_actor) AS by_actor,
                (SELECT toUInt32(sum(calls)) FROM calls_by_tool) AS by_tool,
                (SELECT toUInt32(sum(rows)) FROM touched WHERE dimension = 'actor') AS arrived,
                (SELECT toUInt32(count()) FROM dead_letters) AS letters FROM events`,
      )
      expect(counts).toEqual({
        ...{ stored: RECORDS, ids: RECORDS, numbers: RECORDS },
        ...{ by_actor: RECORDS, by_tool: RECORDS, arrived: RECORDS, letters: 0 },
      })
    } finally {
      await database.close()
    }
  })
})
