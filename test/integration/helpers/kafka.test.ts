import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeKafka } from '../../helpers/kafka/distribution.ts'
import { type KafkaCluster, startKafka } from '../../helpers/kafka.ts'

interface Received {
  key: Buffer | null
  value: Buffer | null
  offset: string
  timestamp: string
  headers: Record<string, string>
}

async function consume(kafka: KafkaCluster, topic: string, count: number): Promise<Received[]> {
  const consumer = kafka.client().consumer({ groupId: `group-${crypto.randomUUID()}` })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const received: Received[] = []
  try {
    await new Promise<void>((resolve, reject) => {
      consumer.on('consumer.crash', ({ payload }) => {
        if (!payload.restart) reject(payload.error)
      })
      void consumer.run({
        eachMessage: async ({ message }) => {
          received.push({
            key: message.key,
            value: message.value,
            offset: message.offset,
            timestamp: message.timestamp,
            headers: Object.fromEntries(
              Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]),
            ),
          })
          if (received.length === count) resolve()
        },
      })
    })
  } finally {
    await consumer.disconnect()
  }
  return received.sort((a, b) => Number(a.offset) - Number(b.offset))
}

describeKafka('one broker', () => {
  let kafka: KafkaCluster
  beforeAll(async () => {
    kafka = await startKafka()
  })
  afterAll(() => kafka?.stop())

  it('carries any bytes, keys, headers and times of the Java client to kafkajs', async () => {
    await kafka.createTopic('bytes', 1)
    const hostile = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    const places = await kafka.produceWithForeignClient([
      { topic: 'bytes', value: hostile, key: 'k', headers: { 'content-type': 'a/b', traceparent: '00-é' } },
      { topic: 'bytes', value: '', timestampMs: 1_700_000_000_000 },
      { topic: 'bytes', value: null },
      { topic: 'bytes', value: Buffer.alloc(5 << 20, 0x61) },
    ])
    expect(places).toEqual([0, 1, 2, 3].map((offset) => ({ partition: 0, offset })))
    const received = await consume(kafka, 'bytes', 4)
    expect(received[0]!.value).toEqual(Buffer.from(hostile))
    expect(received[0]!.key?.toString()).toBe('k')
    expect(received[0]!.headers).toEqual({ 'content-type': 'a/b', traceparent: '00-é' })
    expect(received[1]!.value?.length).toBe(0)
    expect(received[1]!.timestamp).toBe('1700000000000')
    expect(received[2]!.value).toBeNull()
    expect(received[3]!.value?.length).toBe(5 << 20)
  })

  it('says what the client said when it fails', async () => {
    await expect(kafka.produceWithForeignClient([{ topic: 'bad topic!', value: 'x' }])).rejects.toThrow(
      /InvalidTopic/,
    )
  })

  it('keeps its data over kill -9', async () => {
    await kafka.createTopic('kept', 2)
    await kafka.produceWithForeignClient([
      { topic: 'kept', value: 'one', partition: 0 },
      { topic: 'kept', value: 'two', partition: 1 },
    ])
    await kafka.broker(0).kill()
    await kafka.broker(0).start()
    const values = (await consume(kafka, 'kept', 2)).map(({ value }) => String(value)).sort()
    expect(values).toEqual(['one', 'two'])
  })
})

describeKafka('three brokers', () => {
  let kafka: KafkaCluster
  beforeAll(async () => {
    kafka = await startKafka({ brokers: 3 })
  })
  afterAll(() => kafka?.stop())

  it('goes on when one of them is away', async () => {
    await kafka.createTopic('replicated', 3)
    await kafka.broker(1).kill()
    const places = await kafka.produceWithForeignClient(
      [0, 1, 2].map((partition) => ({ topic: 'replicated', value: `to ${partition}`, partition })),
    )
    expect(places.map(({ partition }) => partition)).toEqual([0, 1, 2])
    expect(await consume(kafka, 'replicated', 3)).toHaveLength(3)
  })
})
