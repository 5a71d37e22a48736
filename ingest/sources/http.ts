import { GatewatchError } from '../../core/errors.ts'
import { FORMAT_HEADER } from '../decode.ts'
import { PRODUCER_HEADER, SEQUENCE_HEADER } from '../producer.ts'
import type { RawRecord } from '../record.ts'
import { createRecordSplitter, type SplitRecord } from './split-records.ts'

export interface HttpBody {
  /** The body, inflated. */
  readonly body: Uint8Array
  /** Headers of the request, names in lower case. Only those that describe the records are kept. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** From the credential. */
  readonly tenant: string
  /** Name of the source. Default: `http`. */
  readonly topic?: string
  /** Default: 0. */
  readonly partition?: number
  readonly format?: string
  /** The records are history. */
  readonly imported?: true
  readonly nowMs: number
  /** See `RawRecord`. */
  readonly history?: boolean
  /** Offsets for the records: those that the segment log hands out, or `keyedCoordinates`. */
  readonly reserve: (topic: string, count: number) => number
}

export interface HttpRecords {
  readonly records: readonly RawRecord[]
  /** Line of the body in which each record begins, from 1. */
  readonly lines: readonly number[]
}

/**
 * The records in a request body: the elements of a JSON array, the lines of NDJSON, JSON documents, or — for protobuf
 * — the body itself. An empty body has none.
 */
export function recordsOfBody({
  body,
  headers,
  tenant,
  topic = 'http',
  partition = 0,
  format,
  imported,
  nowMs,
  history,
  reserve,
}: HttpBody): HttpRecords {
  const binary = /protobuf|octet-stream/i.test(headers['content-type'] ?? '')
  const split = binary ? (body.byteLength === 0 ? [] : [{ value: body, line: 1 }]) : splitBounded(body)
  const first = split.length === 0 ? 0 : reserve(topic, split.length)
  const kept = recordHeaders(headers)
  return {
    lines: split.map(({ line }) => line),
    records: split.map(({ value }, index) => ({
      value,
      headers: kept,
      timestampMs: nowMs,
      timestampSource: 'received',
      tenant,
      topic,
      partition,
      offset: first + index,
      ...(format === undefined ? {} : { format }),
      ...(imported && { imported }),
      ...(history === undefined ? {} : { history }),
    })),
  }
}

/** Most records of a body: each takes memory of its own, however small it is, and a body unpacks to many. */
export const MAX_BODY_RECORDS = 100_000
const SPLIT_BYTES = 64 * 1024

// In pieces, so that a body of too many records is refused before there are all of them.
function splitBounded(body: Uint8Array): readonly SplitRecord[] {
  const splitter = createRecordSplitter()
  const records: SplitRecord[] = []
  const take = (more: readonly SplitRecord[]) => {
    for (const record of more) records.push(record)
    if (records.length <= MAX_BODY_RECORDS) return
    throw new GatewatchError('payload_too_large', `The body has more than ${MAX_BODY_RECORDS} records.`, {
      remedy: 'Send it in several requests.',
    })
  }
  for (let at = 0; at < body.byteLength; at += SPLIT_BYTES)
    take(splitter.push(body.subarray(at, at + SPLIT_BYTES)))
  take(splitter.end())
  return records
}

// The offsets of a body: 2^53, the largest whole number, is the 32 bits of its start times this.
const KEYED_RECORDS = 2 ** 21

/**
 * Coordinates that follow from a hash (hex, at least 16 digits): the same body under the same key has the same,
 * in whatever process, so its events have the same ids.
 */
export function keyedCoordinates(hash: string): Required<Pick<HttpBody, 'partition' | 'reserve'>> {
  return {
    partition: Number.parseInt(hash.slice(0, 8), 16),
    reserve: (_topic, count) => {
      if (count > KEYED_RECORDS) {
        throw new GatewatchError('payload_too_large', `The body has more than ${KEYED_RECORDS} records.`, {
          remedy: 'Send it in several requests.',
        })
      }
      return Number.parseInt(hash.slice(8, 16), 16) * KEYED_RECORDS
    },
  }
}

const KEPT = new Set(['content-type', FORMAT_HEADER, PRODUCER_HEADER, SEQUENCE_HEADER])

// Never the credentials: records and their headers go to the store.
function recordHeaders(headers: HttpBody['headers']): Record<string, string> {
  const kept: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue
    if (KEPT.has(name)) kept[name] = value
    // CloudEvents over HTTP says ce-type where Kafka says ce_type; formats know the latter.
    if (name.startsWith('ce-')) kept[name.replace('ce-', 'ce_')] = value
  }
  return kept
}
