import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { type ClickHouseClient, ClickHouseLogLevel, createClient, type DataFormat } from '@clickhouse/client'
import type { Asker } from '../core/asker.ts'
import { GatewatchError, messageOf } from '../core/errors.ts'
import { type Chdb, type ChdbConnection, openChdb } from './chdb.ts'
import {
  CLUSTER_INSERT_SETTINGS,
  CLUSTER_READ_SETTINGS,
  clusterStatements,
  shardedTables,
} from './cluster.ts'
import type { Database, InsertBlock, QueryParams } from './database.ts'
import { PASSING } from './fault-codes.ts'
import { withoutValues } from './fault-text.ts'
import { fencedRows, isBehindFence } from './fenced-rows.ts'
import { inlineParams } from './inline-params.ts'
import { migrationStatements } from './migration-files.ts'
import { createQueryKiller } from './query-killer.ts'
import { createReaderPool, type ReaderPool } from './reader-pool.ts'
import { ROW_FORMAT, rowsOf } from './row-text.ts'
import { openSpool, type Spool } from './spool.ts'
import { createTurns, type QueueLimits, runForAsker } from './turns.ts'

/** The database that holds all tables. */
export const DATABASE = 'gatewatch'

// One dashboard asks some ten questions at a time; what waits costs its text only.
const PEOPLES_QUEUE: QueueLimits = { maxWaiting: 256, maxWaitingEach: 64, maxWaitMs: 20_000 }
// Waiting and running together stay below the longest time of a request (api/build-server.ts).
const PEOPLES_RUN_MS = 20_000

export interface ServerOptions {
  /** `http://host:8123`; may carry no credentials. */
  readonly url: string
  readonly username?: string
  readonly password?: string
  /** Who asks, where that is somebody else than who writes: an account that can change nothing. */
  readonly reader?: { readonly username: string; readonly password: string }
  /** Name of the cluster, in the servers’ `remote_servers`, that the tables are spread over. */
  readonly cluster?: string
  /** Longest wait for an answer, in milliseconds; shorter than the Kafka session timeout. */
  readonly requestTimeoutMs?: number
}

export interface EmbeddedOptions {
  /** Folder of the store. */
  readonly path: string
  readonly maxMemoryBytes?: number
  /** Connections for queries of gatewatch, and as many again for people's; they run side by side. */
  readonly readers?: number
}

// Settings that decide whether the same block is stored once. They are inline in every insert: with async inserts
// (the server’s default since 26.2) a token can be registered for rows that were never written.
const insertSettings = (token: string): Record<string, string | number> => ({
  insert_deduplication_token: token,
  async_insert: 0,
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  // A file of many months is one insert; the limit of 100 would refuse it, and go on refusing it.
  max_partitions_per_insert_block: 0,
  // A block is not folded as a merge would fold it before it is written: readers sum over sign and ask with FINAL
  // anyway, and the folding costs more than all the rest of the insert.
  optimize_on_insert: 0,
})

const sqlString = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

const inlineSettings = (token: string, more: Readonly<Record<string, string | number>> = {}): string =>
  Object.entries({ ...insertSettings(token), ...more })
    .map(([name, value]) => `${name}=${typeof value === 'number' ? value : sqlString(value)}`)
    .join(', ')

/**
 * Opens a ClickHouse server over HTTP and makes the database if it is missing.
 * @throws GatewatchError `config_invalid` for a URL that is none; else as `Database`
 */
