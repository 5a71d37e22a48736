import { describe, expect, it } from 'vitest'
import { GatewatchError } from '../../../core/errors.ts'
import { clusterStatements, SHARDED } from '../../../store/cluster.ts'
import { migrationFiles, statementsOf } from '../../../store/migrate.ts'

const CLUSTER = { name: 'gw', database: 'gatewatch' }
const render = (statement: string) => clusterStatements(statement, CLUSTER)

const EVENTS = `CREATE TABLE IF NOT EXISTS events (tenant String, actor String, sign Int8, version UInt64)
ENGINE = VersionedCollapsingMergeTree(sign, version)
PARTITION BY tenant
ORDER BY (tenant, actor)
SETTINGS non_replicated_deduplication_window = 10000`

describe('clusterStatements', () => {
  it('makes a sharded table a replicated one and one over all shards', () => {
    const [local = '', all = '', ...more] = render(EVENTS)
    expect(more).toEqual([])
    expect(local).toContain("CREATE TABLE IF NOT EXISTS events_local ON CLUSTER 'gw' (tenant String")
    expect(local).toContain(
      "ENGINE = ReplicatedVersionedCollapsingMergeTree('/gatewatch/{shard}/events', '{replica}', sign, version)",
    )
    expect(local).toContain(
      'replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800',
    )
    expect(all).toBe(
      "CREATE TABLE IF NOT EXISTS events ON CLUSTER 'gw' AS events_local ENGINE = Distributed('gw', 'gatewatch', 'events_local', cityHash64(tenant, actor))",
    )
  })

  it('replicates any other table as a whole on every server', () => {
    expect(
      render(
        'CREATE TABLE IF NOT EXISTS watermarks (name String)\nENGINE = ReplacingMergeTree\nORDER BY name',
      ),
    ).toEqual([
      expect.stringContaining(
        "watermarks ON CLUSTER 'gw' (name String)\nENGINE = ReplicatedReplacingMergeTree('/gatewatch/all/watermarks', '{shard}-{replica}')",
      ),
    ])
  })

  it('leads a view from shard to shard', () => {
    expect(
      render(
        'CREATE MATERIALIZED VIEW IF NOT EXISTS v TO calls_by_actor AS SELECT tenant FROM events GROUP BY tenant',
      ),
    ).toEqual([
      "CREATE MATERIALIZED VIEW IF NOT EXISTS v ON CLUSTER 'gw' TO calls_by_actor_local AS SELECT tenant FROM events_local GROUP BY tenant",
    ])
  })

  it('refuses a view whose shards would write into one table under one token', () => {
    expect(() => render('CREATE MATERIALIZED VIEW v TO watermarks AS SELECT tenant FROM events')).toThrow(
      /Add watermarks to SHARDED|leads from a table of one shard/,
    )
  })

  it('makes the table over all shards again when columns change, and only then', () => {
    expect(render('ALTER TABLE events ADD COLUMN IF NOT EXISTS a String')).toEqual([
      "ALTER TABLE events_local ON CLUSTER 'gw' ADD COLUMN IF NOT EXISTS a String",
      expect.stringMatching(
        /^CREATE OR REPLACE TABLE events ON CLUSTER 'gw' AS events_local ENGINE = Distributed/,
      ),
    ])
    expect(render('ALTER TABLE events DROP INDEX IF EXISTS by_chain')).toEqual([
      "ALTER TABLE events_local ON CLUSTER 'gw' DROP INDEX IF EXISTS by_chain",
    ])
    expect(render('ALTER TABLE findings ADD COLUMN a String')).toEqual([
      "ALTER TABLE findings ON CLUSTER 'gw' ADD COLUMN a String",
    ])
  })

  it('fills a sharded table from a sharded one shard by shard', () => {
    expect(render('INSERT INTO calls_by_actor SELECT * FROM events')[0]).toMatch(
      /parallel_distributed_insert_select = 2/,
    )
    expect(render("INSERT INTO migrations VALUES ('a')")).toEqual(["INSERT INTO migrations VALUES ('a')"])
  })

  it('refuses what it does not know, instead of doing it on one server', () => {
    for (const statement of [
      'TRUNCATE TABLE events',
      'RENAME TABLE a TO b',
      'CREATE TABLE t (a Int8) ENGINE = Log',
    ])
      expect(() => render(statement), statement).toThrow(GatewatchError)
  })
})

describe('the migrations on a cluster', () => {
  it('lead into a sharded table wherever they start from one, and only there', async () => {
    for (const { name, sql } of await migrationFiles())
      for (const statement of statementsOf(sql)) expect(render(statement).length, name).toBeGreaterThan(0)
  })

  it('have every sharded table, and no other name in the list', async () => {
    const created = (await migrationFiles()).flatMap(({ sql }) =>
      statementsOf(sql).flatMap(
        (statement) => /^CREATE TABLE IF NOT EXISTS (\w+)/.exec(statement)?.[1] ?? [],
      ),
    )
    for (const table of SHARDED.keys()) expect(created).toContain(table)
  })

  it('shard by columns that the sort key of the table holds', async () => {
    for (const { sql } of await migrationFiles())
      for (const statement of statementsOf(sql)) {
        const table = /^CREATE TABLE IF NOT EXISTS (\w+)/.exec(statement)?.[1] ?? ''
        const columns = SHARDED.get(table)?.match(/\w+(?=[,)])/g) ?? []
        const sorted = /ORDER BY (.*)/.exec(statement)?.[1] ?? ''
        for (const column of columns) expect(sorted, table).toMatch(new RegExp(`\\b${column}\\b`))
      }
  })
})
