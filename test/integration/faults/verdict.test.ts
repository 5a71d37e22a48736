import { afterAll, beforeAll, expect, it } from 'vitest'
import { openServer } from '../../../store/clickhouse.ts'
import type { Database } from '../../../store/database.ts'
import { createBatchWriter, encodeBatch } from '../../../store/event-writer.ts'
import { createFindings } from '../../../store/findings.ts'
import { judgeDetection } from '../../faults/detect-verdict.ts'
import { createLedger, type Sent } from '../../faults/ledger.ts'
import { seededRandom } from '../../faults/random.ts'
import { type Ask, askStore, CLEAN, judge } from '../../faults/verdict.ts'
import { type ClickHouseServer, startClickHouse } from '../../helpers/clickhouse-server.ts'
import { smallEvent } from '../../helpers/events.ts'
import { findingOf } from '../../helpers/findings.ts'

let server: ClickHouseServer
let database: Database
beforeAll(async () => {
  server = await startClickHouse()
  database = await openServer({ url: server.url })
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
  const clean = CLEAN

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

it('a verdict on detection finds calls that are lost or doubled, and findings that an undisturbed run has otherwise', async () => {
  const disturbed = askStore(server.url)
  await database.command('CREATE TABLE calm_findings AS finding_versions')
  const undisturbed: Ask = (sql) => disturbed(sql.replaceAll('finding_versions', 'calm_findings'))
  const copy = () => database.command('INSERT INTO calm_findings SELECT * FROM finding_versions')
  const verdict = (sent: number) => judgeDetection(disturbed, undisturbed, sent)
  for (const table of [
    'events',
    'dead_letters',
    'calls_by_actor',
    'calls_by_tool',
    'tools_by_actor',
    'touched',
  ])
    await database.command(`TRUNCATE TABLE ${table}`)
  const { write } = createBatchWriter(database)
  const batch = (ids: readonly number[]) =>
    encodeBatch({
      events: ids.map((id) => smallEvent({ event_id: `call-${id}`, 'gen_ai.tool.call.id': `c${id}` })),
      ...{ parts: [], deadLetters: [] },
    })

  await write(batch([0, 1, 2]), 'detection/1')
  expect(await verdict(3)).toEqual(CLEAN)
  expect(await verdict(5)).toEqual({ ...CLEAN, lost: 2 })
  expect(await verdict(2)).toEqual({ ...CLEAN, unaccounted: 1 })
  await write(batch([1]), 'detection/2')
  expect(await verdict(3)).toEqual({ ...CLEAN, duplicates: 1 })

  const findings = createFindings(database)
  // A version is a time of the store’s clock, and what is too old is dropped.
  const nowUs = Date.now() * 1000
  const ada = findingOf({ actor: 'ada' })
  await findings.write([{ finding: ada, status: 'current' }], nowUs + 1)
  // It is nowhere else, and in no alert.
  expect(await verdict(3)).toEqual({ ...CLEAN, duplicates: 1, wrongFindings: 2 })
  await copy()
  expect(await verdict(3)).toEqual({ ...CLEAN, duplicates: 1, wrongFindings: 1 })
  await database.command(`INSERT INTO alert_log (finding_id, at) VALUES ('${ada.finding_id}', now64(3))`)
  expect(await verdict(3)).toEqual({ ...CLEAN, duplicates: 1 })
  const reordered = { ...ada, explanation: Object.fromEntries(Object.entries(ada.explanation).toReversed()) }
  await findings.write([{ finding: reordered as typeof ada, status: 'current' }], nowUs + 2)
  expect(await verdict(3)).toEqual({ ...CLEAN, duplicates: 1 })
  await findings.write([{ finding: { ...ada, score: 9 }, status: 'current' }], nowUs + 3)
  expect(await verdict(3)).toEqual({ ...CLEAN, duplicates: 1, wrongFindings: 1 })
  await findings.write([{ finding: ada, status: 'superseded' }], nowUs + 4)
  expect(await verdict(3)).toEqual({ ...CLEAN, duplicates: 1, wrongFindings: 1 })
})
