// Castagnoli's polynomial, bits reversed.
const POLYNOMIAL = 0x82f63b78

// Table k says what a byte does to the sum when k bytes follow it. "Slicing by 8": Kounavis and Berry, A Systematic
// Approach to Building High Performance, Software-based, CRC Generators (ISCC 2005).
const TABLES = makeTables()

function makeTables(): Uint32Array {
  const tables = new Uint32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let sum = byte
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 0 ? sum >>> 1 : (sum >>> 1) ^ POLYNOMIAL
    tables[byte] = sum
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256] as number
    tables[at] = (before >>> 8) ^ (tables[before & 0xff] as number)
  }
  return tables
}

/** CRC-32C of the bytes (RFC 3720, appendix B.4), from 0 to 2^32 − 1. Node has CRC-32 only. */
export function crc32c(bytes: Uint8Array): number {
  const tables = TABLES
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const wholeEnd = bytes.length - (bytes.length % 8)
  let sum = ~0
  let at = 0
  for (; at < wholeEnd; at += 8) {
    const low = sum ^ view.getInt32(at, true)
    const high = view.getInt32(at + 4, true)
    sum =
      (tables[0x700 | (low & 0xff)] as number) ^
      (tables[0x600 | ((low >>> 8) & 0xff)] as number) ^
      (tables[0x500 | ((low >>> 16) & 0xff)] as number) ^
      (tables[0x400 | (low >>> 24)] as number) ^
      (tables[0x300 | (high & 0xff)] as number) ^
      (tables[0x200 | ((high >>> 8) & 0xff)] as number) ^
      (tables[0x100 | ((high >>> 16) & 0xff)] as number) ^
      (tables[high >>> 24] as number)
  }
  for (; at < bytes.length; at++) sum = (sum >>> 8) ^ (tables[(sum ^ (bytes[at] as number)) & 0xff] as number)
  return ~sum >>> 0
}
