import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClickHouseClient, createClient } from '@clickhouse/client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Chdb, openChdb } from '../../../store/chdb.ts'
import { clusterStatements, shardedTables } from '../../../store/cluster.ts'
import { migrationFiles, migrationStatements, statementsOf } from '../../../store/migration-files.ts'

// There is no cluster here. What can be shown is that the engine's parser takes every statement that a cluster would get,
// and understands it as it is meant: docs/operations.md, "On a cluster", says what has not met a server.

let folder: string
let chdb: Chdb
let client: ClickHouseClient
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-cluster-'))
  chdb = await openChdb({ path: join(folder, 'store'), maxMemoryBytes: 2 * 1024 ** 3 })
  client = createClient({ connection: chdb.connect() as never })
})
afterAll(async () => {
  await client?.close()
  chdb?.close()
  await rm(folder, { recursive: true, force: true })
})

// The engine takes the FORMAT that a query gets for a part of the statement, and answers with lines.
const parse = async (statement: string): Promise<string> => {
  const result = await client.query({ query: `EXPLAIN AST ${statement}`, format: 'JSONEachRow' })
  return (await result.json<string>()).join('\n')
}

it('parses every statement of every migration as a cluster gets it', async () => {
  const cluster = { name: 'gw', database: 'gatewatch', sharded: shardedTables(await migrationStatements()) }
  let parsed = 0
  for (const { name, sql } of await migrationFiles()) {
    for (const statement of statementsOf(sql)) {
      for (const rendered of clusterStatements(statement, cluster)) {
        parsed++
        const tree = await parse(rendered)
        if (rendered.includes('Replicated')) expect(tree, name).toMatch(/Function Replicated\w*MergeTree/)
        if (rendered.includes('ENGINE = Distributed')) expect(tree, name).toContain('Function Distributed')
      }
    }
  }
  expect(parsed).toBeGreaterThan(50)
})

it('would say if a statement did not parse', async () => {
  await expect(parse("CREATE TABLE a ON CLUSTER 'gw (b Int8) ENGINE = ReplicatedMergeTree")).rejects.toThrow()
})
