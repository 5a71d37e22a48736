import type { EventDraft } from '../core/audit-event.ts'
import { countOf } from './formats/field-values.ts'
import type { RawRecord } from './record.ts'

/** Headers by which a program that sends records on numbers them, so that a gap shows what was lost on the way. */
export const SEQUENCE_HEADER = 'x-gatewatch-sequence'
export const PRODUCER_HEADER = 'x-gatewatch-producer'

/** Sets the producer and its number from the record’s headers, which say more of the way than the record itself can. */
export function setProducer(draft: EventDraft, headers: RawRecord['headers']): void {
  const sequence = countOf(headers[SEQUENCE_HEADER])
  if (sequence === undefined) return
  draft['producer.sequence'] = sequence
  const producer = headers[PRODUCER_HEADER]
  if (producer) draft['producer.id'] = producer
}
