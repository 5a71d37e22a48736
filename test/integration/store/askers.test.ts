import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createAskers } from '../../../app/wire/askers.ts'
import { openEmbedded, openServer } from '../../../store/clickhouse.ts'
import { type Database, forPeople } from '../../../store/database.ts'
import { type ClickHouseServer, startClickHouse } from '../../helpers/clickhouse-server.ts'

// Would run for hours. The text is found by its number.
const endless = (mark: number) => `SELECT sum(sipHash64(number, ${mark})) AS s FROM numbers(100000000000000)`

let folder: string
let server: ClickHouseServer
let embedded: Database
let remote: Database
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-askers-'))
  embedded = await openEmbedded({ path: join(folder, 'store') })
  server = await startClickHouse()
  remote = await openServer({ url: server.url })
})
afterAll(async () => {
  await embedded?.close()
  await remote?.close()
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

// A query that was ended reads nothing more; its entry stays until its connection is let go.
const running = async (mark: number): Promise<number> => {
  const [row] = await embedded.query<{ running: number }>(
    `SELECT count() AS running FROM system.processes WHERE NOT is_cancelled AND query LIKE '/*%sipHash64(number, ${mark})%'`,
  )
  return row?.running ?? 0
}

it('ends what runs and what waits, and nothing else, when the asker is gone', async () => {
  const gone = new AbortController()
  const outcomes: unknown[] = []
  const ask = (mark: number, name: string, signal: AbortSignal) =>
    embedded.queryForPeople(endless(mark), {}, { name, signal }).catch((error) => outcomes.push(error.code))
  const stays = new AbortController()
  const kept = ask(2, 'b', stays.signal)
  while ((await running(2)) < 1) await sleep(20)
  const leaving = Array.from({ length: 60 }, () => ask(1, 'a', gone.signal))
  while ((await running(1)) < 1) await sleep(20)
  gone.abort()
  await Promise.all(leaving)
  expect(outcomes).toEqual(Array(60).fill('request_closed'))
  expect([await running(1), await running(2)]).toEqual([0, 1])
  // The place that it had is free, and its connection holds nothing of it.
  expect(await embedded.queryForPeople('SELECT 1 AS one', {}, { name: 'a' })).toEqual([{ one: 1 }])
  stays.abort()
  await kept
  while ((await running(2)) > 0) await sleep(20)
})

it('ends a question that comes from afar, by its asker of the moment', async () => {
  const askers = createAskers()
  const people = forPeople(embedded, askers)
  const gone = new AbortController()
  const asked = askers.run({ name: 'a', signal: gone.signal }, async () => {
    await sleep(1)
    return people.query(endless(3))
  })
  const outcome = expect(asked).rejects.toMatchObject({ code: 'request_closed' })
  while ((await running(3)) < 1) await sleep(20)
  gone.abort()
  await outcome
  while ((await running(3)) > 0) await sleep(20)
})

it('cuts the connection to a server', async () => {
  const gone = new AbortController()
  const asked = remote.queryForPeople(endless(4), {}, { name: 'a', signal: gone.signal })
  const outcome = expect(asked).rejects.toMatchObject({ code: 'request_closed' })
  setTimeout(() => gone.abort(), 300)
  await outcome
})
