import type { AuditEvent, EventDraft } from '../core/audit-event.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { stableId } from '../core/hash.ts'
import { SEPARATE_SOURCES, type Sources } from '../core/sources.ts'
import type { ToolCatalogue } from '../core/tool-catalogue.ts'
import { type CompleteEvent, createCompleteEvent, methodOf } from './complete-event.ts'
import { createDecoder, DEFAULT_DECODE_LIMITS, type DecodeLimits } from './decode.ts'
import { exactJsonText } from './exact-json.ts'
import { createFingerprints } from './fingerprints.ts'
import type { Decoded, DecodedPiece, Format } from './format.ts'
import { FORMATS } from './formats/registry.ts'
import { joinKeyOf } from './join-key.ts'
import type { LinkBudget } from './link-budget.ts'
import { createNormalize, type Fault, type Normalize } from './normalize.ts'
import { setProducer } from './producer.ts'
import type { Batch, DeadLetter, EventPart, RawRecord, ToolSighting } from './record.ts'
import { addFlag, createFlagRecord } from './record-flags.ts'
import type { ArgumentPolicy } from './redact/argument-policy.ts'
import { MAX_KEPT_BYTES, type RedactedRecord, redactPiece, redactRecord } from './redact/redact-record.ts'
import { createRedactor, type RedactionKey, type Redactor } from './redact/redactor.ts'
import { WorkExceeded } from './redact/work-meter.ts'
import { boundName, shortenName } from './shorten.ts'
import type { ToolAnnotations } from './tool-annotations.ts'
import { createSeeTools, type SeeTools } from './tool-sightings.ts'
import { unpackValue } from './unpack-value.ts'

export interface PipelineOptions {
  readonly catalogue: ToolCatalogue
  /** Key of the tokens that stand for secrets; keep it, or the same secret gets another token. */
  readonly redactionKey: RedactionKey
  /** Key of the hashes of values in arguments and results; the redaction key’s unless given. */
  readonly fingerprintKey?: Uint8Array
  /** What hides secrets; one with `redactionKey` and everything else by default unless given. */
  readonly redactor?: Redactor
  /** What is kept of the arguments of which tool; all of them, redacted, unless given. */
  readonly argumentPolicy?: ArgumentPolicy
  readonly clock: Clock
  /** In order of recognition. Default: all shipped ones. */
  readonly formats?: readonly Format[]
  readonly limits?: Partial<DecodeLimits>
  readonly actorPrecedence?: readonly (keyof EventDraft)[]
  readonly actorAliases?: ReadonlyMap<string, string>
  /** Learns from the definitions that pass, and is asked for each call; without it hints count for nothing. */
  readonly annotations?: ToolAnnotations
  /** How many hidden values of a source have tokens of their own; all of them unless given. */
  readonly links?: LinkBudget
  /** Which sources belong together, and which bring history; each is one by itself unless given. */
  readonly sources?: Sources
  /** What comes more than so many days after its time is marked as late; nothing is unless given. */
  readonly latenessDays?: number
}

/** From records to what is stored: events, parts of events, dead letters. */
export type Pipeline = (records: readonly RawRecord[]) => Batch

/**
 * The steps that every record takes: decode, redact and check, complete. It never throws on data, and every record
 * ends up in at least one entry of the batch. Nothing that leaves it holds a known secret.
 */
export function createPipeline(options: PipelineOptions): Pipeline {
  const redactor = options.redactor ?? createRedactor(options.redactionKey)
  const decode = createDecoder({
    formats: options.formats ?? FORMATS,
    ...(options.limits ? { limits: options.limits } : {}),
  })
  const fingerprints = createFingerprints(options.fingerprintKey ?? options.redactionKey.secret)
  const sources = options.sources ?? SEPARATE_SOURCES
  const flagRecord = createFlagRecord({ ...options, sources })
  const normalize = createNormalize(redactor, options.clock, fingerprints, options.argumentPolicy)
  const complete = createCompleteEvent({
    catalogue: options.catalogue,
    ...(options.actorAliases ? { actorAliases: options.actorAliases } : {}),
    ...(options.actorPrecedence ? { actorPrecedence: options.actorPrecedence } : {}),
    ...(options.annotations ? { annotations: options.annotations } : {}),
  })

  const seeTools = createSeeTools(redactor, options.clock, options.annotations)

  const { maxRecordBytes } = { ...DEFAULT_DECODE_LIMITS, ...options.limits }

  return (records) => {
    const batch: Work['batch'] = { events: [], parts: [], deadLetters: [] }
    const work: Work = {
      normalize,
      flagRecord,
      complete,
      redactor,
      seeTools,
      sources,
      batch,
      ...linksOf(options),
    }
    for (const given of records) {
      const record = unpackValue(given, maxRecordBytes)
      const before = {
        events: batch.events.length,
        parts: batch.parts.length,
        deadLetters: batch.deadLetters.length,
        definitions: batch.definitions?.length ?? 0,
      }
      redactor.from(sources.of(record.topic), () => {
        try {
          redactor.within(unitsOfRecord(record), () => takeRecord(record, decode(record), work))
        } catch (cause) {
          // A fault of ours, or a record made to cost too much, must cost this record its place among the events, not stop
          // the source.
          batch.events.length = before.events
          batch.parts.length = before.parts
          batch.deadLetters.length = before.deadLetters
          if (batch.definitions) batch.definitions.length = before.definitions
          batch.deadLetters.push(lostRecord(record, cause, redactor))
        }
        if (options.links === undefined || record.history) return
        const source = sources.of(record.topic)
        for (const letter of batch.deadLetters.slice(before.deadLetters))
          boundLetter(letter, source, options.links)
        for (const { definition } of batch.definitions?.slice(before.definitions) ?? [])
          options.links.bound(definition, source)
      })
    }
    return batch
  }
}

