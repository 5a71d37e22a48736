import { describe, expect, it } from 'vitest'
import { GatewatchError } from '../../../core/errors.ts'
import { clusterStatements, shardedTables } from '../../../store/cluster.ts'
import { migrationStatements } from '../../../store/migration-files.ts'

const statements = await migrationStatements()
const CLUSTER = { name: 'gw', database: 'gatewatch', sharded: shardedTables(statements) }
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

  it('spreads what a view fills from a sharded table, through other views too, and nothing else', () => {
    const sharded = shardedTables([
      'CREATE TABLE IF NOT EXISTS by_actor\n(\n    tenant String,\n    actor String\n) ENGINE = MergeTree ORDER BY actor',
      'CREATE TABLE IF NOT EXISTS by_tool\n(\n    tenant String\n) ENGINE = MergeTree ORDER BY tenant',
      'CREATE MATERIALIZED VIEW IF NOT EXISTS a TO by_actor AS SELECT tenant, actor FROM events',
      'CREATE MATERIALIZED VIEW IF NOT EXISTS b TO by_tool AS SELECT tenant FROM by_actor',
      'CREATE MATERIALIZED VIEW IF NOT EXISTS c TO elsewhere AS SELECT tenant FROM findings',
    ])
    expect(sharded.get('by_actor')).toBe('cityHash64(tenant, actor)')
    // No column of it tells the shard; a key that could be worked out would have the server skip shards.
    expect(sharded.get('by_tool')).toBe('rand()')
    expect(sharded.has('elsewhere')).toBe(false)
    expect(CLUSTER.sharded.has('findings')).toBe(false)
    expect([...CLUSTER.sharded.keys()]).toEqual(
      expect.arrayContaining(['events', 'calls_by_actor', 'calls_by_tool', 'tools_by_actor', 'event_parts']),
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
    expect(render('INSERT INTO calls_by_actor SELECT * FROM events SETTINGS max_threads = 1')[0]).toMatch(
      /max_threads = 1, parallel_distributed_insert_select = 2/,
    )
    expect(render("INSERT INTO migrations VALUES ('a')")).toEqual(["INSERT INTO migrations VALUES ('a')"])
  })

  it('refuses what it does not know, instead of doing it on one server', () => {
    for (const statement of [
      'OPTIMIZE TABLE events',
      'RENAME TABLE a TO b',
      'CREATE TABLE t (a Int8) ENGINE = Log',
    ])
      expect(() => render(statement), statement).toThrow(GatewatchError)
  })
})

describe('the migrations on a cluster', () => {
  it('have a counterpart for every statement', () => {
    for (const statement of statements) expect(render(statement).length).toBeGreaterThan(0)
  })

  it('shard what is written by columns that the sort key of the table holds', () => {
    let keys = 0
    for (const statement of statements) {
      const table = /^CREATE TABLE IF NOT EXISTS (\w+)/.exec(statement)?.[1] ?? ''
      const columns = CLUSTER.sharded.get(table)?.match(/\w+(?=[,)])/g) ?? []
      const sorted = /ORDER BY (.*)/.exec(statement)?.[1] ?? ''
      for (const column of columns) expect(sorted, table).toMatch(new RegExp(`\\b${column}\\b`))
      keys += columns.length
    }
    expect(keys).toBeGreaterThan(8)
  })
})
