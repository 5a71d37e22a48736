import fc from 'fast-check'
import { expect, it } from 'vitest'
import { crc32c } from '../../../../ingest/sources/crc32c.ts'

// RFC 3720, appendix B.4, and the check value of the catalogue of parametrised CRC algorithms.
it.each([
  ['123456789', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.alloc(0), 0],
  ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
  ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['0 to 31', Buffer.from(Array.from({ length: 32 }, (_, byte) => byte)), 0x46dd794e],
  ['31 to 0', Buffer.from(Array.from({ length: 32 }, (_, byte) => 31 - byte)), 0x113fdb5c],
])('crc32c of %s', (_, bytes, sum) => {
  expect(crc32c(bytes)).toBe(sum)
})

it('crc32c is what the definition says, at any length and place in memory', () => {
  const bitByBit = (bytes: Uint8Array) => {
    let sum = ~0
    for (const byte of bytes) {
      sum ^= byte
      for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 0 ? sum >>> 1 : (sum >>> 1) ^ 0x82f63b78
    }
    return ~sum >>> 0
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(9), (bytes, from) => {
      const view = bytes.subarray(Math.min(from, bytes.length))
      expect(crc32c(view)).toBe(bitByBit(view))
    }),
  )
})
