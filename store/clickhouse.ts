import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { type ClickHouseClient, createClient } from '@clickhouse/client'
import { GatewatchError, messageOf } from '../core/errors.ts'
import { type Chdb, type ChdbConnection, openChdb } from './chdb.ts'
import type { Database, InsertBlock, QueryParams } from './database.ts'

/** The database that holds all tables. */
export const DATABASE = 'gatewatch'

export interface ServerOptions {
  /** `http://host:8123`; may carry no credentials. */
  readonly url: string
  readonly username?: string
  readonly password?: string
  /** Longest wait for an answer, in milliseconds; shorter than the Kafka session timeout. */
  readonly requestTimeoutMs?: number
}

export interface EmbeddedOptions {
  /** Folder of the store. */
  readonly path: string
  readonly maxMemoryBytes?: number
  /** Connections for queries; they run side by side. */
  readonly readers?: number
}

// Settings that decide whether the same block is stored once. They are inline in every insert: with async inserts
// (the server’s default since 26.2) a token can be registered for rows that were never written.
const insertSettings = (token: string): Record<string, string | number> => ({
  insert_deduplication_token: token,
  async_insert: 0,
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
})

const sqlString = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

const inlineSettings = (token: string): string =>
  Object.entries(insertSettings(token))
    .map(([name, value]) => `${name}=${typeof value === 'number' ? value : sqlString(value)}`)
    .join(', ')

/** Opens a ClickHouse server over HTTP and makes the database if it is missing. */
export async function openServer(options: ServerOptions): Promise<Database> {
  const settings = {
    url: options.url,
    username: options.username ?? 'default',
    password: options.password ?? '',
    request_timeout: options.requestTimeoutMs ?? 20_000,
    max_open_connections: 8,
    clickhouse_settings: { output_format_json_quote_64bit_integers: 0 as const },
  }
  const bootstrap = createClient(settings)
  try {
    await translate(bootstrap.command({ query: `CREATE DATABASE IF NOT EXISTS ${DATABASE}` }))
  } finally {
    await bootstrap.close()
  }
  const client = createClient({ ...settings, database: DATABASE })
  return {
    kind: 'server',
    query: (sql, params) => select(client, sql, params),
    command: (sql, params) => run(client, sql, params),
    insert: async (block) => {
      const rows = block.rows instanceof Uint8Array ? block.rows : await readFile(block.rows.path)
      await translate(
        client
          .exec({
            query: `INSERT INTO ${block.table} (${block.columns.join(', ')}) SETTINGS ${inlineSettings(block.token)} FORMAT JSONCompactEachRow`,
            values: Readable.from([Buffer.from(rows.buffer, rows.byteOffset, rows.byteLength)], {
              objectMode: false,
            }),
          })
          .then(({ stream }) => stream.resume()),
      )
    },
    close: () => client.close(),
  }
}

/** Opens the store in this process. Errors: see `openChdb`. */
export async function openEmbedded(options: EmbeddedOptions): Promise<Database> {
  const chdb = await openChdb({ path: options.path, maxMemoryBytes: options.maxMemoryBytes ?? 2 * 1024 ** 3 })
  try {
    return await connectEmbedded(chdb, options.readers ?? 2)
  } catch (error) {
    chdb.close()
    throw error
  }
}

async function connectEmbedded(chdb: Chdb, readerCount: number): Promise<Database> {
  const open = async (...statements: string[]) => {
    const connection: ChdbConnection = chdb.connect()
    const client = createClient({ connection: connection as never })
    for (const statement of statements) await translate(client.command({ query: statement }))
    return { connection, client }
  }
  const writer = await open(`CREATE DATABASE IF NOT EXISTS ${DATABASE} ENGINE = Atomic`, `USE ${DATABASE}`)
  const readers = await Promise.all(
    Array.from({ length: readerCount }, () =>
      open(
        `USE ${DATABASE}`,
        'SET output_format_json_quote_64bit_integers = 0',
        'SET max_execution_time = 60',
        'SET readonly = 1',
      ),
    ),
  )
  let turn = 0
  return {
    kind: 'embedded',
    query: (sql, params) => {
      turn = (turn + 1) % readers.length
      return select(readers[turn]!.client, sql, params)
    },
    command: (sql, params) => run(writer.client, sql, params),
    insert: (block) => translate(insertEmbedded(writer, block)),
    close: async () => {
      for (const { client } of [...readers, writer]) await client.close()
      chdb.close()
    },
  }
}

async function insertEmbedded(
  { client, connection }: { client: ClickHouseClient; connection: ChdbConnection },
  { table, columns, rows, token }: InsertBlock,
): Promise<void> {
  if (rows instanceof Uint8Array) {
    await connection.chdb.rawInsert({
      table: `${DATABASE}.${table}`,
      columns,
      values: rows,
      format: 'JSONCompactEachRow',
      settings: insertSettings(token),
    })
    return
  }
  // The fastest way in: the engine reads the segment itself, with the table’s own column types.
  await client.command({
    query: `INSERT INTO ${table} (${columns.join(', ')}) SETTINGS ${inlineSettings(token)}
            SELECT * FROM file(${sqlString(rows.path)}, JSONCompactEachRow, ${sqlString(await structureOf(client, table, columns))})`,
  })
}

const structures = new WeakMap<ClickHouseClient, Map<string, string>>()

async function structureOf(
  client: ClickHouseClient,
  table: string,
  columns: readonly string[],
): Promise<string> {
  const known = structures.get(client) ?? new Map<string, string>()
  structures.set(client, known)
  const key = `${table}(${columns.join()})`
  const cached = known.get(key)
  if (cached !== undefined) return cached
  const described = await client.query({ query: `DESCRIBE TABLE ${table}`, format: 'JSONEachRow' })
  const types = new Map(
    (await described.json<{ name: string; type: string }>()).map(({ name, type }) => [name, type]),
  )
  const structure = columns.map((column) => `${column} ${types.get(column) ?? 'String'}`).join(', ')
  known.set(key, structure)
  return structure
}

async function select<Row>(client: ClickHouseClient, sql: string, params?: QueryParams): Promise<Row[]> {
  return translate(
    client
      .query({ query: sql, format: 'JSONEachRow', ...(params ? { query_params: { ...params } } : {}) })
      .then((result) => result.json<Row>()),
  )
}

async function run(client: ClickHouseClient, sql: string, params?: QueryParams): Promise<void> {
  await translate(client.command({ query: sql, ...(params ? { query_params: { ...params } } : {}) }))
}

// Server conditions that pass: timeouts, limits, too many parts, read-only replicas, network, Keeper.
const PASSING_CODES = new Set([
  '159',
  '202',
  '203',
  '209',
  '210',
  '241',
  '242',
  '252',
  '319',
  '425',
  '439',
  '999',
])

/** Every failure of the store leaves this folder as a `GatewatchError` that says whether a retry helps. */
async function translate<T>(attempt: Promise<T>): Promise<T> {
  try {
    return await attempt
  } catch (cause) {
    if (cause instanceof GatewatchError) throw cause
    const code = serverCodeOf(cause)
    const passes = code === undefined || PASSING_CODES.has(code)
    throw new GatewatchError(passes ? 'store_unavailable' : 'store_rejected', messageOf(cause), { cause })
  }
}

// Not `instanceof`: chDB's connection brings its own copy of the error class.
function serverCodeOf(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | null)?.code
  return typeof code === 'string' && /^\d+$/.test(code) ? code : undefined
}
