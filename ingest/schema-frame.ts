// What serializers put before a value, so that readers find its schema: a byte that says whose header it is, then the id.
const HEADERS: readonly { readonly of: string; readonly magic: readonly number[]; readonly bytes: number }[] =
  [
    { of: 'a schema registry', magic: [0], bytes: 5 },
    { of: 'Apicurio', magic: [0], bytes: 9 },
    { of: 'a schema registry', magic: [1], bytes: 17 },
    { of: 'Glue', magic: [3, 0], bytes: 18 },
  ]
const QUOTE = 34
const [OPEN_BRACE, OPEN_BRACKET, FIRST_OF_OTLP] = [123, 91, 10]
// Confluent's protobuf has the place of the message's type after the id; the first one is a zero.
const PROTOBUF_HEADER = 6

/** Whether serializers begin a value with this byte; no JSON and no OTLP does. */
const isMagic = (byte: number | undefined): boolean => byte === 0 || byte === 1 || byte === 3

/**
 * What a value has behind the header of a schema registry (Confluent, Apicurio, Glue): `undefined` when it has none. JSON, and
 * OTLP in protobuf, are taken out; what is neither is refused, with the schema's id.
 */
export function withoutSchemaHeader(
  value: Uint8Array,
): { readonly value: Uint8Array } | { readonly refused: string } | undefined {
  if (!isMagic(value[0])) return undefined
  for (const { magic, bytes } of HEADERS) {
    if (magic.some((byte, at) => value[at] !== byte)) continue
    const next = value[bytes]
    if (next === OPEN_BRACE || next === OPEN_BRACKET) return { value: value.subarray(bytes) }
    // JSON that was serialized once more, as a text: it ends as it begins.
    if (next === QUOTE && value.at(-1) === QUOTE && value.byteLength > bytes + 2)
      return { value: value.subarray(bytes) }
  }
  if (value[0] !== 0 || value.byteLength < PROTOBUF_HEADER) return undefined
  if (value[5] === 0 && value[PROTOBUF_HEADER] === FIRST_OF_OTLP)
    return { value: value.subarray(PROTOBUF_HEADER) }
  const id = new DataView(value.buffer, value.byteOffset).getUint32(1)
  return {
    refused:
      `The value begins with the header of a schema registry (magic byte 0, schema id ${id}), and what follows is not JSON: ` +
      'it may be Avro or Protobuf. Have it written as JSON, with or without the header, or convert it on the way.',
  }
}

/** Whether the header of a registry, and JSON behind it, begin here: a value that was put among lines. */
export const beginsFramedJson = (bytes: Uint8Array, at: number): boolean =>
  bytes[at] === 0 && (bytes[at + 5] === OPEN_BRACE || bytes[at + 5] === OPEN_BRACKET)
