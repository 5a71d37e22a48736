import { type AuditEvent, type EventDraft, type EventField, eventFields } from '../../../core/audit-event.ts'
import { stableId } from '../../../core/hash.ts'
import { type CompleteEvent, methodOf } from '../../complete-event.ts'
import { createDecoder } from '../../decode.ts'
import { parseExactly } from '../../exact-json.ts'
import { isCallPart } from '../../find-calls.ts'
import type { Decoded, DecodedPiece, Format, ParsedRecord } from '../../format.ts'
import type { Normalize } from '../../normalize.ts'
import type { EventPart, RawRecord } from '../../record.ts'
import { addressOf, textOf } from '../field-values.ts'
import { readTime } from '../read-time.ts'
import type { MappedFormat, Traced } from './mapping.ts'
import { inAnyItem, type Leaf, leavesOf, type Watched, watch } from './record-leaves.ts'

/** What a format made of one piece of a record, as it would be stored. */
export interface Explained {
  /** `''` when no format recognises it. */
  readonly format: string
  /** Whether the format recognises the piece by itself; it may have been named. */
  readonly recognised: boolean
  readonly entries: readonly ExplainedEntry[]
  /** Values that nobody read, redacted. */
  readonly unmapped: readonly { readonly path: string; readonly example: string }[]
}

export type ExplainedEntry =
  | { readonly kind: 'event'; readonly fields: readonly ExplainedField[] }
  | {
      readonly kind: 'part'
      readonly fields: readonly ExplainedField[]
      readonly joinKey: string
      /** Whether it is no call itself, but lends facts to the calls of its join key. */
      readonly around: boolean
    }
  | { readonly kind: 'definitions'; readonly tools: readonly string[] }
  | { readonly kind: 'fault'; readonly reason: string; readonly field: string; readonly message: string }

export interface ExplainedField {
  readonly field: string
  readonly value: string
  /** Path in the record, or how else it came. */
  readonly from: string
}

export interface ExplainOptions {
  /** In order of recognition. */
  readonly formats: readonly Format[]
  readonly normalize: Normalize
  readonly complete: CompleteEvent
  /** Hides secrets in a value of JSON, as they are hidden in what is stored. */
  readonly redact: (value: unknown, tenant: string) => unknown
  /** Given each part as it would be stored: what calls they make is known when all of them are. */
  readonly takePart?: (part: EventPart) => void
}

interface Look {
  /** Which piece of the record it is, from 0. */
  readonly number: number
  readonly format: Format
  readonly record: ParsedRecord
  readonly watched: Watched
  readonly traced: readonly Traced[]
}

interface Seen {
  readonly look: Look
  readonly origins: ReadonlyMap<string, string>
}

const WORKED_OUT = 'worked out'
const BY_FORMAT = 'the format'
const NOT_SHOWN: ReadonlySet<string> = new Set([
  'source_format',
  'tenant',
  'topic',
  'partition',
  'offset',
  'record_index',
  'argument_fingerprints',
  'result_fingerprints',
])

/** Says of a record, piece by piece, what would be stored of it, where each field came from, and what nobody read. */
export function createExplainRecord(options: ExplainOptions): (record: RawRecord) => readonly Explained[] {
  let looks: Look[] = []
  const decode = createDecoder({
    formats: options.formats.map((format) =>
      watching(format, (look) => looks.push({ ...look, number: looks.length })),
    ),
  })
  return (record) => {
    looks = []
    const pieces = decode(record)
    const seen = new Map(
      looks.flatMap((look) =>
        look.traced.map(({ entry, origins }) => [tellsApart(entry), { look, origins }] as const),
      ),
    )
    return pieces.map(({ sourceFormat, entries, piece }) => {
      const seenOf = entries.map((entry) => seen.get(tellsApart(entry)))
      const ofEntries = new Set(seenOf.flatMap((one) => one?.look ?? []))
      const outer = [...ofEntries, ...looks].find(({ format }) => format.name === sourceFormat)
      return {
        format: sourceFormat,
        recognised: outer?.format.recognises(outer.record) ?? false,
        entries: entries.map((entry, index) =>
          explainEntry(entry, sourceFormat, seenOf[index], index, record, options),
        ),
        // Of a record that no format knows all that it says is shown.
        unmapped:
          ofEntries.size > 0
            ? [...ofEntries].flatMap((look) => unmappedIn(look, record, options))
            : sourceFormat === ''
              ? unmappedOf(leavesOf(jsonOf(piece, record)), jsonOf(piece, record), record, options)
              : [],
      }
    })
  }
}

/** Entries are made anew on the way out of a wrapper; their drafts are not. */
const tellsApart = (entry: Decoded): object => ('draft' in entry ? entry.draft : entry)

