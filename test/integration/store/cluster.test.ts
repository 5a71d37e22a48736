import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openEmbedded } from '../../../store/clickhouse.ts'
import { clusterStatements, shardedTables } from '../../../store/cluster.ts'
import type { Database } from '../../../store/database.ts'
import { migrationFiles, migrationStatements, statementsOf } from '../../../store/migration-files.ts'

// There is no cluster here. What can be shown is that the engine's parser takes every statement that a cluster would get,
// and understands it as it is meant: docs/operations.md, "On a cluster", says what has not met a server.

let folder: string
let database: Database
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-cluster-'))
  database = await openEmbedded({ path: join(folder, 'store') })
})
afterAll(async () => {
  await database?.close()
  await rm(folder, { recursive: true, force: true })
})

// The engine takes the FORMAT that a query gets for a part of the statement, and answers with plain lines.
const parse = async (statement: string): Promise<string> => {
  if (!statement.startsWith('INSERT'))
    return (await database.query<string>(`EXPLAIN AST ${statement}`)).join('\n')
  // It carries settings, which the connection for queries refuses even when they are only parsed.
  await database.command(`EXPLAIN AST ${statement}`)
  return ''
}

it('parses every statement of every migration as a cluster gets it', async () => {
  const cluster = { name: 'gw', database: 'gatewatch', sharded: shardedTables(await migrationStatements()) }
  let parsed = 0
  for (const { name, sql } of await migrationFiles()) {
    for (const statement of statementsOf(sql)) {
      for (const rendered of clusterStatements(statement, cluster)) {
        parsed++
        // A reader takes no settings, which an INSERT … SELECT may carry; the writer only says whether it parses.
        if (rendered.startsWith('INSERT')) {
          await database.command(`EXPLAIN AST ${rendered}`)
          continue
        }
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
