import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEmbedded, openServer } from '../../../store/clickhouse.ts'
import type { Database } from '../../../store/database.ts'
import { type ClickHouseServer, startClickHouse } from '../../helpers/clickhouse-server.ts'

const SECRET = 'zebra-crossing-4711'

let folder: string
let server: ClickHouseServer
const databases = new Map<string, Database>()
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-failed-'))
  server = await startClickHouse()
  databases.set('embedded', await openEmbedded({ path: join(folder, 'store') }))
  databases.set('server', await openServer({ url: server.url }))
})
afterAll(async () => {
  for (const database of databases.values()) await database.close()
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

describe.each(['embedded', 'server'])('%s', (kind) => {
  it.each([
    ['a value of the wrong type', 'SELECT {x:UInt32} AS x', { x: SECRET }],
    ['a time that is none', "SELECT toDateTime64({x:String}, 6, 'UTC') AS x", { x: SECRET }],
    ['a list', 'SELECT arrayMap(v -> toUInt8(v), {x:Array(String)}) AS x', { x: ['1', SECRET] }],
    [
      'a column that is not there',
      'SELECT nothing FROM numbers(1) WHERE toString(number) = {x:String}',
      { x: SECRET },
    ],
    ['an error on purpose', "SELECT throwIf(1 = 1, 'no') WHERE {x:String} != ''", { x: SECRET }],
  ])('says nothing of the values that failed: %s', async (_, sql, params) => {
    const database = databases.get(kind)
    for (const ask of [database?.query, database?.queryForPeople]) {
      const error = await ask?.(sql, params).then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      expect(error).toMatchObject({ name: 'GatewatchError' })
      // With its stack, its cause and the cause’s.
      expect(inspect(error, { depth: 10 })).not.toContain(SECRET)
    }
  })
})