function jsonOf(piece: DecodedPiece['piece'], { value }: RawRecord): unknown {
  if (piece !== undefined && 'json' in piece) return piece.json
  try {
    return parseExactly(piece?.text ?? Buffer.from(value).toString('utf8'))
  } catch {
    return undefined
  }
}

function watching(format: Format, note: (look: Look) => void): Format {
  return {
    ...format,
    decode: (record) => {
      const watched = watch(record.json)
      const seen = { ...record, json: watched.value }
      const traced = isMapped(format)
        ? format.trace(seen)
        : format.decode(seen).map((entry) => ({ entry, origins: new Map<string, string>() }))
      note({ number: 0, format, record, watched, traced })
      return traced.map(({ entry }) => entry)
    },
  }
}

const isMapped = (format: Format): format is MappedFormat => 'trace' in format

function explainEntry(
  entry: Decoded,
  sourceFormat: string,
  seen: Seen | undefined,
  index: number,
  record: RawRecord,
  options: ExplainOptions,
): ExplainedEntry {
  if (entry.kind === 'fault') {
    const message = String(options.redact(entry.message, record.tenant))
    return { kind: 'fault', reason: entry.reason, field: entry.field ?? '', message }
  }
  if (entry.kind === 'definitions')
    return { kind: 'definitions', tools: entry.definitions.map(({ tool }) => `${entry.server}/${tool}`) }
  const given = { ...entry.draft }
  const { look, origins = new Map<string, string>() } = seen ?? {}
  if (entry.kind === 'event' && given['mcp.method.name'] === undefined && methodOf(given) === undefined) {
    const message = 'The record names no method, tool, resource or prompt.'
    return { kind: 'fault', reason: 'field_missing', field: 'mcp.method.name', message }
  }
  const { draft } = entry
  const fault = options.normalize(draft, record)
  if (fault) return { kind: 'fault', ...fault }
  const { tenant, topic, partition, offset } = record
  const coordinates = {
    ...{ tenant, topic, partition, offset },
    recordIndex: index,
    sourceFormat,
  }
  const stored = options.complete(draft, coordinates)
  const leaves = look === undefined || isMapped(look.format) ? [] : readLeaves(look)
  const fields = shownFieldsOf(stored).map((field): ExplainedField => {
    const from = origins.get(field) ?? originOf(given[field as keyof EventDraft], leaves)
    return { field, value: shownValue(stored[field]), from }
  })
  if (entry.kind === 'event') return { kind: 'event', fields }
  const [joinKey, callKey] = [entry.joinKey, entry.callKey].map((key) => String(options.redact(key, tenant)))
  const partId = stableId(tenant, topic, partition, offset, `${look?.number}`, index)
  const part = { ...coordinates, joinKey: joinKey ?? '', partId, body: { callKey: callKey ?? '', draft } }
  options.takePart?.(part)
  return { kind: 'part', fields, joinKey: part.joinKey, around: !isCallPart(part) }
}

/** The fields that an event has, but for its coordinates and what only machines compare. */
export const shownFieldsOf = (event: AuditEvent): readonly EventField[] =>
  eventFields.filter((field) => event[field] !== undefined && !NOT_SHOWN.has(field))

const shownValue = (value: unknown): string =>
  typeof value === 'object' ? JSON.stringify(value) : String(value)

const readLeaves = ({ record, watched }: Look): readonly Leaf[] =>
  leavesOf(record.json).filter(({ keys }) => watched.wasRead(keys))

/** A format in code does not say where it found a value: the leaf that it read and that says the same. */
function originOf(value: unknown, leaves: readonly Leaf[]): string {
  if (value === undefined) return WORKED_OUT
  const text = textOf(value)
  if (text === undefined) return BY_FORMAT
  const same = leaves.find((leaf) => textOf(leaf.value) === text)
  const read = same ?? leaves.find((leaf) => readTime(leaf.value) === text || addressOf(leaf.value) === text)
  if (read) return read.path
  const part = text.length < 3 ? undefined : leaves.find((leaf) => textOf(leaf.value)?.includes(text))
  return part ? `part of ${part.path}` : BY_FORMAT
}

function unmappedIn(look: Look, record: RawRecord, options: ExplainOptions): Explained['unmapped'] {
  const { json } = look.record
  const unread = leavesOf(json).filter(({ keys }) => !look.watched.wasRead(keys))
  return unmappedOf(unread, json, record, options)
}

function unmappedOf(
  unread: readonly Leaf[],
  json: unknown,
  { tenant }: RawRecord,
  { redact }: ExplainOptions,
): Explained['unmapped'] {
  const clean = new Map(leavesOf(redact(json, tenant)).map((leaf) => [leaf.path, textOf(leaf.value)]))
  const examples = new Map<string, string>()
  for (const { path } of unread) {
    const any = inAnyItem(path)
    if (!examples.has(any)) examples.set(any, clean.get(path) ?? '(hidden)')
  }
  return [...examples].map(([path, example]) => ({ path, example }))
}
