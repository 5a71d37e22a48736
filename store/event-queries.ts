import type { AuditEvent, Timestamp } from '../core/audit-event.ts'
import { decodeCursor, encodeCursor, partLike, timePart } from '../core/cursor.ts'
import { fromClickHouse, fromMillis, toClickHouse, toMillis } from '../core/timestamp.ts'
import type { Database } from './database.ts'
import { ID_HASH } from './event-ids.ts'
import { EVENT_SELECT, eventOf } from './event-rows.ts'
import { type EventScope, liveSql, liveWithin } from './event-scope.ts'

export interface EventPage {
  readonly events: readonly AuditEvent[]
  /** Absent on the last page. */
  readonly nextCursor?: string
}

/** Listings of events, newest version of each, bound to one tenant. Errors: those of `Database.query`. */
export interface EventQueries {
  /**
   * Newest first. A page has at most 8 MiB of texts, or one event. Walking all pages gives every event of the range that was there at the start exactly once, however
   * many are inserted meanwhile.
   * @throws GatewatchError `request_invalid` (cursor), `filter_syntax` (q)
   */
  search(
    scope: EventScope & { readonly from: Timestamp; readonly to: Timestamp },
    page: { readonly limit: number; readonly cursor?: string },
  ): Promise<EventPage>
  byId(tenant: string, eventId: string): Promise<AuditEvent | undefined>
  /** Those of the ids that are there, in order of time. The bounds (inclusive) keep the search short. */
  byIds(
    tenant: string,
    ids: readonly string[],
    between: readonly [Timestamp, Timestamp],
  ): Promise<AuditEvent[]>
  /** The topic, or the name of the source, that each of these events came by; without those that are not there. */
  sourcesOf(tenant: string, eventIds: readonly string[]): Promise<ReadonlyMap<string, string>>
  /**
   * A page of a chain, in order of time: the newest events first, older ones by the cursor. A page has at most 8 MiB of
   * texts, or one event.
   * @throws GatewatchError `request_invalid` (cursor)
   */
  chain(
    scope: EventScope & { readonly chain: string },
    page: { readonly limit: number; readonly cursor?: string },
  ): Promise<EventPage>
}

type EventRow = Record<string, unknown>

// Breaks ties between events of the same microsecond: all that can tell two rows apart, so that no page ends between two
// with the same. A hash, because ids are texts of any length and the cursor has to fit into a URL.
const TIE =
  'hex(sipHash128(event_id, version, actor, topic, toString(partition), toString(offset), toString(record_index)))'
const CURSOR_PARTS = [timePart, partLike(/^[0-9A-F]{32}$/)]
const SLICES_MS = [3_600_000, 8 * 3_600_000, 64 * 3_600_000]
// The key of the table finds the rows of one actor: to look a second time costs more than to look at more of them.
const SLICES_OF_ACTOR_MS = SLICES_MS.slice(-1)

export function createEventQueries(database: Database): EventQueries {
  return {
    search: (scope, page) => search(database, scope, page),
    byId: async (tenant, eventId) => {
      const condition = `tenant = {tenant:String} AND event_id = {event_id:String}
        AND (toDate(occurred_at), actor) IN (SELECT day, actor FROM event_ids
          WHERE tenant = {tenant:String} AND id_hash = (SELECT ${ID_HASH} FROM (SELECT {event_id:String} AS event_id)))`
      // A handful of rows, versions and what cancels them: told apart here, so that the table is asked once.
      const rows = await database.query<EventRow & { sign: number; version: number | string }>(
        `SELECT ${EVENT_SELECT}, sign, version FROM events WHERE ${condition} ORDER BY version DESC, recorded_at`,
        { tenant, event_id: eventId },
      )
      const cancelled = new Set(rows.filter(({ sign }) => sign < 0).map(({ version }) => version))
      const row = rows.find(({ sign, version }) => sign > 0 && !cancelled.has(version))
      return row && eventOf(row)
    },
    byIds: async (tenant, ids, [first, last]) => {
      if (ids.length === 0) return []
      const bounds =
        "tenant = {tenant:String} AND occurred_at BETWEEN toDateTime64({first:String}, 6, 'UTC') AND toDateTime64({last:String}, 6, 'UTC')"
      const condition = `${bounds} AND event_id IN {ids:Array(String)}`
      const rows = await database.query<EventRow>(
        `SELECT ${EVENT_SELECT} FROM events WHERE ${condition} AND ${liveWithin(condition)} ORDER BY occurred_at, event_id`,
        { tenant, ids, first: toClickHouse(first), last: toClickHouse(last) },
      )
      return rows.map(eventOf)
    },
    sourcesOf: async (tenant, ids) => {
      if (ids.length === 0) return new Map()
      const rows = await database.query<{ event_id: string; topic: string }>(
        `SELECT event_id, any(topic) AS topic FROM events
         WHERE tenant = {tenant:String} AND event_id IN {ids:Array(String)}
           AND (toDate(occurred_at), actor) IN (SELECT day, actor FROM event_ids
             WHERE tenant = {tenant:String}
               AND id_hash IN (SELECT ${ID_HASH} FROM (SELECT arrayJoin({ids:Array(String)}) AS event_id)))
         GROUP BY event_id`,
        { tenant, ids },
      )
      return new Map(rows.map(({ event_id, topic }) => [event_id, topic]))
    },
    chain: (scope, page) => chainPage(database, scope, page),
  }
}

