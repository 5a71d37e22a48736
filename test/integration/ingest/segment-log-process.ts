import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../../core/clock.ts'
import type { Batch } from '../../../ingest/record.ts'
import { openSegmentLog } from '../../../ingest/segment-log.ts'
import { silentTelemetry } from '../../../ingest/telemetry.ts'
import { openEmbedded } from '../../../store/clickhouse.ts'
import { createBatchWriter, encodeBatch } from '../../../store/event-writer.ts'
import { createKnownEvents } from '../../../store/known-events.ts'
import { smallEvent } from '../../helpers/events.ts'

// Appends events, in a store that is there with its schema, until it is killed and says which were acknowledged: `ack FIRST COUNT`. With `drain` it stores what
// is left and ends.
const [folder = '', mode = ''] = process.argv.slice(2)
const database = await openEmbedded({ path: join(folder, 'store') })
const log = await openSegmentLog({
  folder: join(folder, 'log'),
  encode: encodeBatch,
  write: createBatchWriter(database).write,
  compare: createKnownEvents(database, systemClock),
  sealRows: 400,
  sealMs: 40,
  telemetry: silentTelemetry,
})
writeSync(1, 'ready\n')

function batchOf(first: number, count: number): Batch {
  const event = (offset: number) =>
    smallEvent({
      event_id: `e${offset}`,
      offset,
      occurred_at: `2026-0${1 + (offset % 3)}-01T00:${String(offset % 60).padStart(2, '0')}:00.000000Z`,
      actor: `actor-${offset % 7}`,
    })
  return {
    events: Array.from({ length: count }, (_, index) => event(first + index)),
    parts: [],
    deadLetters: [
      {
        tenant: 'default',
        topic: 'http',
        partition: 0,
        offset: first,
        recordIndex: 1,
        sourceFormat: '',
        reason: 'record_not_json',
        message: 'no',
        field: '',
        record: 'x',
        recordEncoding: 'utf8',
        recordBytes: 1,
      },
    ],
  }
}

async function produce(): Promise<never> {
  for (;;) {
    const count = 1 + Math.floor(Math.random() * 150)
    const first = log.reserve('http', count)
    await log.append(batchOf(first, count))
    writeSync(1, `ack ${first} ${count}\n`)
  }
}

if (mode === 'drain') {
  await log.flush()
  await log.close()
  await database.close()
} else {
  // Two clients at once, so that appends share a sync.
  await Promise.all([produce(), produce()])
}
