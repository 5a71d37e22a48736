import { stableId } from '../../../core/hash.ts'
import type { Batch, RawRecord } from '../../../ingest/record.ts'
import { smallEvent } from '../../helpers/events.ts'

/** A stand-in for the formats: a record is `{"n": NUMBER}`; anything else is a dead letter. */
export function processNumbers(records: readonly RawRecord[]): Batch {
  const events: Batch['events'][number][] = []
  const deadLetters: Batch['deadLetters'][number][] = []
  for (const { value, tenant, topic, partition, offset, refused } of records) {
    const text = Buffer.from(value).toString('utf8')
    const number = /^\{"n": ?(\d+)\}$/.exec(text)?.[1]
    if (number === undefined) {
      deadLetters.push({
        ...{ tenant, topic, partition, offset, recordIndex: 0, sourceFormat: '', field: '' },
        reason: refused?.reason ?? (text === '' ? 'record_empty' : 'record_not_json'),
        message: refused?.message ?? 'no number',
        record: text,
        recordEncoding: 'utf8',
        recordBytes: value.byteLength,
      })
    } else {
      events.push(
        smallEvent({
          ...{ tenant, topic, partition, offset },
          event_id: stableId(topic, partition, offset),
          'gen_ai.tool.call.id': number,
          actor: `actor-${Number(number) % 5}`,
        }),
      )
    }
  }
  return { events, parts: [], deadLetters }
}