const linksOf = ({ links }: PipelineOptions) => (links === undefined ? {} : { links })

interface Work {
  readonly normalize: Normalize
  readonly flagRecord: ReturnType<typeof createFlagRecord>
  readonly sources: Sources
  readonly complete: CompleteEvent
  readonly redactor: Redactor
  readonly seeTools: SeeTools
  readonly links?: LinkBudget
  readonly batch: {
    events: AuditEvent[]
    parts: EventPart[]
    deadLetters: DeadLetter[]
    definitions?: ToolSighting[]
  }
}

function takeRecord(record: RawRecord, pieces: readonly DecodedPiece[], work: Work): void {
  let entries = 0
  for (const piece of pieces) {
    for (const entry of piece.entries) {
      if (entry.kind === 'definitions') {
        work.batch.definitions ??= []
        work.batch.definitions.push(...work.seeTools(entry, record, piece.sourceFormat))
        continue
      }
      const recordIndex = indexOf(record, entries)
      const fault = takeEntry(record, piece, entry, recordIndex, work)
      if (fault)
        work.batch.deadLetters.push(deadLetter(record, piece, entry, recordIndex, fault, work.redactor))
      entries++
    }
  }
}

// More entries than a record may have. A piece that was one entry, a fault, may be several when it is tried again: the
// indices next to its own are taken by the pieces after it.
const PIECE_STRIDE = 2 ** 17

const indexOf = ({ pieceIndex }: RawRecord, entries: number): number =>
  pieceIndex === undefined ? entries : pieceIndex + entries * PIECE_STRIDE

function takeEntry(
  record: RawRecord,
  { sourceFormat, isCut }: DecodedPiece,
  entry: Exclude<Decoded, { readonly kind: 'definitions' }>,
  recordIndex: number,
  { normalize, flagRecord, complete, redactor, sources, links, batch }: Work,
): Fault | undefined {
  if (entry.kind === 'fault')
    return { reason: entry.reason, field: entry.field ?? '', message: entry.message }
  const { draft } = entry
  if (entry.kind === 'event' && draft['mcp.method.name'] === undefined && methodOf(draft) === undefined)
    return {
      reason: 'field_missing',
      field: 'mcp.method.name',
      message: 'The record names no method, tool, resource or prompt.',
    }
  if (entry.kind === 'event' && isNotification(draft))
    return {
      reason: 'not_a_call',
      field: 'mcp.method.name',
      message: 'A notification of MCP, which asks for nothing and is no call.',
    }
  setProducer(draft, record.headers)
  if (isCut) addFlag(draft, 'shortened')
  if (record.framed) addFlag(draft, 'unwrapped')
  const fault = normalize(draft, record)
  if (fault) return fault
  flagRecord(draft, record)
  // Whoever brings history answers for it, and brings that of months within minutes.
  if (!record.history) links?.bound(draft, sources.of(record.topic))

  const { tenant, topic, partition, offset, imported } = record
  if (entry.kind === 'event') {
    batch.events.push(
      complete(draft, { tenant, topic, partition, offset, recordIndex, sourceFormat, imported }),
    )
    return undefined
  }
  batch.parts.push({
    tenant,
    topic,
    partition,
    offset,
    recordIndex,
    sourceFormat,
    joinKey: joinKeyOf(sources.of(topic), shortenName(redactor.name(boundName(entry.joinKey), tenant))),
    partId: stableId(tenant, topic, partition, offset, recordIndex),
    body: {
      callKey: isNotification(draft) ? '' : shortenName(redactor.name(boundName(entry.callKey), tenant)),
      draft,
      ...(imported && { imported }),
    },
  })
  return undefined
}

