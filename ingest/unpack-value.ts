import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { messageOf } from '../core/errors.ts'
import { zstdFramesOf } from '../core/zstd-frames.ts'
import type { RawRecord } from './record.ts'
import { withoutSchemaHeader } from './schema-frame.ts'

const NOTHING = new Uint8Array(0)

/**
 * A record whose sender compressed its value (gzip or zstd, told by its first bytes), or put a schema registry’s header
 * before it, as if it had come plain: before
 * anything else looks at it, so that nothing hides from redaction. Once: what is compressed twice stays so. A value that
 * becomes more than `maxBytes`, or is damaged, is refused.
 */
export function unpackValue(record: RawRecord, maxBytes: number): RawRecord {
  const { value } = record
  const isGzip = value[0] === 0x1f && value[1] === 0x8b && value[2] === 8
  const isZstd = value[0] === 0x28 && value[1] === 0xb5 && value[2] === 0x2f && value[3] === 0xfd
  if (!isGzip && !isZstd) return unframe(record)
  const codec = isGzip ? 'gzip' : 'zstd'
  try {
    return unframe({
      ...record,
      value: isGzip ? gunzipSync(value, { maxOutputLength: maxBytes }) : unzstd(value, maxBytes),
    })
  } catch (error) {
    const tooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
    return {
      ...record,
      value: NOTHING,
      fullBytes: value.length,
      refused: tooLarge
        ? {
            reason: 'record_too_large',
            message: `The value is ${codec} that becomes more than ${maxBytes} bytes.`,
          }
        : {
            reason: 'record_not_utf8',
            message: `The value is ${codec} that is damaged: ${messageOf(error)}.`,
          },
    }
  }
}

// A format of bytes that is named may begin as it likes.
function unframe(record: RawRecord): RawRecord {
  const inside = withoutSchemaHeader(record.value)
  if (inside === undefined) return record
  if ('value' in inside) return { ...record, value: inside.value, framed: true }
  return record.format === undefined || record.format === 'auto'
    ? { ...record, refused: { reason: 'record_not_json', message: inside.refused } }
    : record
}

/** All frames: Node’s decoder stops after the first one, and what follows would be lost without a word. */
function unzstd(value: Uint8Array, maxBytes: number): Buffer {
  const pieces: Buffer[] = []
  let left = maxBytes
  for (const frame of zstdFramesOf(Buffer.from(value.buffer, value.byteOffset, value.byteLength))) {
    // A limit of 0 is none to Node; one byte more than there is room for is told below.
    const piece = zstdDecompressSync(frame, { maxOutputLength: left + 1 })
    left -= piece.byteLength
    if (left < 0) throw Object.assign(new Error('it becomes too large'), { code: 'ERR_BUFFER_TOO_LARGE' })
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}
