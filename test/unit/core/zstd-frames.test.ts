import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { constants, zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { unpacked } from '../../../ingest/sources/file-identity.ts'

const skippable = (bytes: number): Buffer => {
  const frame = Buffer.alloc(8 + bytes, 7)
  frame.writeUInt32LE(0x184d2a53, 0)
  frame.writeUInt32LE(bytes, 4)
  return frame
}

const text = (from: number, to: number): Buffer =>
  Buffer.from(Array.from({ length: to - from }, (_, index) => `line ${from + index}\n`).join(''))

const piecesOf = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.byteLength / size) }, (_, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  )

const unpackZstd = (pieces: Iterable<Uint8Array>): Readable =>
  unpacked(Readable.from(pieces, { objectMode: false }), 'zstd')

const unpack = async (pieces: Iterable<Uint8Array>): Promise<Buffer> =>
  Buffer.concat(await Array.fromAsync(unpackZstd(pieces) as AsyncIterable<Buffer>))

describe('zstd in several frames', () => {
  const withChecksum = { params: { [constants.ZSTD_c_checksumFlag]: 1 } }
  const frames = [
    zstdCompressSync(text(0, 10)),
    skippable(0),
    zstdCompressSync(text(10, 60_000), withChecksum),
    zstdCompressSync(Buffer.alloc(0)),
    skippable(300),
    // Blocks of one repeated byte, and blocks that cannot be packed.
    zstdCompressSync(Buffer.alloc(400_000, 'a')),
    zstdCompressSync(randomBytes(300_000)),
    zstdCompressSync(text(60_000, 60_001), withChecksum),
  ]

  it.each([1, 7, 1000, 1 << 20])('is read to its end, in pieces of %d bytes', async (size) => {
    const packed = [zstdCompressSync(text(0, 10)), skippable(5), zstdCompressSync(text(10, 90), withChecksum)]
    expect(await unpack(piecesOf(Buffer.concat(packed), size))).toEqual(text(0, 90))
  })

  it('is the same as the frames one by one, whatever their kinds', async () => {
    const each = await Promise.all(frames.map((frame) => unpack([frame])))
    expect(each.map(({ byteLength }) => byteLength > 0)).toEqual([
      true,
      false,
      true,
      false,
      false,
      true,
      true,
      true,
    ])
    expect((await unpack([Buffer.concat(frames)])).equals(Buffer.concat(each))).toBe(true)
  })

  it('says so when it ends within a frame, or goes on as something else', async () => {
    const whole = Buffer.concat([zstdCompressSync(text(0, 10)), zstdCompressSync(text(10, 5000))])
    for (const cut of [1, 4, 100, whole.byteLength >> 1])
      await expect(unpack([whole.subarray(0, -cut)])).rejects.toMatchObject({ code: 'Z_BUF_ERROR' })
    await expect(unpack([Buffer.concat([whole, Buffer.from('something else')])])).rejects.toThrow()
  })

  it('reads no further than is asked for: a small frame that holds much is not unpacked at once', async () => {
    const bomb = zstdCompressSync(Buffer.alloc(256 * 1024 ** 2))
    const before = process.memoryUsage().rss
    for await (const part of unpackZstd([bomb])) if (part.byteLength > 0) break
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 ** 2)
  })
})