// A client tells its server something; nobody is asked to do anything (JSON-RPC, 4.1).
const isNotification = (draft: EventDraft): boolean =>
  draft['mcp.method.name']?.startsWith('notifications/') === true

/** Changes the letter, which was made for nobody else. Its bytes may be base64 of what holds tokens. */
function boundLetter(letter: DeadLetter, source: string, links: LinkBudget): void {
  const { record, recordEncoding, message, field, headers = {} } = letter
  const isText = recordEncoding === 'utf8'
  const texts = {
    ...{ message, field, headers },
    record: isText ? record : Buffer.from(record, 'base64').toString('latin1'),
  }
  links.bound(texts, source)
  Object.assign(letter, {
    ...{ message: texts.message, field: texts.field },
    record: isText ? texts.record : Buffer.from(texts.record, 'latin1').toString('base64'),
  })
}

function deadLetter(
  record: RawRecord,
  piece: DecodedPiece,
  entry: Decoded,
  recordIndex: number,
  fault: Fault,
  redactor: Redactor,
): DeadLetter {
  return {
    tenant: record.tenant,
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    recordIndex,
    sourceFormat: piece.sourceFormat,
    reason: fault.reason,
    message: redactor.text(fault.message, record.tenant),
    field: fault.field,
    ...keptBytes(record, piece, entry, redactor),
    ...circumstances(record, redactor),
  }
}

type Kept = RedactedRecord & Required<Pick<DeadLetter, 'kept'>>

function keptBytes(record: RawRecord, piece: DecodedPiece, entry: Decoded, redactor: Redactor): Kept {
  if (entry.source !== undefined)
    return keptAs('entry', redactPiece(JSON.stringify(entry.source), record.tenant, redactor))
  if (piece.piece === undefined) return wholeRecord(record, redactor)
  const text = 'text' in piece.piece ? piece.piece.text : exactJsonText(piece.piece.json)
  return keptAs('piece', redactPiece(text, record.tenant, redactor))
}

function wholeRecord(record: RawRecord, redactor: Redactor): Kept {
  const redacted = redactRecord(record.value, record.tenant, redactor)
  if ((record.fullBytes ?? record.value.length) > MAX_KEPT_BYTES) return { ...redacted, kept: 'beginning' }
  return keptAs(record.pieceIndex === undefined ? 'record' : 'piece', redacted)
}

// Text is cut between characters, so up to three bytes before the limit.
function keptAs(kept: Kept['kept'], redacted: RedactedRecord): Kept {
  const bytes = Buffer.byteLength(redacted.record, redacted.recordEncoding)
  return { ...redacted, kept: bytes > MAX_KEPT_BYTES - 4 ? 'beginning' : kept }
}

const MAX_HEADER_CHARS = 8192

/** What a record came with, apart from its bytes. */
function circumstances(
  record: RawRecord,
  redactor: Redactor,
): Pick<DeadLetter, 'recordBytes' | 'timestampMs' | 'timestampSource' | 'headers' | 'weight' | 'lastOffset'> {
  const { fullBytes, value, timestampMs, timestampSource, offset, lastOffset } = record
  const headers = redactor.json(record.headers, record.tenant) as Record<string, string>
  return {
    recordBytes: fullBytes ?? value.length,
    timestampMs,
    timestampSource,
    ...(JSON.stringify(headers).length > MAX_HEADER_CHARS ? {} : { headers }),
    ...(lastOffset === undefined ? {} : { lastOffset, weight: lastOffset - offset + 1 }),
  }
}

// Several times what ordinary records take. Texts that want more are hidden whole, and the call stays.
const unitsOfRecord = ({ value }: RawRecord): number => 32_000_000 + 64 * value.length

const lostRecord = (record: RawRecord, cause: unknown, redactor: Redactor): DeadLetter => ({
  tenant: record.tenant,
  topic: record.topic,
  partition: record.partition,
  offset: record.offset,
  recordIndex: 0,
  sourceFormat: record.format ?? '',
  ...(cause instanceof WorkExceeded
    ? {
        reason: 'record_too_costly',
        message: 'The record’s texts ask for more work than is done for its length. Send less in one record.',
      }
    : {
        reason: 'internal',
        message: redactor.text(`The record could not be processed: ${messageOf(cause)}`, record.tenant),
      }),
  field: '',
  ...wholeRecord(record, redactor),
  ...circumstances(record, redactor),
})
