import { WireType } from '@bufbuild/protobuf/wire'
import {
  AnyValueSchema,
  KeyValueListSchema,
  KeyValueSchema,
  LogRecordSchema,
  ResourceSchema,
  ScopeSchema,
  SpanSchema,
  StatusSchema,
} from './generated/otlp_pb.ts'
import { type AttributeUses, OtlpAttributes, usesOf } from './otlp-attributes.ts'
import {
  endOf,
  type Input,
  numberOfTag,
  OtlpBytesError,
  openInput,
  readFields,
  readHex,
  reading,
  readRange,
  readTag,
  readText,
  skip,
  wireOfTag,
} from './otlp-input.ts'
import type { OtlpRecord } from './otlp-records.ts'
import { MAX_NESTING, type OtlpValue } from './otlp-value.ts'

/** What the records of one scope share. */
export interface ScopeContext {
  readonly name: string
  readonly attributes: OtlpAttributes
}

/**
 * Reads log records and spans with protobuf-es’s wire reader, by the numbers of the generated schema. Reading into
 * generated messages first costs twice as much: most of a record is attributes, and this reads the values only of those
 * that the alias table knows (docs/adr/0007-otlp-protobuf.md). `test/unit/ingest/formats/otlp-proto.test.ts` holds it to
 * `fromBinary`.
 */
export function createOtlpReader() {
  const keys = createKeyCache()

  const readScope = (resource: Uint8Array, scope: Uint8Array): ScopeContext => {
    const attributes = new OtlpAttributes()
    readFields(resource, (input, tag) =>
      numberOfTag(tag) === RESOURCE.attributes.number
        ? takeAttribute(input, attributes, keys)
        : skip(input, tag),
    )
    let name = ''
    readFields(scope, (input, tag) => {
      const number = numberOfTag(tag)
      if (number === SCOPE.name.number) name = readText(input)
      else if (number === SCOPE.attributes.number) takeAttribute(input, attributes, keys)
      else skip(input, tag)
    })
    return { name, attributes }
  }

  const readLog = (bytes: Uint8Array, scope: ScopeContext, source: unknown): OtlpRecord => {
    const record = emptyRecord('log', bytes, scope, source)
    keys.restart()
    let body = { at: 0, end: 0 }
    readFields(bytes, (input, tag) => {
      const { reader } = input
      const number = numberOfTag(tag)
      if (number === LOG.attributes.number) takeAttribute(input, record.attributes, keys)
      else if (number === LOG.timeUnixNano.number) record.time = String(reader.fixed64())
      else if (number === LOG.observedTimeUnixNano.number) record.observedTime = String(reader.fixed64())
      else if (number === LOG.severityNumber.number) record.severity = reader.int32()
      else if (number === LOG.traceId.number) record.traceId = readHex(input)
      else if (number === LOG.spanId.number) record.spanId = readHex(input)
      else if (number === LOG.eventName.number) record.name = readText(input)
      else if (number === LOG.body.number) body = { at: readRange(input), end: reader.pos }
      else skip(input, tag)
    })
    record.body = () => {
      const input = openInput(bytes)
      input.reader.pos = body.at
      return reading(() => readValue(input, body.end, 0))
    }
    return record
  }

  const readSpan = (bytes: Uint8Array, scope: ScopeContext, source: unknown): OtlpRecord => {
    const record = emptyRecord('span', bytes, scope, source)
    keys.restart()
    readFields(bytes, (input, tag) => {
      const { reader } = input
      const number = numberOfTag(tag)
      if (number === SPAN.attributes.number) takeAttribute(input, record.attributes, keys)
      else if (number === SPAN.traceId.number) record.traceId = readHex(input)
      else if (number === SPAN.spanId.number) record.spanId = readHex(input)
      else if (number === SPAN.parentSpanId.number) record.parentSpanId = readHex(input)
      else if (number === SPAN.name.number) record.name = readText(input)
      else if (number === SPAN.startTimeUnixNano.number) record.time = String(reader.fixed64())
      else if (number === SPAN.endTimeUnixNano.number) record.endTime = String(reader.fixed64())
      else if (number === SPAN.status.number) readStatus(input, record)
      else skip(input, tag)
    })
    return record
  }

  return { readScope, readLog, readSpan }
}

export type OtlpSignal = 'log' | 'span' | 'metric'

/**
 * What a scope’s records are: field 1 is a span’s trace id (16 bytes, and field 2 its span id, 8 bytes), a metric’s name,
 * a log record’s time (no bytes). A log record without a time says nothing, nor does a broken record. Fields come in any
 * order; the Collector writes the last one first.
 */
export function signalOf(records: readonly Uint8Array[]): OtlpSignal {
  for (const record of records) {
    const signal = signalOfRecord(record)
    if (signal !== undefined) return signal
  }
  return 'log'
}

function signalOfRecord(record: Uint8Array): OtlpSignal | undefined {
  let first: number | undefined
  let second = 8
  try {
    readFields(record, (input, tag) => {
      const number = numberOfTag(tag)
      const isBytes = wireOfTag(tag) === WireType.LengthDelimited
      const start = isBytes ? readRange(input) : 0
      const length = isBytes ? input.reader.pos - start : -1
      if (!isBytes) skip(input, tag)
      if (number === 1) first = length
      if (number === 2 && isBytes) second = length
    })
  } catch (cause) {
    if (cause instanceof OtlpBytesError) return undefined
    throw cause
  }
  if (first === undefined) return undefined
  return first < 0 ? 'log' : first === 16 && second === 8 ? 'span' : 'metric'
}