async function search(
  database: Database,
  scope: EventScope & { readonly from: Timestamp; readonly to: Timestamp },
  { limit, cursor }: { readonly limit: number; readonly cursor?: string },
): Promise<EventPage> {
  const after = cursor === undefined ? undefined : decodeCursor(cursor, CURSOR_PARTS)
  const recent = await recentActors(database, scope, limit, after)
  if (recent !== undefined) {
    const rows = await pageRows(database, { ...scope, from: recent.from }, { limit, after }, recent.actors)
    // Of the oldest microsecond some actors may be missing. A page that ends before it is whole.
    const [{ found = 0, oldest = '' } = {}] = rows
    if (found > limit && fromClickHouse(oldest) > recent.from) return pageOf(rows, limit)
  }
  const from = await oldestOfPage(database, scope, limit, after)
  if (from === undefined) return { events: [] }
  return pageOf(await pageRows(database, { ...scope, from }, { limit, after }), limit)
}

interface PageRow extends EventRow {
  readonly occurred_at: string
  readonly tie: string
  /** How many rows the page and the one after it have, and the time of the oldest of them. */
  readonly found: number
  readonly oldest: string
}

async function pageRows(
  database: Database,
  scope: EventScope,
  { limit, after }: { readonly limit: number; readonly after: readonly string[] | undefined },
  actors?: readonly string[],
): Promise<PageRow[]> {
  const { sql, params } = pageSql(scope, after)
  const ofActors = actors === undefined ? '' : 'AND actor IN {actors:Array(String)}'
  // What is beyond the page’s bytes stays in the store; that there is more is known from the count.
  return await database.query<PageRow>(
    `SELECT * FROM
       (SELECT *, count() OVER () AS found, min(occurred_at) OVER () AS oldest,
          sum(row_bytes) OVER (ORDER BY occurred_at DESC, tie DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS upto
        FROM (SELECT ${EVENT_SELECT}, ${TIE} AS tie, ${ROW_BYTES} AS row_bytes FROM events WHERE ${sql} ${ofActors}
              ORDER BY occurred_at DESC, tie DESC LIMIT {limit:UInt32}))
     WHERE upto <= ${PAGE_BYTES} OR upto = row_bytes
     ORDER BY occurred_at DESC, tie DESC`,
    { ...params, ...(actors === undefined ? {} : { actors }), limit: limit + 1 },
  )
}

function pageOf(rows: readonly PageRow[], limit: number): EventPage {
  const page = rows.slice(0, limit)
  const events = page.map(eventOf)
  const last = page.at(-1)
  if (last === undefined || last.found <= page.length) return { events }
  return { events, nextCursor: encodeCursor([fromClickHouse(last.occurred_at), last.tie]) }
}

const PAGE_BYTES = 8 * 1024 ** 2
// The texts that senders fill at will.
const ROW_BYTES =
  'length(gen_ai_tool_call_arguments) + length(error_message) + length(mcp_resource_uri) + length(toString(argument_fingerprints))'

