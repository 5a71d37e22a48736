import { constants, zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { zstdFramesOf } from '../../../core/zstd-frames.ts'
import type { RawRecord } from '../../../ingest/record.ts'
import { inflate, TooLarge } from '../../../ingest/sources/kafka-codecs.ts'
import { unpackValue } from '../../../ingest/unpack-value.ts'

/** Records and batches packed as several zstd frames, which RFC 8878 allows: nothing after the first one may be lost. */

const checked = { params: { [constants.ZSTD_c_checksumFlag]: 1 } }
const skippable = (bytes: number): Buffer => {
  const frame = Buffer.alloc(8 + bytes, 7)
  frame.writeUInt32LE(0x184d2a50, 0)
  frame.writeUInt32LE(bytes, 4)
  return frame
}
const texts = ['{"a":1}\n', 'x'.repeat(300_000), '', '{"b":2}\n', 'end']
const packed = Buffer.concat([
  ...texts.slice(0, 2).map((text) => zstdCompressSync(Buffer.from(text))),
  skippable(20),
  ...texts.slice(2).map((text) => zstdCompressSync(Buffer.from(text), checked)),
])
const whole = texts.join('')

const recordOf = (value: Uint8Array): RawRecord => ({
  ...{ value, headers: {}, timestampMs: 0, timestampSource: 'broker', tenant: 'acme' },
  ...{ topic: 't', partition: 0, offset: 1 },
})
const inflated = async (bytes: Buffer) => Buffer.concat(await Array.fromAsync(inflate('zstd', bytes)))

describe('zstd in several frames', () => {
  it('is read to its end as the value of a record', () => {
    const { value, refused } = unpackValue(recordOf(packed), 1_000_000)
    expect(refused).toBeUndefined()
    expect(Buffer.from(value).toString()).toBe(whole)
  })

  it('is read to its end as a batch, small or large', async () => {
    expect((await inflated(packed)).toString()).toBe(whole)
    const large = Buffer.from(Array.from({ length: 400_000 }, (_, index) => `${index * 7919}`).join(','))
    const twice = Buffer.concat([zstdCompressSync(large), packed, zstdCompressSync(large, checked)])
    expect(twice.length).toBeGreaterThan(1_000_000)
    expect((await inflated(twice)).equals(Buffer.concat([large, Buffer.from(whole), large]))).toBe(true)
  })

  it('may together become no more than one frame may', async () => {
    const exact = whole.length
    expect(unpackValue(recordOf(packed), exact).refused).toBeUndefined()
    expect(unpackValue(recordOf(packed), exact - 1).refused?.reason).toBe('record_too_large')
    const bomb = zstdCompressSync(Buffer.alloc(50_000_000))
    await expect(inflated(Buffer.concat([bomb, bomb, bomb, bomb, bomb, bomb]))).rejects.toThrow(TooLarge)
  })

  it('is refused when it is damaged after the first frame, or has very many', () => {
    const cut = packed.subarray(0, packed.length - 3)
    expect(unpackValue(recordOf(cut), 1_000_000).refused?.reason).toBe('record_not_utf8')
    const rubbish = Buffer.concat([zstdCompressSync(Buffer.from('{}')), Buffer.from('rubbish')])
    expect(unpackValue(recordOf(rubbish), 1_000_000).refused?.reason).toBe('record_not_utf8')
    const many = Buffer.concat(Array.from({ length: 1_001 }, () => zstdCompressSync(Buffer.alloc(0))))
    expect(unpackValue(recordOf(many), 1_000_000).refused?.message).toContain('more than 1000 zstd frames')
  })

  it('is cut into the frames, whatever they hold', () => {
    expect(zstdFramesOf(packed)).toHaveLength(texts.length)
    expect(zstdFramesOf(Buffer.alloc(0))).toEqual([])
    expect(zstdFramesOf(Buffer.from('plain text'))).toHaveLength(1)
  })
})
