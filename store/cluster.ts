import { GatewatchError } from '../core/errors.ts'
import { EVENTS_PARTITION, FIRST_EVENTS_PARTITION } from './partition-key.ts'

/**
 * How statements of one server become statements of a cluster (docs/adr/0012-cluster.md). Migrations are written for one
 * server; where `clickhouse.cluster` names a cluster, each goes through `clusterStatements`:
 *
 * - A table of `shardedTables` becomes two: `<name>_local`, replicated within its shard, and `<name>`, `Distributed` over all
 *   shards. Queries and inserts name the second and do not change.
 * - Every other table is replicated as a whole on every server.
 * - Everything runs `ON CLUSTER`.
 */

const BY_ACTOR = 'cityHash64(tenant, actor)'
const BY_JOIN_KEY = 'cityHash64(tenant, join_key)'
// For what views fill and what has no actor: its rows lie where the events lie, so no column of it tells the shard. A
// key that could be worked out would have the server skip shards that have rows.
const ANYWHERE = 'rand()'

/**
 * The tables that writers spread over the shards, and the key that decides about the shard of a row. All versions of a
 * row must have the same key, or `FINAL` and merges on a shard do not meet them.
 */
const WRITTEN: readonly (readonly [table: string, key: string])[] = [
  ['events', BY_ACTOR],
  ['event_parts', BY_JOIN_KEY],
  ['assembled_calls', BY_JOIN_KEY],
]

/**
 * Blocks and seconds for which Keeper remembers tokens. The server’s own 10,000 blocks are less than two minutes when
 * a hundred Kafka partitions write a block a second, and its hour is shorter than a night without an owner.
 */
const DEDUPLICATION_BLOCKS = 100_000
const DEDUPLICATION_SECONDS = 604_800

/** Where the tables are. */
export interface Cluster {
  /** Name in the servers’ `remote_servers`. */
  readonly name: string
  readonly database: string
  /** Tables that are spread over the shards, with their keys: `shardedTables`. */
  readonly sharded: ReadonlyMap<string, string>
}

/**
 * The tables that are spread over the shards. What a view fills lies where the view’s source lies, and so is sharded as
 * soon as the source is: two shards that wrote under one token into one table that all share would have the second block
 * taken for a repetition of the first.
 * @param statements of all migrations, in order
 */
export function shardedTables(statements: readonly string[]): ReadonlyMap<string, string> {
  const sharded = new Map(WRITTEN)
  const bodies = new Map(
    statements.flatMap((statement) => {
      const table = CREATE_TABLE.exec(statement)?.[2]
      return table === undefined ? [] : [[table, statement] as const]
    }),
  )
  for (const statement of statements) {
    const view = CREATE_VIEW.exec(statement)
    const target = view?.[3] ?? ''
    if (view === null || sharded.has(target)) continue
    if (sourcesOf(statement).some((source) => sharded.has(source)))
      sharded.set(target, /^\s*actor /m.test(bodies.get(target) ?? '') ? BY_ACTOR : ANYWHERE)
  }
  return sharded
}

const sourcesOf = (view: string): string[] =>
  [...view.matchAll(/\b(?:FROM|JOIN) `?(\w+)`?/g)].map(([, table = '']) => table)

/** Name of the table that holds the rows of one shard. */
const localTable = (table: string, { sharded }: Cluster): string =>
  sharded.has(table) ? `${table}_local` : table

/** What every insert needs beside its token: it is over when the shards have the rows, not when they are queued. */
export const CLUSTER_INSERT_SETTINGS = { distributed_foreground_insert: 1 } as const

/**
 * What every question needs. `global`: a subquery over a sharded table inside another is asked once, of all shards, and
 * its answer is handed to them; the server’s default refuses such a question. A shard that is away fails the question:
 * half an answer would be taken for a whole one.
 */
export const CLUSTER_READ_SETTINGS = {
  distributed_product_mode: 'global',
  optimize_skip_unused_shards: 1,
  skip_unavailable_shards: 0,
} as const

const NAME = '`?(\\w+)`?'
const CREATE_TABLE = new RegExp(`^CREATE TABLE (IF NOT EXISTS )?${NAME}`)
const CREATE_VIEW = new RegExp(`^CREATE MATERIALIZED VIEW (IF NOT EXISTS )?${NAME} TO ${NAME}`)
const ENGINE = /\bENGINE = (\w*MergeTree)(?:\(([^()]*)\))?/
const ALTER_TABLE = new RegExp(`^ALTER TABLE ${NAME}`)
const DROP = new RegExp(`^DROP (TABLE|VIEW) (IF EXISTS )?${NAME}$`)
const INSERT = new RegExp(`^INSERT INTO ${NAME}`)
const SETTINGS = /\bSETTINGS\b/
const OF_COLUMNS = /\b(?:ADD|DROP|MODIFY|RENAME) COLUMN\b/
const TRUNCATE = new RegExp(`^TRUNCATE TABLE (IF EXISTS )?${NAME}$`)
// Statements that find the same rows and tables on whichever server they run.
const AS_IT_IS = /^(?:SELECT|EXPLAIN|SYSTEM|SET|USE|DESCRIBE)\b/

/**
 * @param statement for one server, without a semicolon
 * @returns the statements that do the same on the cluster, in order; each can be repeated if the original can
 * @throws GatewatchError `store_rejected` for a statement that has no counterpart here
 */
