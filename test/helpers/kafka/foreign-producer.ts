import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

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

/**
 * Sends records with Apache Kafka’s own Java client: what is proved with it does not rest on kafkajs agreeing with
 * itself. Resolves when the brokers have acknowledged every record, with their places in the order given.
 */
export async function produce(
  classPath: string,
  brokers: readonly string[],
  records: readonly ForeignRecord[],
  compression: Compression,
): Promise<Acknowledged[]> {
  const child = spawn(
    'java',
    [
      '-Xmx512m',
      '-XX:TieredStopAtLevel=1',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-cp',
      classPath,
      'Produce',
      brokers.join(','),
      compression,
    ],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  )
  // A client that dies early closes its input; its exit code and words say why.
  child.stdin.on('error', () => {})
  const [output, words, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
    child.stdin.end(frame(records)),
  ])
  if (code !== 0) throw new Error(`The Java producer ended with ${code}:\n${words.slice(-2_000)}`)
  return output
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [partition, offset] = line.split(' ').map(Number)
      return { partition: partition!, offset: offset! }
    })
}

// Big-endian integers and length-prefixed bytes, as java.io.DataInputStream reads them; length -1 is null.
function frame(records: readonly ForeignRecord[]): Buffer {
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
