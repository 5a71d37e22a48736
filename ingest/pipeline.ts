import type { AuditEvent, EventDraft } from '../core/audit-event.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { stableId } from '../core/hash.ts'
import type { ToolCatalogue } from '../core/tool-catalogue.ts'
import { type CompleteEvent, createCompleteEvent, methodOf } from './complete-event.ts'
import { createDecoder, type DecodedPiece, type DecodeLimits } from './decode.ts'
import type { Decoded, Format } from './format.ts'
import { FORMATS } from './formats/registry.ts'
import { createNormalise, type Fault, type Normalise } from './normalize.ts'
import type { Batch, DeadLetter, EventPart, RawRecord } from './record.ts'
import { type RedactedRecord, redactPiece, redactRecord } from './redact/redact-record.ts'
import { createRedactor, type RedactionKey, type Redactor } from './redact/redactor.ts'

export interface PipelineOptions {
  readonly catalogue: ToolCatalogue
  /** Key of the tokens that stand for secrets; keep it, or the same secret gets another token. */
  readonly redactionKey: RedactionKey
  readonly clock: Clock
  /** In order of recognition; all shipped ones unless told otherwise. */
  readonly formats?: readonly Format[]
  readonly limits?: Partial<DecodeLimits>
  readonly actorPrecedence?: readonly (keyof EventDraft)[]
}

/** From records to what is stored: events, parts of events, dead letters. */
export type Pipeline = (records: readonly RawRecord[]) => Batch

/**
 * The steps that every record takes: decode, redact and check, complete. It never throws on data, and every record
 * ends up in at least one entry of the batch. Nothing that leaves it holds a known secret.
 */
export function createPipeline(options: PipelineOptions): Pipeline {
  const redactor = createRedactor(options.redactionKey)
  const decode = createDecoder({
    formats: options.formats ?? FORMATS,
    ...(options.limits ? { limits: options.limits } : {}),
  })
  const normalise = createNormalise(redactor, options.clock)
  const complete = createCompleteEvent({
    catalogue: options.catalogue,
    ...(options.actorPrecedence ? { actorPrecedence: options.actorPrecedence } : {}),
  })

  return (records) => {
    const batch = { events: [] as AuditEvent[], parts: [] as EventPart[], deadLetters: [] as DeadLetter[] }
    for (const record of records) {
      const before = {
        events: batch.events.length,
        parts: batch.parts.length,
        deadLetters: batch.deadLetters.length,
      }
      try {
        takeRecord(record, decode(record), { normalise, complete, redactor, batch })
      } catch (cause) {
        // A fault of ours must cost this record its place among the events, not stop the source.
        batch.events.length = before.events
        batch.parts.length = before.parts
        batch.deadLetters.length = before.deadLetters
        batch.deadLetters.push(internalFault(record, cause, redactor))
      }
    }
    return batch
  }
}

interface Work {
  readonly normalise: Normalise
  readonly complete: CompleteEvent
  readonly redactor: Redactor
  readonly batch: { events: AuditEvent[]; parts: EventPart[]; deadLetters: DeadLetter[] }
}

function takeRecord(record: RawRecord, pieces: readonly DecodedPiece[], work: Work): void {
  let recordIndex = 0
  for (const piece of pieces) {
    for (const entry of piece.entries) {
      const fault = takeEntry(record, piece, entry, recordIndex, work)
      if (fault)
        work.batch.deadLetters.push(deadLetter(record, piece, entry, recordIndex, fault, work.redactor))
      recordIndex++
    }
  }
}

function takeEntry(
  record: RawRecord,
  { sourceFormat }: DecodedPiece,
  entry: Decoded,
  recordIndex: number,
  { normalise, complete, redactor, batch }: Work,
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
  const fault = normalise(draft, record)
  if (fault) return fault

  const { tenant, topic, partition, offset } = record
  const coordinates = { tenant, topic, partition, offset, recordIndex, sourceFormat }
  if (entry.kind === 'event') {
    batch.events.push(complete(draft, coordinates))
    return undefined
  }
  batch.parts.push({
    ...coordinates,
    joinKey: redactor.text(entry.joinKey, tenant),
    partId: stableId(tenant, topic, partition, offset, recordIndex),
    body: { callKey: redactor.text(entry.callKey, tenant), draft },
  })
  return undefined
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
    recordBytes: record.value.length,
  }
}

function keptBytes(
  record: RawRecord,
  piece: DecodedPiece,
  entry: Decoded,
  redactor: Redactor,
): RedactedRecord {
  if (entry.source !== undefined) return redactPiece(JSON.stringify(entry.source), record.tenant, redactor)
  if (piece.piece === undefined) return redactRecord(record.value, record.tenant, redactor)
  const text = 'text' in piece.piece ? piece.piece.text : JSON.stringify(piece.piece.json)
  return redactPiece(text, record.tenant, redactor)
}

const internalFault = (record: RawRecord, cause: unknown, redactor: Redactor): DeadLetter => ({
  tenant: record.tenant,
  topic: record.topic,
  partition: record.partition,
  offset: record.offset,
  recordIndex: 0,
  sourceFormat: record.format ?? '',
  reason: 'internal',
  message: redactor.text(`The record could not be processed: ${messageOf(cause)}`, record.tenant),
  field: '',
  ...redactRecord(record.value, record.tenant, redactor),
  recordBytes: record.value.length,
})