export async function openServer(options: ServerOptions): Promise<Database> {
  const requestTimeoutMs = options.requestTimeoutMs ?? 20_000
  const settings = {
    url: options.url,
    username: options.username ?? 'default',
    password: options.password ?? '',
    request_timeout: requestTimeoutMs,
    max_open_connections: CONNECTIONS,
    // Long lists of values go into the body: servers limit the length of a URL.
    use_multipart_params_auto: true,
    // The client would print every failed request with its values; failures are reported where they are handled.
    log: { level: ClickHouseLogLevel.OFF },
    clickhouse_settings: { output_format_json_quote_64bit_integers: 0 as const },
  }
  const { cluster } = options
  const bootstrap = connectServer(settings)
  try {
    const on = cluster === undefined ? '' : `ON CLUSTER ${sqlString(cluster)}`
    await translate(bootstrap.command({ query: `CREATE DATABASE IF NOT EXISTS ${DATABASE} ${on}` }))
  } finally {
    await bootstrap.close()
  }
  const writer = connectServer({
    ...settings,
    database: DATABASE,
    // A migration that copies a table writes many months at once.
    clickhouse_settings: { ...settings.clickhouse_settings, max_partitions_per_insert_block: '0' },
  })
  const reading = {
    ...settings,
    ...options.reader,
    database: DATABASE,
    clickhouse_settings: {
      ...settings.clickhouse_settings,
      max_execution_time: Math.ceil(requestTimeoutMs / 1000),
      readonly: '1',
      // A connection that is cut ends its query.
      cancel_http_readonly_queries_on_client_close: 1 as const,
      ...(cluster === undefined ? {} : CLUSTER_READ_SETTINGS),
    },
  }
  // Connections of their own: those of detection are never all in people's use.
  const reader = connectServer(reading)
  const peoples = connectServer(reading)
  const turns = createTurns(CONNECTIONS, PEOPLES_QUEUE)
  const ask = <Row>(client: ClickHouseClient, sql: string, params?: QueryParams, asker?: Asker) =>
    asker === undefined
      ? select<Row>(client, sql, { params })
      : runForAsker(asker, PEOPLES_RUN_MS, (signal) => select<Row>(client, sql, { params, signal }))
  const structureOf = createStructures((sql) => select(reader, sql))
  const sharded = cluster === undefined ? new Map() : shardedTables(await migrationStatements())
  const statementsOf = (sql: string): readonly string[] =>
    cluster === undefined ? [sql] : clusterStatements(sql, { name: cluster, database: DATABASE, sharded })
  const ofCluster = cluster === undefined ? {} : CLUSTER_INSERT_SETTINGS
  return {
    kind: 'server',
    query: (sql, params, asker) => ask(reader, sql, params, asker),
    queryForPeople: async (sql, params, asker) => {
      const giveTurn = await turns.take(asker)
      try {
        return await ask(peoples, sql, params, asker)
      } finally {
        giveTurn()
      }
    },
    command: async (sql, params) => {
      for (const statement of statementsOf(sql)) await run(writer, statement, params)
    },
    insert: (block) => translate(insertFenced({ client: writer, structureOf }, block, ofCluster)),
    close: async () => {
      await reader.close()
      await peoples.close()
      await writer.close()
    },
  }
}

const CONNECTIONS = 8

function connectServer(settings: Parameters<typeof createClient>[0]): ClickHouseClient {
  try {
    return createClient(settings)
  } catch (cause) {
    throw new GatewatchError('config_invalid', messageOf(cause), {
      cause,
      field: 'clickhouse.url',
      remedy: 'Give the address of the server’s HTTP interface: http://host:8123.',
    })
  }
}

/**
 * A block with a fence, also by an account that may not use `input`: before 26.5 that asks for `CREATE TEMPORARY TABLE`
 * (ClickHouse pull request 104470). Then the fence is asked right before the insert, which is all that is left.
 */
async function insertFenced(
  writer: Pick<EmbeddedWriter, 'client' | 'structureOf'>,
  block: InsertBlock,
  settings: Readonly<Record<string, string | number>>,
): Promise<void> {
  const { fence, ...unfenced } = block
  try {
    await insertServer(writer, block, settings)
  } catch (thrown) {
    if (fence === undefined || serverCodeOf(thrown) !== ACCESS_DENIED) throw thrown
    const [behind] = await select<{ leases: number }>(writer.client, `SELECT (${fence.sql}) AS leases`)
    if (behind?.leases !== 0) throw behindFence(thrown)
    await insertServer(writer, unfenced, settings)
  }
}

const ACCESS_DENIED = '497'

async function insertServer(
  { client, structureOf }: Pick<EmbeddedWriter, 'client' | 'structureOf'>,
  { table, columns, rows, token, fence, format = 'JSONCompactEachRow' }: InsertBlock,
  settings: Readonly<Record<string, string | number>>,
): Promise<void> {
  const bytes = rows instanceof Uint8Array ? rows : await readRows(rows.path)
  const select = fence && fencedRows(`input(${sqlString(await structureOf(table, columns))})`, fence)
  const { stream } = await client.exec({
    query: `INSERT INTO ${table} (${columns.join(', ')}) SETTINGS ${inlineSettings(token, settings)} ${select ?? ''} FORMAT ${format}`,
    values: Readable.from([Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)], {
      objectMode: false,
    }),
  })
  // Read to the end: it frees the connection, and a connection cut in the answer is an error here, not an event
  // that nobody listens to.
  await finished(stream.resume())
}

