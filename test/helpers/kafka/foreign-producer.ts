import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'

/** One record for `produceWithForeignClient`. `null` as value is a tombstone. */
export interface ForeignRecord {
  readonly topic: string
  readonly value: Uint8Array | string | null
  readonly key?: Uint8Array | string
  readonly partition?: number
  /** Milliseconds since the epoch; the client’s clock if absent. */
  readonly timestampMs?: number
  readonly headers?: Readonly<Record<string, Uint8Array | string>>
}

export interface Acknowledged {
  readonly partition: number
  readonly offset: number
}

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** A process with Apache Kafka’s own Java client; requests are answered one after the other. */
interface Client {
  send(records: readonly ForeignRecord[], compression: Compression): Promise<Acknowledged[]>
  end(): Promise<void>
}

// Starting a JVM takes longer than sending: a cluster keeps its client until `endClient`, or until this process ends.
const clients = new Map<string, Client>()

/**
 * Sends records with Apache Kafka’s own Java client: what is proved with it does not rest on kafkajs agreeing with
 * itself. Resolves when the brokers have acknowledged every record, with their places in the order given.
 */
export function produce(
  java: readonly string[],
  brokers: readonly string[],
  records: readonly ForeignRecord[],
  compression: Compression,
): Promise<Acknowledged[]> {
  const key = brokers.join(',')
  const client = clients.get(key) ?? startClient(java, key)
  clients.set(key, client)
  return client.send(records, compression)
}

/** Ends the Java client of a cluster, where it has one. */
export async function endClient(brokers: readonly string[]): Promise<void> {
  const key = brokers.join(',')
  const client = clients.get(key)
  clients.delete(key)
  await client?.end()
}

function startClient(java: readonly string[], brokers: string): Client {
  const child = spawn('java', [...java, 'Produce', brokers], { stdio: ['pipe', 'pipe', 'pipe'] })
  // A client that dies early closes its input; its exit code and words say why.
  child.stdin.on('error', () => {})
  let words = ''
  child.stderr.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-2_000)
  })
  const ended = once(child, 'close') as Promise<[number | null]>
  const died = ended.then(([code]) => {
    throw new Error(`The Java producer ended with ${code}:\n${words}`)
  })
  died.catch(() => {})
  const read = createReader(child.stdout)
  const answer = async (): Promise<Acknowledged[]> => {
    const count = (await read(4)).readInt32BE()
    if (count < 0) {
      const failure = await read((await read(4)).readInt32BE())
      throw new Error(`The Java producer says: ${failure.toString()}\n${words}`)
    }
    const places = await read(count * 12)
    return Array.from({ length: count }, (_, index) => ({
      partition: places.readInt32BE(index * 12),
      offset: Number(places.readBigInt64BE(index * 12 + 4)),
    }))
  }
  let turn: Promise<unknown> = Promise.resolve()
  return {
    send: (records, compression) => {
      const mine = turn.then(() => {
        child.stdin.write(frame(records, compression))
        return Promise.race([answer(), died])
      })
      turn = mine.catch(() => {})
      return mine
    },
    end: async () => {
      child.stdin.end()
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Reads exactly so many bytes of a stream, one reading after the other. */
function createReader(stream: Readable): (length: number) => Promise<Buffer> {
  let bytes = Buffer.alloc(0)
  let wake = () => {}
  stream.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    wake()
  })
  return async (length) => {
    while (bytes.length < length) {
      const { promise, resolve } = Promise.withResolvers<void>()
      wake = resolve
      await promise
    }
    const taken = bytes.subarray(0, length)
    bytes = bytes.subarray(length)
    return taken
  }
}

// Big-endian integers and length-prefixed bytes, as java.io.DataInputStream reads them; length -1 is null.
function frame(records: readonly ForeignRecord[], compression: Compression): Buffer {
  const parts: Buffer[] = []
  const int = (value: number) => {
    const buffer = Buffer.alloc(4)
    buffer.writeInt32BE(value)
    parts.push(buffer)
  }
  const long = (value: number) => {
    const buffer = Buffer.alloc(8)
    buffer.writeBigInt64BE(BigInt(value))
    parts.push(buffer)
  }
  const bytes = (value: Uint8Array | string | null | undefined) => {
    if (value === null || value === undefined) return int(-1)
    const buffer = Buffer.from(value as string)
    int(buffer.length)
    parts.push(buffer)
  }
  bytes(compression)
  int(records.length)
  for (const record of records) {
    bytes(record.topic)
    int(record.partition ?? -1)
    long(record.timestampMs ?? -1)
    bytes(record.key)
    bytes(record.value)
    const headers = Object.entries(record.headers ?? {})
    int(headers.length)
    for (const [name, value] of headers) {
      bytes(name)
      bytes(value)
    }
  }
  return Buffer.concat(parts)
}
