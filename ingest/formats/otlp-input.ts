import { isUtf8 } from 'node:buffer'
import { BinaryReader, type WireType } from '@bufbuild/protobuf/wire'

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

/** Calls `take` at each field, which reads or skips it. */
export function readFields(
  bytes: Uint8Array,
  take: (input: Input, number: number, wire: WireType) => void,
): void {
  const input = openInput(bytes)
  const { reader } = input
  reading(() => {
    while (reader.pos < reader.len) {
      const [number, wire] = reader.tag()
      take(input, number, wire)
      if (reader.pos > reader.len) throw new OtlpBytesError('a field reaches beyond the end')
    }
  })
}

export const skip = ({ reader }: Input, number: number, wire: WireType): void => {
  reader.skip(wire, number)
}

export function readRange({ reader }: Input): { at: number; length: number } {
  const length = reader.uint32()
  const at = reader.pos
  if (at + length > reader.len) throw new OtlpBytesError('a field reaches beyond the end')
  reader.pos = at + length
  return { at, length }
}

export function readText(input: Input): string {
  const { at, length } = readRange(input)
  const text = input.buffer.toString('utf8', at, at + length)
  // The decoder replaces silently; whether it did shows only where the text has the replacement character.
  if (text.includes('\ufffd') && !isUtf8(input.buffer.subarray(at, at + length)))
    throw new OtlpBytesError('a text is not valid UTF-8')
  return text
}

export function readHex(input: Input): string {
  const { at, length } = readRange(input)
  return input.buffer.toString('hex', at, at + length)
}

/** The end of the message whose length comes next. */
export function endOf(input: Input): number {
  const length = input.reader.uint32()
  const end = input.reader.pos + length
  if (end > input.reader.len) throw new OtlpBytesError('a field reaches beyond the end')
  return end
}
