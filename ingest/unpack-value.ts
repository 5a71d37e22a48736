import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { messageOf } from '../core/errors.ts'
import type { RawRecord } from './record.ts'

const NOTHING = new Uint8Array(0)

/**
 * A record whose sender compressed its value (gzip or zstd, told by its first bytes) as if it had come plain: before
 * anything else looks at it, so that nothing hides from redaction. Once: what is compressed twice stays so. A value that
 * becomes more than `maxBytes`, or is damaged, is refused.
 */
export function unpackValue(record: RawRecord, maxBytes: number): RawRecord {
  const { value } = record
  const isGzip = value[0] === 0x1f && value[1] === 0x8b && value[2] === 8
  const isZstd = value[0] === 0x28 && value[1] === 0xb5 && value[2] === 0x2f && value[3] === 0xfd
  if (!isGzip && !isZstd) return record
  const codec = isGzip ? 'gzip' : 'zstd'
  try {
    return {
      ...record,
      value: (isGzip ? gunzipSync : zstdDecompressSync)(value, { maxOutputLength: maxBytes }),
    }
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
