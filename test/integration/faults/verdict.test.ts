import { afterAll, beforeAll, expect, it } from 'vitest'
import { openServer } from '../../../store/clickhouse.ts'
import type { Database } from '../../../store/database.ts'
import { createBatchWriter, encodeBatch } from '../../../store/event-writer.ts'
import { migrate } from '../../../store/migrate.ts'
import { createLedger, type Sent } from '../../faults/ledger.ts'
import { seededRandom } from '../../faults/random.ts'
import { askStore, judge } from '../../faults/verdict.ts'
import { type ClickHouseServer, startClickHouse } from '../../helpers/clickhouse-server.ts'
import { smallEvent } from '../../helpers/events.ts'

let server: ClickHouseServer
let database: Database
beforeAll(async () => {
  server = await startClickHouse()
  database = await openServer({ url: server.url })
  await migrate(database)
})
afterAll(async () => {
  await database?.close()
  await server?.stop()
})

// What gatewatch would make of these records.
const batchOf = (records: readonly Sent[], prefix: string) => ({
  events: records
    .filter(({ kind }) => kind === 'call')
    .map(({ id }) => smallEvent({ event_id: `${prefix}${id}`, offset: id, 'gen_ai.tool.call.id': `c${id}` })),
  parts: [],
  deadLetters: records
    .filter(({ kind }) => kind === 'bad')
    .map(({ id, value }) => ({
      ...{ tenant: 'default', topic: 'test', partition: 0, offset: id, recordIndex: 0, sourceFormat: '' },
      ...{ reason: 'record_not_json' as const, message: '', field: '', record: value },
      ...{ recordEncoding: 'utf8' as const, recordBytes: value.length },
    })),
})

it('a verdict finds what is lost, doubled, left out of a rollup or nobody’s', async () => {
  const ledger = createLedger('test', seededRandom(1))
  const { write } = createBatchWriter(database)
  const verdict = () => judge(askStore(server.url), ledger, 0)
  const clean = { lost: 0, duplicates: 0, rollupMismatches: 0, unaccounted: 0 }

  const first = ledger.draw({ calls: 10, bad: 2, pairs: 0 })
  ledger.acknowledged(first)
  expect(await verdict()).toEqual({ ...clean, lost: 10, unaccounted: 2 })
  await write(encodeBatch(batchOf(first, 'e')), 'first')
  await write(encodeBatch(batchOf(first, 'e')), 'first')
  expect(await verdict()).toEqual(clean)

  const unsure = ledger.draw({ calls: 3, bad: 1, pairs: 0 })
  ledger.unknown(unsure)
  expect(await verdict()).toEqual(clean)
  await write(encodeBatch(batchOf(unsure, 'e')), 'unsure')
  expect(await verdict()).toEqual(clean)

  const strange = ledger.draw({ calls: 4, bad: 0, pairs: 0 })
  await write(encodeBatch(batchOf(strange, 'e')), 'strange')
  expect(await verdict()).toEqual({ ...clean, unaccounted: 4 })
  ledger.acknowledged(strange)

  await write(encodeBatch(batchOf(first, 'e')), 'again')
  expect(await verdict()).toEqual({ ...clean, duplicates: 12 })

  await database.command('TRUNCATE TABLE calls_by_actor')
  expect((await verdict()).rollupMismatches).toBeGreaterThan(0)
  await database.command('TRUNCATE TABLE events')
  expect((await verdict()).lost).toBe(14)
})