const RESOURCE = ResourceSchema.field
const SCOPE = ScopeSchema.field
const LOG = LogRecordSchema.field
const SPAN = SpanSchema.field
const STATUS = StatusSchema.field
const PAIR = KeyValueSchema.field
const LIST = KeyValueListSchema.field
const VALUE = AnyValueSchema.field

type Writable<T> = { -readonly [K in keyof T]: T[K] }

const emptyRecord = (
  signal: 'log' | 'span',
  bytes: Uint8Array,
  scope: ScopeContext,
  source: unknown,
): Writable<OtlpRecord> => ({
  signal,
  attributes: new OtlpAttributes(scope.attributes),
  scope: scope.name,
  traceId: '',
  spanId: '',
  parentSpanId: '',
  name: '',
  time: '',
  observedTime: '',
  endTime: '',
  statusCode: 0,
  statusMessage: '',
  severity: 0,
  body: () => undefined,
  contents: () => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'),
  source,
})

function readStatus(input: Input, record: Writable<OtlpRecord>): void {
  const { reader } = input
  const end = endOf(input)
  while (reader.pos < end) {
    const tag = readTag(input)
    const number = numberOfTag(tag)
    if (number === STATUS.code.number) record.statusCode = reader.int32()
    else if (number === STATUS.message.number) record.statusMessage = readText(input)
    else skip(input, tag)
  }
}

function takeAttribute(input: Input, attributes: OtlpAttributes, keys: KeyCache): void {
  const { reader } = input
  const end = endOf(input)
  let key: KnownKey | undefined
  let start = -1
  let valueEnd = -1
  while (reader.pos < end) {
    const tag = readTag(input)
    const number = numberOfTag(tag)
    if (number === PAIR.key.number) key = keys.read(input)
    else if (number === PAIR.value.number) {
      start = readRange(input)
      valueEnd = reader.pos
    } else skip(input, tag)
  }
  if (key?.uses === undefined || start === -1) return
  reader.pos = start
  attributes.use(key.uses, readValue(input, valueEnd, 0))
  reader.pos = end
}

function readValue(input: Input, end: number, nesting: number): OtlpValue {
  if (nesting > MAX_NESTING) throw new OtlpBytesError(`a value is nested deeper than ${MAX_NESTING} levels`)
  const { reader } = input
  let value: OtlpValue
  while (reader.pos < end) {
    const tag = readTag(input)
    const number = numberOfTag(tag)
    if (number === VALUE.stringValue.number) value = readText(input)
    else if (number === VALUE.boolValue.number) value = reader.bool()
    else if (number === VALUE.intValue.number) value = integerOf(reader.int64())
    else if (number === VALUE.doubleValue.number) value = reader.double()
    else if (number === VALUE.arrayValue.number) value = readArray(input, nesting)
    else if (number === VALUE.kvlistValue.number) value = readMap(input, nesting)
    else if (number === VALUE.bytesValue.number) {
      const at = readRange(input)
      value = input.buffer.toString('base64', at, reader.pos)
    } else skip(input, tag)
  }
  return value
}

const integerOf = (integer: bigint | string): OtlpValue =>
  Number.isSafeInteger(Number(integer)) ? Number(integer) : String(integer)

function readArray(input: Input, nesting: number): OtlpValue {
  const { reader } = input
  const end = endOf(input)
  const items: OtlpValue[] = []
  while (reader.pos < end) {
    const tag = readTag(input)
    const number = numberOfTag(tag)
    if (number === LIST.values.number) items.push(readValue(input, endOf(input), nesting + 1))
    else skip(input, tag)
  }
  return items
}

function readMap(input: Input, nesting: number): OtlpValue {
  const { reader } = input
  const end = endOf(input)
  const entries: (readonly [string, OtlpValue])[] = []
  while (reader.pos < end) {
    const tag = readTag(input)
    const number = numberOfTag(tag)
    if (number === LIST.values.number) entries.push(readPair(input, nesting + 1))
    else skip(input, tag)
  }
  return Object.fromEntries(entries)
}

function readPair(input: Input, nesting: number): readonly [string, OtlpValue] {
  const { reader } = input
  const end = endOf(input)
  let key = ''
  let value: OtlpValue
  while (reader.pos < end) {
    const tag = readTag(input)
    const number = numberOfTag(tag)
    if (number === PAIR.key.number) key = readText(input)
    else if (number === PAIR.value.number) value = readValue(input, endOf(input), nesting)
    else skip(input, tag)
  }
  return [key, value]
}

interface KeyCache {
  /** Call at the start of a record. */
  restart(): void
  read(input: Input): KnownKey
}

interface KnownKey {
  readonly bytes: Buffer
  /** What the table says of it. */
  readonly uses: AttributeUses | undefined
}

// The records of a batch mostly have the same attributes in the same order: comparing bytes with the key that stood in
// the same place before is cheaper than making the text again and looking it up.
function createKeyCache(): KeyCache {
  const known: KnownKey[] = []
  let place = 0
  return {
    restart: () => {
      place = 0
    },
    read(input) {
      const { reader, buffer } = input
      const before = known[place]
      const start = reader.pos
      const length = reader.uint32()
      const at = reader.pos
      if (before?.bytes.length === length && startsWith(buffer, at, before.bytes)) {
        reader.pos = at + length
        place++
        return before
      }
      reader.pos = start
      const key = { uses: usesOf(readText(input)), bytes: buffer.subarray(at, at + length) }
      known[place++] = key
      return key
    },
  }
}

function startsWith(buffer: Buffer, at: number, bytes: Buffer): boolean {
  if (at + bytes.length > buffer.length) return false
  for (let index = 0; index < bytes.length; index++) {
    if (buffer[at + index] !== bytes[index]) return false
  }
  return true
}
