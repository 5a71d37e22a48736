import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import type { RawRecord } from '../record.ts'
import { createRecordSplitter, type SplitRecord } from './split-records.ts'

export interface FileSourceOptions {
  /** Path of a file (NDJSON, text lines, a JSON array or document; gzip if it ends in `.gz`), or `-`. */
  readonly path: string
  readonly tenant: string
  /** Fixes the format of the records; otherwise each is recognised. */
  readonly format?: string
  /** What `-` reads. */
  readonly stdin: Readable
  /** Offsets for stdin, which has no identity of its own: two streams must not share coordinates. */
  readonly reserve: (topic: string, count: number) => number
  /** Time of receipt for stdin, in milliseconds since the epoch; a file’s records have its time of change. */
  readonly nowMs: number
  /** Called after each batch; `totalBytes` is the size on disk, unknown for stdin. */
  readonly onProgress?: (progress: {
    readBytes: number
    totalBytes: number | undefined
    records: number
  }) => void
  /** Records and bytes of a batch. */
  readonly batch?: { readonly records: number; readonly bytes: number }
}

/**
 * Reads a file as batches of records, in bounded memory. Coordinates are the file’s name and beginning, and the byte
 * offset of the record (after gunzip); so the same file read again, or read again after lines were appended, gives
 * the same event ids, and what was stored before counts as duplicate.
 * @throws GatewatchError `not_found` when the file cannot be opened, `request_invalid` when its gzip is damaged (after
 * the records before the damage)
 */
export async function* readRecords(options: FileSourceOptions): AsyncGenerator<RawRecord[]> {
  const { path, onProgress, batch = { records: 5_000, bytes: 4 * 1024 * 1024 } } = options
  const source =
    path === '-'
      ? { topic: 'stdin', totalBytes: undefined, timestampMs: options.nowMs }
      : await describe(path)
  const splitter = createRecordSplitter()
  let waiting: SplitRecord[] = []
  let waitingBytes = 0
  let records = 0
  let readBytes = 0

  const take = (): RawRecord[] => {
    const split = waiting
    waiting = []
    waitingBytes = 0
    records += split.length
    const reserved = path === '-' ? options.reserve('stdin', split.length) : undefined
    return split.map(({ value, offset }, index) => ({
      value,
      headers: {},
      timestampMs: source.timestampMs,
      timestampSource: 'received',
      tenant: options.tenant,
      topic: source.topic,
      partition: 0,
      offset: reserved === undefined ? offset : reserved + index,
      ...(options.format === undefined ? {} : { format: options.format }),
    }))
  }
  const report = () => onProgress?.({ readBytes, totalBytes: source.totalBytes, records })

  const raw = path === '-' ? options.stdin : createReadStream(path, { highWaterMark: 256 * 1024 })
  raw.on('data', (chunk: Uint8Array) => {
    readBytes += chunk.byteLength
  })
  // `pipeline` passes an error of the file on to the reader of the gunzip stream; the callback has nothing to add.
  const bytes = path.endsWith('.gz') ? pipeline(raw, createGunzip(), () => {}) : raw
  try {
    for await (const chunk of bytes as AsyncIterable<Uint8Array>) {
      for (const record of splitter.push(chunk)) {
        waiting.push(record)
        waitingBytes += record.value.byteLength
        if (waiting.length >= batch.records || waitingBytes >= batch.bytes) {
          yield take()
          report()
        }
      }
    }
  } catch (cause) {
    if (waiting.length > 0) yield take()
    throw new GatewatchError('request_invalid', `${path} cannot be read to its end: ${messageOf(cause)}.`, {
      cause,
      at: path,
      remedy: 'The records before the damage were read; mend the file and read it again.',
    })
  }
  waiting.push(...splitter.end())
  if (waiting.length > 0) yield take()
  report()
}

const FINGERPRINT_BYTES = 4096

/** The file’s name and the hash of its first line: stays when lines are appended, differs for another day’s log. */
async function describe(path: string): Promise<{ topic: string; totalBytes: number; timestampMs: number }> {
  try {
    const info = await stat(path)
    if (!info.isFile()) throw new Error('it is not a file')
    const handle = await open(path, 'r')
    try {
      const head = Buffer.alloc(FINGERPRINT_BYTES)
      const { bytesRead } = await handle.read(head, 0, FINGERPRINT_BYTES, 0)
      const lineEnd = head.subarray(0, bytesRead).indexOf(10)
      const firstLine = head.subarray(0, lineEnd === -1 ? bytesRead : lineEnd)
      const fingerprint = createHash('sha256').update(firstLine).digest('hex').slice(0, 12)
      return {
        topic: `file:${basename(path)}:${fingerprint}`,
        totalBytes: info.size,
        timestampMs: Math.floor(info.mtimeMs),
      }
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw new GatewatchError('not_found', `${path} cannot be opened: ${messageOf(cause)}.`, {
      cause,
      at: path,
    })
  }
}