async function readRows(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new GatewatchError('store_rejected', `The file of rows cannot be read: ${messageOf(cause)}.`, {
      cause,
    })
  }
}

/** Opens the store in this process. Errors: see `openChdb`. */
export async function openEmbedded(options: EmbeddedOptions): Promise<Database> {
  const chdb = await openChdb({ path: options.path, maxMemoryBytes: options.maxMemoryBytes ?? 2 * 1024 ** 3 })
  try {
    return await connectEmbedded(chdb, options.path, options.readers ?? 2)
  } catch (error) {
    chdb.close()
    throw error
  }
}

async function connectEmbedded(chdb: Chdb, path: string, readerCount: number): Promise<Database> {
  const connect = async (statements: readonly string[]) => {
    const connection: ChdbConnection = chdb.connect()
    const client = createClient({ connection: connection as never })
    try {
      for (const statement of statements) await client.command({ query: statement })
    } catch (error) {
      await client.close().catch(() => undefined)
      throw error
    }
    return { connection, client, close: () => client.close() }
  }
  const open = (...statements: string[]) => translate(connect(statements))
  // One for good: it gives no rows to anyone, so what a failed statement leaves in it is read by nobody.
  const writer = await open(
    `CREATE DATABASE IF NOT EXISTS ${DATABASE} ENGINE = Atomic`,
    `USE ${DATABASE}`,
    // A migration that copies a table writes many months at once.
    'SET max_partitions_per_insert_block = 0',
  )
  const lane = (settings: readonly string[], limits?: QueueLimits) =>
    createReaderPool(
      () =>
        open(
          `USE ${DATABASE}`,
          'SET output_format_json_quote_64bit_integers = 0',
          'SET max_execution_time = 60',
          // Values are part of the text: see inline-params.ts.
          `SET max_query_size = ${MAX_QUERY_BYTES}`,
          ...settings,
          'SET readonly = 1',
        ),
      readerCount,
      limits,
    )
  const readers = lane([])
  // People share half of the cores, so that the other half is there for detection however many ask.
  const peoples = lane([`SET max_threads = ${Math.max(1, availableParallelism() >> 1)}`], PEOPLES_QUEUE)
  const killer = createQueryKiller(async () => (await open()).client)
  const textOf = (sql: string, params?: QueryParams) =>
    params === undefined ? sql : inlineParams(sql, params)
  const ask = <Row>(
    pool: ReaderPool<ClickHouseClient>,
    sql: string,
    params: QueryParams | undefined,
    asker: Asker | undefined,
  ) =>
    pool.use<Row[]>((client) => {
      const text = textOf(sql, params)
      if (asker === undefined) return select(client, text, { inlined: params })
      return runForAsker(asker, PEOPLES_RUN_MS, (signal) =>
        killer.run(text, signal, (marked) => select<Row>(client, marked, { inlined: params })),
      )
    }, asker)
  const query: Database['query'] = (sql, params, asker) => ask(readers, sql, params, asker)
  const structureOf = createStructures(query)
  const spool = await openSpool(join(resolve(path), 'gatewatch-spool'))
  return {
    kind: 'embedded',
    query,
    queryForPeople: (sql, params, asker) => ask(peoples, sql, params, asker),
    command: (sql, params) => run(writer.client, sql, params),
    insert: (block) => translate(insertEmbedded({ ...writer, structureOf, spool }, block)),
    close: async () => {
      await readers.close()
      await peoples.close()
      await killer.close()
      await writer.close()
      chdb.close()
    },
  }
}

const MAX_QUERY_BYTES = 64 * 1024 ** 2

interface EmbeddedWriter {
  readonly client: ClickHouseClient
  readonly connection: ChdbConnection
  readonly structureOf: (table: string, columns: readonly string[]) => Promise<string>
  readonly spool: Spool
}

// Below this a file costs more than the engine’s slower way with rows that are handed over in memory.
const SPOOL_BYTES = 1_000_000

async function insertEmbedded(writer: EmbeddedWriter, block: InsertBlock): Promise<void> {
  const { rows, format = 'JSONCompactEachRow' } = block
  if (!(rows instanceof Uint8Array)) return insertFile(writer, block, rows.path)
  // The raw insert takes text only.
  if (format === 'Native' || rows.byteLength > SPOOL_BYTES || block.fence !== undefined)
    return writer.spool.use(rows, (path) => insertFile(writer, block, path))
  await writer.connection.chdb.rawInsert({
    table: `${DATABASE}.${block.table}`,
    columns: block.columns,
    values: rows,
    format,
    settings: insertSettings(block.token),
  })
}