export function clusterStatements(statement: string, cluster: Cluster): string[] {
  const on = `ON CLUSTER ${quoted(cluster.name)}`
  let match = CREATE_TABLE.exec(statement)
  if (match !== null) return createTable(statement, match, cluster)
  match = CREATE_VIEW.exec(statement)
  if (match !== null) return [createView(statement, match, on, cluster)]
  match = ALTER_TABLE.exec(statement)
  if (match !== null) {
    const [head, table = ''] = match
    const altered = `ALTER TABLE ${localTable(table, cluster)} ${on}${statement.slice(head.length)}`
    // The table over all shards is made again after a change of columns: it takes them from the local one.
    return cluster.sharded.has(table) && OF_COLUMNS.test(statement)
      ? [altered, distributed(table, cluster, 'CREATE OR REPLACE TABLE')]
      : [altered]
  }
  match = DROP.exec(statement)
  if (match !== null) {
    const [, kind = '', ifExists = '', name = ''] = match
    const names = cluster.sharded.has(name) ? [name, localTable(name, cluster)] : [name]
    return names.map((each) => `DROP ${kind} ${ifExists}${each} ${on} SYNC`)
  }
  match = TRUNCATE.exec(statement)
  if (match !== null)
    return [`TRUNCATE TABLE ${match[1] ?? ''}${localTable(match[2] ?? '', cluster)} ${on} SYNC`]
  match = INSERT.exec(statement)
  if (match !== null) return [insertInto(statement, match[1] ?? '', cluster)]
  if (AS_IT_IS.test(statement)) return [statement]
  throw new GatewatchError(
    'store_rejected',
    `A cluster has no counterpart for the statement: ${statement.slice(0, 100)}`,
    { remedy: 'Write it as one of those that store/cluster.ts knows.' },
  )
}

function createTable(statement: string, match: RegExpExecArray, cluster: Cluster): string[] {
  const [head, ifNotExists = '', table = ''] = match
  const body = statement
    .slice(head.length)
    // A cluster begins empty: its table gets the key of today at once.
    .replace(`PARTITION BY ${FIRST_EVENTS_PARTITION}`, `PARTITION BY ${EVENTS_PARTITION}`)
    .replace(/^( AS )`?(\w+)`?/, (_, as: string, source: string) => `${as}${localTable(source, cluster)}`)
  const sharded = cluster.sharded.has(table)
  const local = `CREATE TABLE ${ifNotExists}${localTable(table, cluster)} ON CLUSTER ${quoted(cluster.name)}${replicated(body, table, sharded)}`
  return sharded
    ? [local, distributed(table, cluster, `CREATE TABLE${ifNotExists && ' IF NOT EXISTS'}`)]
    : [local]
}

// The path in Keeper is what replicas have in common: the shard’s for a sharded table, else everybody’s.
function replicated(body: string, table: string, sharded: boolean): string {
  const engine = ENGINE.exec(body)
  if (engine === null) {
    throw new GatewatchError('store_rejected', `The table ${table} has no engine that can be replicated.`, {
      remedy: 'Give it an engine of the MergeTree family: ENGINE = ….',
    })
  }
  const [all, name = '', parameters = ''] = engine
  const place = sharded
    ? `'/gatewatch/{shard}/${table}', '{replica}'`
    : `'/gatewatch/all/${table}', '{shard}-{replica}'`
  const made = `ENGINE = Replicated${name}(${place}${parameters === '' ? '' : `, ${parameters}`})`
  const windows = `replicated_deduplication_window = ${DEDUPLICATION_BLOCKS}, replicated_deduplication_window_seconds = ${DEDUPLICATION_SECONDS}`
  const text = body.replace(all, () => made)
  return SETTINGS.test(text) ? text.replace(SETTINGS, `SETTINGS ${windows},`) : `${text}\nSETTINGS ${windows}`
}

function createView(statement: string, match: RegExpExecArray, on: string, cluster: Cluster): string {
  const [head, ifNotExists = '', view = '', target = ''] = match
  const select = statement
    .slice(head.length)
    .replace(
      /\b(FROM|JOIN) `?(\w+)`?/g,
      (_, word: string, table: string) => `${word} ${localTable(table, cluster)}`,
    )
  return `CREATE MATERIALIZED VIEW ${ifNotExists}${view} ${on} TO ${localTable(target, cluster)}${select}`
}

// Each shard fills its own table from its own rows, where source and target are both sharded.
function insertInto(statement: string, table: string, { sharded }: Cluster): string {
  if (!sharded.has(table) || !/\bSELECT\b/.test(statement)) return statement
  const settings = 'parallel_distributed_insert_select = 2, distributed_foreground_insert = 1'
  return SETTINGS.test(statement) ? `${statement}, ${settings}` : `${statement}\nSETTINGS ${settings}`
}

const distributed = (table: string, cluster: Cluster, create: string): string => {
  const { name, database, sharded } = cluster
  const local = localTable(table, cluster)
  return `${create} ${table} ON CLUSTER ${quoted(name)} AS ${local} ENGINE = Distributed(${quoted(name)}, ${quoted(database)}, ${quoted(local)}, ${sharded.get(table)})`
}

const quoted = (name: string): string => `'${name.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
