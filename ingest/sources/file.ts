import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import { inertText } from '../../core/text.ts'
import type { RawRecord } from '../record.ts'
import {
  BEGINNING_BYTES,
  beginningOf,
  type Packing,
  packingOf,
  plainName,
  unpacked,
} from './file-identity.ts'
import { type FileIdentity, type FileMark, type FileRegistry, PACKED_END } from './file-registry.ts'
import { createRecordSplitter, type RecordSplitter, type SplitRecord } from './split-records.ts'

export interface FileSourceOptions {
  /** Path of a file (NDJSON, text lines, a JSON array or document; packed with gzip or zstd too), or `-`. */
  readonly path: string
  readonly tenant: string
  /** Fixes the format of the records; otherwise each is recognised. */
  readonly format?: string
  /** The records are history. */
  readonly imported?: true
  /** What `-` reads. */
  readonly stdin: Readable
  /** Offsets for stdin, which has no identity of its own: two streams must not share coordinates. */
  readonly reserve: (topic: string, count: number) => number
  /**
   * Time of receipt for stdin, in milliseconds since the epoch; a file’s records have the time of
   * change that the file had when they were first seen.
   */
  readonly nowMs: number
  /** Knows the files that were read before; without it a file is known by its beginning as it is now. */
  readonly registry?: Pick<FileRegistry, 'identify'>
  /** Cuts batches where earlier readings ended too, so that each batch of a file that grew is the same again. */
  readonly cutAtMarks?: boolean
  /**
   * Told that the file is not finished: it ends within a record (a line without its end, an array without its bracket) or
   * within its packing. That record is left out then; without this it is a record as it is.
   */
  readonly onUnfinished?: () => void
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
 * offset of the record (unpacked); so the same file read again, or read again after lines were appended, gives
 * the same event ids, and what was stored before counts as duplicate.
 *
 * A file is read up to the size that it has at the beginning. With a binary format it is one record.
 * @throws GatewatchError `not_found` when the file cannot be opened, `request_invalid` when it is no text and no format
 * says what it is, or when it is packed and damaged (after the records before the damage)
 */
export async function* readRecords(options: FileSourceOptions): AsyncGenerator<RawRecord[]> {
  const { path, onProgress, onUnfinished, batch = { records: 5_000, bytes: 4 * 1024 * 1024 } } = options
  const isText = options.format === undefined || !BINARY_FORMATS.has(options.format)
  const source = path === '-' ? stdinOf(options) : await describe(options, isText)
  const { marks } = source
  const cuts = options.cutAtMarks ? marks.map(({ end }) => end) : []
  const splitter = isText ? createRecordSplitter() : createWholeRecord()
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
      timestampMs: timeAt(marks, offset),
      timestampSource: 'received',
      tenant: options.tenant,
      topic: source.topic,
      partition: 0,
      offset: reserved === undefined ? offset : reserved + index,
      ...(options.format === undefined ? {} : { format: options.format }),
      ...(options.imported && { imported: true }),
    }))
  }
  /** Adds records, and gives the batches that are full. */
  const batchesOf = function* (split: readonly SplitRecord[]): Generator<RawRecord[]> {
    for (const record of split) {
      // What an earlier reading ended in may have been half a record then: it is a batch by itself.
      while (cuts[0] !== undefined && cuts[0] <= record.offset) {
        cuts.shift()
        if (waiting.length > 0) yield take()
      }
      const isCut = cuts[0] !== undefined && record.offset + record.value.byteLength >= cuts[0]
      if (isCut && waiting.length > 0) yield take()
      waiting.push(record)
      waitingBytes += record.value.byteLength
      if (isCut || waiting.length >= batch.records || waitingBytes >= batch.bytes) yield take()
    }
  }
  const report = () => onProgress?.({ readBytes, totalBytes: source.totalBytes, records })

  if (source.totalBytes === 0) return report()
  const raw = path === '-' ? options.stdin : createReadStream(path, readingOf(source))
  raw.on('data', (chunk: Uint8Array) => {
    readBytes += chunk.byteLength
  })
  const bytes = unpacked(raw, source.packing)
  try {
    let isFirst = path === '-' && isText
    for await (const chunk of bytes as AsyncIterable<Uint8Array>) {
      if (isFirst) assertText(chunk, 'Stdin')
      isFirst = false
      for (const full of batchesOf(splitter.push(chunk))) {
        yield full
        report()
      }
    }
  } catch (cause) {
    if (cause instanceof GatewatchError) throw cause
    if (waiting.length > 0) yield take()
    if (onUnfinished !== undefined && (cause as NodeJS.ErrnoException).code === ENDS_EARLY) {
      onUnfinished()
      return report()
    }
    throw new GatewatchError(
      'request_invalid',
      `${inertText(path)} cannot be read to its end: ${messageOf(cause)}.`,
      {
        cause,
        at: inertText(path),
        remedy: 'The records before the damage were read; mend the file and read it again.',
      },
    )
  }
  const cutOff = splitter.end()
  if (onUnfinished === undefined || !isText) yield* batchesOf(cutOff)
  else if (cutOff.length > 0) onUnfinished()
  if (waiting.length > 0) yield take()
  report()
}