// The fastest way in: the engine reads the file itself, with the table’s own column types.
async function insertFile(
  { client, structureOf }: EmbeddedWriter,
  { table, columns, token, fence, format = 'JSONCompactEachRow' }: InsertBlock,
  path: string,
): Promise<void> {
  const file = `file(${sqlString(path)}, ${format}, ${sqlString(await structureOf(table, columns))})`
  await client.command({
    query: `INSERT INTO ${table} (${columns.join(', ')}) SETTINGS ${inlineSettings(token)}
            ${fence === undefined ? `SELECT * FROM ${file}` : fencedRows(file, fence)}`,
  })
}

// The types of the tables’ columns, each table asked once: migrations are over before the first insert.
function createStructures(query: Database['query']) {
  const known = new Map<string, ReadonlyMap<string, string>>()
  return async (table: string, columns: readonly string[]): Promise<string> => {
    let types = known.get(table)
    if (types === undefined) {
      const described = await query<{ name: string; type: string }>(`DESCRIBE TABLE ${table}`)
      types = new Map(described.map(({ name, type }) => [name, type]))
      known.set(table, types)
    }
    return columns.map((column) => `${column} ${types.get(column) ?? 'String'}`).join(', ')
  }
}

interface SelectOptions {
  readonly params?: QueryParams | undefined
  /** Values that are in the text already. */
  readonly inlined?: QueryParams | undefined
  readonly signal?: AbortSignal
}

async function select<Row>(
  client: ClickHouseClient,
  sql: string,
  { params, inlined, signal }: SelectOptions = {},
): Promise<Row[]> {
  return translate(
    client
      .query({
        query: sql,
        // The engine knows more formats than the types of the client.
        format: ROW_FORMAT as DataFormat,
        ...(params ? { query_params: bound(params) } : {}),
        ...(signal ? { abort_signal: signal } : {}),
      })
      .then((result) => result.text())
      .then((text) => rowsOf<Row>(text)),
    inlined ?? params,
  )
}

async function run(client: ClickHouseClient, sql: string, params?: QueryParams): Promise<void> {
  await translate(client.command({ query: sql, ...(params ? { query_params: bound(params) } : {}) }), params)
}

// The client refuses whole numbers beyond 2^53 as numbers; as text the server reads them by the parameter's type.
const bound = (params: QueryParams): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(params).map(([name, value]) => [
      name,
      Number.isInteger(value) && !Number.isSafeInteger(value) ? String(value) : value,
    ]),
  )

/** Every failure of the store leaves this folder as a `GatewatchError` that says whether a retry helps, and no values. */
async function translate<T>(attempt: Promise<T>, params?: QueryParams): Promise<T> {
  try {
    return await attempt
  } catch (thrown) {
    if (thrown instanceof GatewatchError) throw thrown
    const message = withoutValues(messageOf(thrown), params)
    // In place of what was thrown, which has the message with its values, also in its stack.
    const cause = Object.assign(new Error(message), { code: serverCodeOf(thrown) })
    if (isBehindFence(messageOf(thrown))) throw behindFence(cause)
    throw new GatewatchError(codeOf(thrown), message, { cause })
  }
}

const behindFence = (cause: unknown): GatewatchError =>
  new GatewatchError('conflict', 'Another process owns by now what this was about; none of it was stored.', {
    cause,
  })

// What the server did not say is the network’s, which passes, unless it is a fault of the program, which does not.
function codeOf(cause: unknown): 'store_unavailable' | 'store_rejected' | 'internal' {
  const code = serverCodeOf(cause)
  if (code !== undefined) return Object.hasOwn(PASSING, code) ? 'store_unavailable' : 'store_rejected'
  // Not SyntaxError: an answer that was cut off is no JSON.
  const ofOurs = cause instanceof TypeError || cause instanceof RangeError || cause instanceof ReferenceError
  return ofOurs ? 'internal' : 'store_unavailable'
}

/**
 * The ClickHouse error code of anything that the client or the engine threw. Not `instanceof`: chDB's connection
 * brings its own copy of the error class, and its raw insert says the code only in the text.
 */
export function serverCodeOf(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | null)?.code
  if (typeof code === 'string' && /^\d+$/.test(code)) return code
  return /^Code: (\d+)\./.exec(messageOf(thrown))?.[1]
}
