import { isUtf8 } from 'node:buffer'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'

/** Bytes that are not what they should be. Caught by the format that reads them. */
export class OtlpBytesError extends Error {}

/** A message being read: the library’s reader, and its bytes as a buffer for text. */
export interface Input {
  readonly reader: BinaryReader
  readonly buffer: Buffer
}

export const openInput = (bytes: Uint8Array): Input => ({
  reader: new BinaryReader(bytes),
  buffer: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
})

/**
 * Runs what reads from an input.
 * @throws {OtlpBytesError} for whatever the library finds wrong with the bytes, which it says with plain errors
 */
export function reading<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof OtlpBytesError) throw cause
    throw new OtlpBytesError(cause instanceof Error ? cause.message : 'unreadable', { cause })
  }
}

/** What begins a field: its number and its wire type, in one number as in the bytes. */
export type Tag = number
export const numberOfTag = (tag: Tag): number => tag >>> 3
export const wireOfTag = (tag: Tag): WireType => tag & 7

/** Calls `take` at each field, which reads or skips it. */
export function readFields(bytes: Uint8Array, take: (input: Input, tag: Tag) => void): void {
  const input = openInput(bytes)
  const { reader } = input
  reading(() => {
    while (reader.pos < reader.len) {
      take(input, readTag(input))
      if (reader.pos > reader.len) throw new OtlpBytesError('a field reaches beyond the end')
    }
  })
}

export function readTag({ reader, buffer }: Input): Tag {
  // One byte for numbers up to 15, so for nearly all fields; the library makes a pair of each.
  const tag = buffer[reader.pos]
  if (tag !== undefined && tag >= 8 && tag < 0x80 && (tag & 7) <= WireType.Bit32) {
    reader.pos++
    return tag
  }
  const [number, wire] = reader.tag()
  return ((number << 3) | wire) >>> 0
}

export function skip(input: Input, tag: Tag): void {
  const { reader } = input
  const wire = wireOfTag(tag)
  // The library makes a view of what it passes over.
  if (wire === WireType.LengthDelimited) reader.pos = endOf(input)
  else if (wire === WireType.Bit32 && reader.pos + 4 <= reader.len) reader.pos += 4
  else if (wire === WireType.Bit64 && reader.pos + 8 <= reader.len) reader.pos += 8
  else reader.skip(wire, numberOfTag(tag))
}

/** Goes on behind the bytes whose length comes next; they begin at the answer and end where the reader is then. */
export function readRange(input: Input): number {
  const end = endOf(input)
  const at = input.reader.pos
  input.reader.pos = end
  return at
}

export function readText(input: Input): string {
  const at = readRange(input)
  const text = input.buffer.toString('utf8', at, input.reader.pos)
  // The decoder replaces silently; whether it did shows only where the text has the replacement character.
  if (text.includes('\ufffd') && !isUtf8(input.buffer.subarray(at, input.reader.pos)))
    throw new OtlpBytesError('a text is not valid UTF-8')
  return text
}

export function readHex(input: Input): string {
  const at = readRange(input)
  return input.buffer.toString('hex', at, input.reader.pos)
}

/** The end of the message or bytes whose length comes next. */
export function endOf({ reader }: Input): number {
  const length = reader.uint32()
  const end = reader.pos + length
  if (end > reader.len) throw new OtlpBytesError('a field reaches beyond the end')
  return end
}