/** How many events the page has is found from narrow rows, so that only the page's own are in the memory. */
async function chainPage(
  database: Database,
  scope: EventScope & { readonly chain: string },
  { limit, cursor }: { readonly limit: number; readonly cursor?: string },
): Promise<EventPage> {
  const { sql, params } = pageSql(
    scope,
    cursor === undefined ? undefined : decodeCursor(cursor, CURSOR_PARTS),
  )
  const sizes = await database.query<{ at: string; tie: string; bytes: number }>(
    `SELECT occurred_at AS at, ${TIE} AS tie, ${ROW_BYTES} AS bytes FROM events WHERE ${sql}
     ORDER BY at DESC, tie DESC LIMIT {limit:UInt32}`,
    { ...params, limit: limit + 1 },
  )
  let count = 0
  for (let bytes = 0; count < Math.min(limit, sizes.length); count++) {
    bytes += sizes[count]?.bytes ?? 0
    if (bytes > PAGE_BYTES && count > 0) break
  }
  const oldest = sizes[count - 1]
  if (oldest === undefined) return { events: [] }
  const rows = await database.query<EventRow>(
    `SELECT ${EVENT_SELECT} FROM events WHERE ${sql} AND occurred_at >= toDateTime64({oldest:String}, 6, 'UTC')
     ORDER BY occurred_at DESC, ${TIE} DESC LIMIT {limit:UInt32}`,
    { ...params, oldest: oldest.at, limit: count },
  )
  const events = rows.map(eventOf).reverse()
  if (sizes.length <= count) return { events }
  return { events, nextCursor: encodeCursor([fromClickHouse(oldest.at), oldest.tie]) }
}

// More than a page needs, so that a few corrected events do not make the look-up useless.
const SPARE_EVENTS = 4

/**
 * Whose events the page can have, and from when on: of a question about all actors within the last week, from a table in
 * order of time (0019_events_by_time.sql). Undefined where it cannot tell.
 */
async function recentActors(
  database: Database,
  { tenant, from, to, ...selection }: EventScope & { readonly from: Timestamp; readonly to: Timestamp },
  limit: number,
  after: readonly string[] | undefined,
): Promise<{ readonly from: Timestamp; readonly actors: readonly string[] } | undefined> {
  if (Object.values(selection).some((value) => value !== undefined && value !== '')) return undefined
  const last = after?.[0]
  const wanted = limit + 1 + SPARE_EVENTS
  const [found] = await database.query<{ rows: number; oldest: string; covered: number; actors: string[] }>(
    `SELECT count() AS rows, min(occurred_at) AS oldest, oldest > now() - INTERVAL 7 DAY AS covered,
            groupUniqArray(actor) AS actors
     FROM (SELECT occurred_at, actor FROM events_by_time
           WHERE tenant = {tenant:String} AND occurred_at >= toDateTime64({from:String}, 6, 'UTC')
             AND occurred_at ${last === undefined ? '<' : '<='} toDateTime64({to:String}, 6, 'UTC')
           ORDER BY occurred_at DESC LIMIT {wanted:UInt32})`,
    { tenant, from: toClickHouse(from), to: toClickHouse(last ?? to), wanted },
  )
  if (found === undefined || found.rows < wanted || !found.covered) return undefined
  return { from: fromClickHouse(found.oldest), actors: found.actors }
}

/**
 * The time of the page’s oldest event, found from one narrow column, so that the wide rows are read for the page’s own
 * stretch of time only. Looks at the newest slice of the range first: the table is ordered by actor within a day, so
 * “newest first” of a whole month would read the month.
 */
async function oldestOfPage(
  database: Database,
  scope: EventScope & { readonly from: Timestamp; readonly to: Timestamp },
  limit: number,
  after: readonly string[] | undefined,
): Promise<Timestamp | undefined> {
  const newestMs = toMillis(after?.[0] ?? scope.to)
  const slices = scope.actor === undefined ? SLICES_MS : SLICES_OF_ACTOR_MS
  for (const sliceMs of [...slices, Number.POSITIVE_INFINITY]) {
    const sliceFrom = newestMs - sliceMs
    const isWhole = sliceFrom <= toMillis(scope.from)
    const from = isWhole ? scope.from : fromMillis(Math.floor(sliceFrom))
    const { sql, params } = pageSql({ ...scope, from }, after)
    const [found] = await database.query<{ rows: number; oldest: string }>(
      `SELECT count() AS rows, min(occurred_at) AS oldest FROM
         (SELECT occurred_at FROM events WHERE ${sql} ORDER BY occurred_at DESC LIMIT {limit:UInt32})`,
      { ...params, limit: limit + 1 },
    )
    const rows = found?.rows ?? 0
    if (found !== undefined && rows > 0 && (rows > limit || isWhole)) return fromClickHouse(found.oldest)
    if (isWhole) return undefined
  }
  return undefined
}

function pageSql(scope: EventScope, after: readonly string[] | undefined) {
  const { sql, params } = liveSql(scope)
  const [time, tie] = after ?? []
  if (time === undefined || tie === undefined) return { sql, params }
  return {
    sql: `${sql} AND occurred_at <= toDateTime64({after_time:String}, 6, 'UTC')
          AND (occurred_at < toDateTime64({after_time:String}, 6, 'UTC') OR ${TIE} < {after_tie:String})`,
    params: { ...params, after_time: toClickHouse(time), after_tie: tie },
  }
}
