import type { Asker, Askers } from '../core/asker.ts'
import type { Fence } from '../core/fence.ts'

/**
 * The one way to the store. `clickhouse.ts` implements it for a server and for the engine in process; nothing
 * outside `store/` knows which of the two it talks to.
 */
export interface Database {
  readonly kind: 'embedded' | 'server'
  /**
   * Runs a SELECT on a connection that cannot write. Values go in as `{name:Type}` parameters, never by
   * concatenation.
   * @param asker ends the question when it is gone; its bounds hold unless it is patient
   * @returns the rows, 64-bit integers as numbers, `DateTime64` as ClickHouse text in UTC
   * @throws GatewatchError `store_unavailable` (a retry helps) or `store_rejected`; with an asker as `queryForPeople`
   */
  query<Row>(sql: string, params?: QueryParams, asker?: Asker): Promise<Row[]>
  /**
   * The same for what people ask (dashboard, API, exports): on connections of their own, so that neither detection nor
   * ingest waits for the questions of people, however many and however slow. What is asked for an asker waits in a bounded
   * queue, by fair shares, runs for a bounded time, and ends when the asker is gone.
   * @throws GatewatchError also `query_queue_full`, `query_timeout` (a retry helps), `request_closed`
   */
  queryForPeople<Row>(sql: string, params?: QueryParams, asker?: Asker): Promise<Row[]>
  /** Runs one statement that changes something. Same errors as `query`. */
  command(sql: string, params?: QueryParams): Promise<void>
  /**
   * Stores rows as one block. The same token again stores nothing, in the table and in every view behind it; so
   * after an unknown outcome the caller repeats the call as it was. Same errors as `query`, and `conflict` for a block
   * that comes behind its fence: none of it is stored.
   */
  insert(block: InsertBlock): Promise<void>
  close(): Promise<void>
}

/** The store for people's questions: `query` is `queryForPeople`, for the asker of the request at hand. */
export const forPeople = (database: Database, askers?: Pick<Askers, 'current'>): Database => ({
  ...database,
  query: (sql, params) => database.queryForPeople(sql, params, askers?.current()),
})

/**
 * The store for a part of gatewatch that is told to stop: its questions end, and no further one is answered, when `signal`
 * aborts; they end with its reason. What it writes is finished.
 */
export function untilStopped(database: Database, name: string, signal: AbortSignal): Database {
  const asker: Asker = { name, signal, patient: true }
  return {
    ...database,
    query: (sql, params) => database.query(sql, params, asker),
    queryForPeople: (sql, params) => database.queryForPeople(sql, params, asker),
  }
}

export type QueryParams = Readonly<
  Record<string, string | number | boolean | readonly string[] | readonly number[]>
>

export interface InsertBlock {
  readonly table: string
  /** In the order of the values of each row. */
  readonly columns: readonly string[]
  /** The rows in `format`, or the path of a file of them that the store can read. */
  readonly rows: Uint8Array | { readonly path: string }
  /** `JSONCompactEachRow` (lines of JSON arrays, UTF-8; the default) or one block of `Native`. */
  readonly format?: 'JSONCompactEachRow' | 'Native'
  /** What makes the block the same block: source coordinates, segment number, … */
  readonly token: string
  /** Asked by the store as it takes the block. For small blocks: the rows are sorted on their way in. */
  readonly fence?: Fence
}
