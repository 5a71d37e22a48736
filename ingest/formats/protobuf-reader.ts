/** Bytes that are no protobuf message of the shape expected. Caught by the format that reads them. */
export class ProtobufError extends Error {}

export interface ProtobufField {
  readonly number: number
  /** 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes. */
  readonly wire: number
  /** The varint, or the fixed integer (little endian, unsigned); 0 for length-delimited fields. */
  readonly integer: bigint
  /** The content of a length-delimited field; empty for the others. */
  readonly bytes: Uint8Array
}

const EMPTY = new Uint8Array()

/**
 * The fields of a message, in order (protobuf.dev, "Encoding"). Groups are not read: OTLP has none.
 * @throws {ProtobufError} when a field reaches beyond the end or is of no known wire type.
 */
export function* readFields(message: Uint8Array): Generator<ProtobufField> {
  const view = new DataView(message.buffer, message.byteOffset, message.length)
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[at++]
      if (byte === undefined) break
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, value)
    }
    throw new ProtobufError('a number reaches beyond the end')
  }
  const fixed = (size: 4 | 8): bigint => {
    if (at + size > message.length) throw new ProtobufError('a number reaches beyond the end')
    const value = size === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true))
    at += size
    return value
  }
  while (at < message.length) {
    const tag = Number(varint())
    const number = tag >>> 3
    const wire = tag & 7
    if (number === 0) throw new ProtobufError('a field has number 0')
    if (wire === 0) yield { number, wire, integer: varint(), bytes: EMPTY }
    else if (wire === 1) yield { number, wire, integer: fixed(8), bytes: EMPTY }
    else if (wire === 5) yield { number, wire, integer: fixed(4), bytes: EMPTY }
    else if (wire === 2) {
      const size = varint()
      if (size > BigInt(message.length - at)) throw new ProtobufError('a field reaches beyond the end')
      const bytes = message.subarray(at, at + Number(size))
      at += Number(size)
      yield { number, wire, integer: 0n, bytes }
    } else throw new ProtobufError(`wire type ${wire} is not known`)
  }
}

/** The fixed64 of a double, read as one. */
export function doubleOf(integer: bigint): number {
  const view = new DataView(new ArrayBuffer(8))
  view.setBigUint64(0, integer, true)
  return view.getFloat64(0, true)
}
