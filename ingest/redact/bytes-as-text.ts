/** Whether bytes are text: no control characters but white space. */
export function isText(bytes: Uint8Array): boolean {
  for (const byte of bytes)
    if (byte < 0x20 ? byte !== 0x0a && byte !== 0x0d && byte !== 0x09 : byte === 0x7f) return false
  return bytes.length > 0
}

/** What bytes say, as UTF-8, or as UTF-16 whose letters are those of ASCII; `undefined` when they say nothing. */
export function textOfBytes(bytes: Buffer): string | undefined {
  if (isText(bytes)) return bytes.toString('utf8')
  if (bytes.length < 4) return undefined
  // A mark of the order of bytes may come first.
  const marked = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)
  const units = marked ? bytes.subarray(2) : bytes
  for (const zero of [1, 0]) {
    const letters = lettersOf(units, zero)
    if (letters !== undefined && isText(letters)) return letters.toString('latin1')
  }
  return undefined
}

/** Every other byte, where those between are zero. */
function lettersOf(bytes: Buffer, zeroAt: number): Buffer | undefined {
  const letters = Buffer.alloc(bytes.length >> 1)
  for (let at = 0; at + 1 < bytes.length; at += 2) {
    if (bytes[at + zeroAt] !== 0) return undefined
    letters[at >> 1] = bytes[at + 1 - zeroAt] ?? 0
  }
  return letters
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** The bytes of a text as base32 (RFC 4648), without padding; what is left over at its end is dropped. */
export function bytesOfBase32(text: string): Buffer {
  const bytes = Buffer.alloc(Math.floor((text.length * 5) / 8))
  let bits = 0
  let held = 0
  let length = 0
  for (let at = 0; at < text.length; at++) {
    held = ((held & 0xff) << 5) | BASE32.indexOf(text[at] ?? '')
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes[length++] = held >> bits
  }
  return bytes.subarray(0, length)
}