interface Source extends FileIdentity {
  /** On disk; unknown for stdin. */
  readonly totalBytes: number | undefined
  readonly packing: Packing | undefined
}

/** Formats whose records are bytes that nothing separates. */
export const BINARY_FORMATS: ReadonlySet<string> = new Set(['otlp-proto'])

// What zlib says of packed bytes that end before their end.
const ENDS_EARLY = 'Z_BUF_ERROR'

const MAX_RECORD_BYTES = 8 * 1024 * 1024
const TEXT_BYTES = 4096

const stdinOf = ({ nowMs }: FileSourceOptions): Source => ({
  ...{ topic: 'stdin', totalBytes: undefined, packing: undefined },
  marks: [{ end: PACKED_END, atMs: nowMs }],
})

async function describe({ path, registry }: FileSourceOptions, isText: boolean): Promise<Source> {
  const { size, modifiedMs, packing, bytes } = await beginningAt(path)
  if (isText) assertText(bytes, inertText(path))
  const end = packing === undefined ? size : PACKED_END
  const identity = await registry?.identify({ path, bytes, end, modifiedMs })
  const fingerprint = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
  const { topic, marks } = identity ?? {
    topic: `file:${plainName(path)}:${fingerprint}`,
    marks: [{ end, atMs: modifiedMs }],
  }
  return { topic, marks, totalBytes: size, packing }
}

async function beginningAt(path: string) {
  try {
    const info = await stat(path)
    if (!info.isFile()) throw new Error('it is not a file')
    const handle = await open(path, 'r')
    let first = Buffer.alloc(Math.min(BEGINNING_BYTES, info.size))
    try {
      first = first.subarray(0, (await handle.read(first, 0, first.byteLength, 0)).bytesRead)
    } finally {
      await handle.close()
    }
    const packing = packingOf(path, first)
    const bytes =
      packing === undefined
        ? first
        : await beginningOf(path, BEGINNING_BYTES, packing).catch(() => Buffer.alloc(0))
    return { size: info.size, modifiedMs: Math.floor(info.mtimeMs), packing, bytes }
  } catch (cause) {
    throw new GatewatchError(
      'not_found',
      `${inertText(path)} cannot be opened: ${inertText(messageOf(cause))}.`,
      {
        cause,
        at: inertText(path),
      },
    )
  }
}

// What comes while the file is read is of the next reading: its mark says how far this one came.
const readingOf = ({ packing, totalBytes }: Source) => ({
  highWaterMark: 256 * 1024,
  ...(packing === undefined && totalBytes !== undefined ? { end: totalBytes - 1 } : {}),
})

/** The time of the first reading that could have had a record at this offset. */
const timeAt = (marks: readonly FileMark[], offset: number): number =>
  (marks.find(({ end }) => end > offset) ?? marks.at(-1))?.atMs ?? 0

/** Cutting bytes that are no text at their line ends would make junk of them. */
function assertText(bytes: Uint8Array, what: string): void {
  const beginning = bytes.subarray(0, TEXT_BYTES)
  if (!beginning.includes(0) && (looksLikeJson(beginning) || isUtf8(beginning))) return
  throw new GatewatchError('request_invalid', `${what} is not text: its first 4 KiB are not UTF-8.`, {
    remedy:
      'If it is one OTLP message in protobuf, read it with gatewatch ingest --format otlp-proto; text in another encoding must be UTF-8 (iconv -t utf-8).',
  })
}

// Records cut from JSON stand for themselves: one that is no UTF-8 is a dead letter, and the others are read.
const looksLikeJson = (bytes: Uint8Array): boolean => /^\s*[[{]/.test(Buffer.from(bytes).toString('latin1'))

function isUtf8(bytes: Uint8Array): boolean {
  try {
    // As a part of a stream: the last character may be cut off.
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true })
    return true
  } catch {
    return false
  }
}

/** All bytes as one record; of one that is too large, and stays so, only the beginning is kept. */
function createWholeRecord(): RecordSplitter {
  const parts: Uint8Array[] = []
  let size = 0
  return {
    push: (chunk) => {
      if (size <= MAX_RECORD_BYTES) parts.push(chunk)
      size += chunk.byteLength
      return []
    },
    end: () =>
      size === 0 ? [] : [{ value: Buffer.concat(parts).subarray(0, MAX_RECORD_BYTES), offset: 0, line: 1 }],
  }
}
