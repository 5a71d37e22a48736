import type { AbortedTransaction } from './kafka-record-batch.ts'

/** What the broker said about one partition, records still in their batches. */
export interface FetchedPartition {
  readonly batches: Buffer
  readonly aborted: readonly AbortedTransaction[]
  /** The offset that was asked for does not exist. */
  readonly outOfRange: boolean
}

/** In the place of kafkajs's messages: one, whatever was fetched, which carries it undecoded. */
interface Carrier {
  readonly offset: string
  readonly key: null
  readonly value: null
  readonly batchContext: Readonly<Record<string, never>>
  readonly fetched: FetchedPartition
}

/** What kafkajs takes a decoded answer for. */
export interface FetchResponse {
  readonly throttleTime: number
  readonly clientSideThrottleTime: number
  readonly errorCode: number
  readonly sessionId: number
  readonly responses: readonly {
    readonly topicName: string
    readonly partitions: readonly {
      readonly partition: number
      readonly errorCode: number
      readonly highWatermark: string
      readonly abortedTransactions: readonly never[]
      readonly preferredReadReplica: number
      readonly messages: readonly Carrier[]
    }[]
  }[]
}

const OFFSET_OUT_OF_RANGE = 1
// Never below what was asked for, so that kafkajs does not sort it out.
const LAST_OFFSET = String(2n ** 63n - 1n)

/** What a message of kafkajs carries; `undefined` when kafkajs decoded it itself (a broker before Kafka 2.3). */
export const fetchedOf = (message: object | undefined): FetchedPartition | undefined =>
  message !== undefined && 'fetched' in message ? (message as Carrier).fetched : undefined

/**
 * Decodes the answer to a fetch (version 11) as far as the partitions, and leaves their batches as they are. In the
 * place of kafkajs's own decoding, which inflates without a bound, decodes at one go, lets records of aborted
 * transactions through when several are open, and on an offset out of range commits another one by itself.
 */
export async function decodeFetchResponse(bytes: Buffer): Promise<FetchResponse> {
  let at = 0
  const forward = (length: number): number => {
    const from = at
    at += length
    return from
  }
  const int16 = () => bytes.readInt16BE(forward(2))
  const int32 = () => bytes.readInt32BE(forward(4))
  const int64 = () => bytes.readBigInt64BE(forward(8))
  const list = <T>(item: () => T): T[] => Array.from({ length: Math.max(0, int32()) }, item)
  const slice = (length: number) => bytes.subarray(forward(Math.max(0, length)), at)
  const partitionOf = () => {
    const partition = int32()
    const errorCode = int16()
    const highWatermark = String(int64())
    forward(16) // the last stable offset and the oldest one
    const aborted = list(() => ({ producerId: String(int64()), firstOffset: Number(int64()) }))
    const preferredReadReplica = int32()
    const batches = slice(int32())
    const outOfRange = errorCode === OFFSET_OUT_OF_RANGE
    const fetched = { batches, aborted, outOfRange }
    const carrier: Carrier = { offset: LAST_OFFSET, key: null, value: null, batchContext: {}, fetched }
    return {
      partition,
      errorCode: outOfRange ? 0 : errorCode,
      highWatermark,
      abortedTransactions: [],
      preferredReadReplica,
      messages: batches.length > 0 || outOfRange ? [carrier] : [],
    }
  }
  const clientSideThrottleTime = int32()
  const errorCode = int16()
  const sessionId = int32()
  const responses = list(() => ({
    topicName: slice(int16()).toString('utf8'),
    partitions: list(partitionOf),
  }))
  // The client waits by itself when the broker asks it to; kafkajs expects 0 here.
  return { throttleTime: 0, clientSideThrottleTime, errorCode, sessionId, responses }
}
