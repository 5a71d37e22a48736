import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createAssembler } from '../../../ingest/assembler.ts'
import { ownKeyOf } from '../../../ingest/join-key.ts'
import type { EventPart } from '../../../ingest/record.ts'
import { silentTelemetry } from '../../../ingest/telemetry.ts'
import type { Database } from '../../../store/database.ts'
import { createBatchWriter, encodeBatch } from '../../../store/event-writer.ts'
import { createPartStore } from '../../../store/parts.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'
import { assemble, record, run, sample } from '../../unit/ingest/sample-pipeline.ts'

let folder: string
let database: Database
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-whose-'))
  database = await openMigratedStore(folder)
})
afterAll(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

let inserts = 0
async function arrive(parts: readonly EventPart[]): Promise<void> {
  const batch = { events: [], parts, deadLetters: [] }
  await createBatchWriter(database).write(encodeBatch(batch), `whose-${inserts++}`)
  const assembler = createAssembler({
    store: createPartStore(database),
    fold: assemble,
    identityOf: assemble.identityOf,
    telemetry: silentTelemetry,
  })
  while ((await assembler.tick()).more) {}
}

const live = () =>
  database.query<{ topic: string; conflict: string; live: number }>(
    `SELECT topic, conflicting_event_id AS conflict, toInt32(sum(sign)) AS live FROM events
     GROUP BY event_id, topic, conflict, version HAVING live != 0 ORDER BY topic, conflict`,
  )

it('knows the calls that a version before assembled, and stores those of another source beside them', async () => {
  const span = sample('envoy-ai-gateway-otel-span.json')
  const partsOf = (topic: string, offset: number) => run([record(span, { topic, offset })]).parts
  // As parts were kept before: under a key that said nothing of the source.
  const before = partsOf('spans', 0).map((part) => ({ ...part, joinKey: ownKeyOf(part.joinKey) }))
  expect(before[0]?.joinKey).toMatch(/^trace:/)
  await arrive(before)
  // The version before called the event by a hash of that key.
  const [stored] = assemble(partsOf('spans', 0))
  const formerId = stored && assemble.identityOf(stored)?.formerId
  const [row] = await database.query<{ id: string }>('SELECT event_id AS id FROM events')
  expect(row?.id).toBe(formerId)
  await arrive(partsOf('spans', 1))
  expect(await live()).toEqual([{ topic: 'spans', conflict: '', live: 1 }])
  // Another source may not be taken for it, nor take it back.
  await arrive(partsOf('others', 2))
  expect(await live()).toEqual([
    { topic: 'others', conflict: '', live: 1 },
    { topic: 'spans', conflict: '', live: 1 },
  ])
})
