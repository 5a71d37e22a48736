import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import type { RawRecord } from '../record.ts'
import { createRecordSplitter } from './split-records.ts'

export interface HttpBody {
  /** The body, inflated. */
  readonly body: Uint8Array
  /** Headers of the request, names in lower case. Only those that describe the records are kept. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** From the credential. */
  readonly tenant: string
  /** Name of the source; `http` unless told. */
  readonly topic?: string
  readonly format?: string
  readonly nowMs: number
  /** Durable offsets for the records, as the segment log hands them out. */
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
  format,
  nowMs,
  reserve,
}: HttpBody): HttpRecords {
  const binary = /protobuf|octet-stream/i.test(headers['content-type'] ?? '')
  const splitter = createRecordSplitter()
  const split = binary
    ? body.byteLength === 0
      ? []
      : [{ value: body, line: 1 }]
    : [...splitter.push(body), ...splitter.end()]
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
      partition: 0,
      offset: first + index,
      ...(format === undefined ? {} : { format }),
    })),
  }
}

// Never the credentials: records and their headers go to the store.
function recordHeaders(headers: HttpBody['headers']): Record<string, string> {
  const kept: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue
    if (name === 'content-type' || name === 'x-gatewatch-format') kept[name] = value
    // CloudEvents over HTTP says ce-type where Kafka says ce_type; formats know the latter.
    if (name.startsWith('ce-')) kept[name.replace('ce-', 'ce_')] = value
  }
  return kept
}

/**
 * Undoes `content-encoding: gzip`, but never to more than `maxBytes`.
 * @throws GatewatchError `payload_too_large` or `request_invalid`
 */
export async function inflateBody(body: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  try {
    return await promisify(gunzip)(body, { maxOutputLength: maxBytes })
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new GatewatchError('payload_too_large', `The body inflates to more than ${maxBytes} bytes.`, {
        cause,
      })
    }
    throw new GatewatchError('request_invalid', `The body is not gzip: ${messageOf(cause)}.`, { cause })
  }
}
