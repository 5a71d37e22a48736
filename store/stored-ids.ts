import type { AuditEvent } from '../core/audit-event.ts'
import type { Sources } from '../core/sources.ts'
import { toClickHouse, toMillis } from '../core/timestamp.ts'
import type { Database } from './database.ts'
import { ID_HASH } from './event-ids.ts'
import { liveWithin } from './event-scope.ts'

/** An assembled event that is about to be stored under an id that it has not had before. */
export interface NewIdentity {
  readonly event: AuditEvent
  /** Nothing is known of its join key: the call may have been stored when its parts were still there. */
  readonly isFresh: boolean
  /** The id is the source’s own, which may be used again. */
  readonly isOwn: boolean
  /** The id that a version before would have given it. */
  readonly formerId: string
}

/** `stored`: this very call is there. `taken`: another event has the id. */
export type Standing = 'free' | 'stored' | 'taken'

interface StandingRow {
  readonly id: string
  readonly version: number
  readonly topic: string
  readonly atMs: number
  readonly tool: string
  readonly arguments: string
}

const COLUMNS = `event_id AS id, toUInt64(version) AS version, topic, toUnixTimestamp64Milli(occurred_at) AS atMs,
  gen_ai_tool_name AS tool, gen_ai_tool_call_arguments AS arguments`

/** What stands under the ids of assembled events of one tenant and day, in their order. */
export async function findStandings(
  database: Database,
  sources: Sources,
  identities: readonly NewIdentity[],
): Promise<Standing[]> {
  const tenant = identities[0]?.event.tenant ?? ''
  const ids = [...new Set(identities.flatMap(({ event, formerId }) => [event.event_id, formerId]))]
  const times = identities.map(({ event }) => event.occurred_at).sort()
  const rows = [
    ...(await arrivedLately(database, tenant, ids)),
    ...(identities.some(({ isFresh }) => isFresh)
      ? await assembledBetween(database, { tenant, ids, from: times[0] ?? '', to: times.at(-1) ?? '' })
      : []),
  ]
  const byId = Map.groupBy(rows, ({ id }) => id)
  return identities.map((identity) => standingOf(identity, byId, sources))
}

function standingOf(
  { event, isFresh, isOwn, formerId }: NewIdentity,
  byId: ReadonlyMap<string, readonly StandingRow[]>,
  sources: Sources,
): Standing {
  const others = byId.get(event.event_id) ?? []
  const isSame = (row: StandingRow) =>
    row.version > 0 &&
    sources.of(row.topic) === sources.of(event.topic) &&
    Math.abs(row.atMs - toMillis(event.occurred_at)) <= SAME_CALL_MS &&
    (!isOwn || saysTheSame(row, event))
  if (isFresh && (others.some(isSame) || byId.get(formerId)?.some(isSame))) return 'stored'
  return others.length === 0 ? 'free' : 'taken'
}

// Of a call whose parts come again some may be missing, and with them its first moment.
const SAME_CALL_MS = 3_600_000

const saysTheSame = (row: StandingRow, event: AuditEvent): boolean =>
  row.tool === (event['gen_ai.tool.name'] ?? '') &&
  row.arguments === (event['gen_ai.tool.call.arguments'] ?? '')

const ID_LIST = "JSONExtract({ids:String}, 'Array(String)')"
const WINDOW_DAYS = 3

/** Whatever arrived within some days under one of the ids, of whoever and of whatever time. */
async function arrivedLately(
  database: Database,
  tenant: string,
  ids: readonly string[],
): Promise<StandingRow[]> {
  const params = { tenant, ids: JSON.stringify(ids.map((id) => id.toWellFormed())) }
  const places = `SELECT DISTINCT day, actor FROM event_ids
    WHERE tenant = {tenant:String} AND arrived >= toDate(now('UTC')) - ${WINDOW_DAYS}
      AND id_hash IN (SELECT ${ID_HASH} FROM (SELECT arrayJoin(${ID_LIST}) AS event_id))`
  const [any] = await database.query(`SELECT 1 FROM (${places}) LIMIT 1`, params)
  if (any === undefined) return []
  const condition = `tenant = {tenant:String} AND event_id IN (SELECT arrayJoin(${ID_LIST}))
    AND (toDate(occurred_at), actor) IN (${places})`
  return database.query<StandingRow>(
    `SELECT ${COLUMNS} FROM events WHERE ${condition} AND ${liveWithin(condition)}`,
    params,
  )
}

/**
 * What was assembled under one of the ids, with a time inside the bounds. They are what keeps this cheap: the primary key
 * narrows them to a few granules, and live traffic mostly finds nothing at the first, smaller question.
 */
async function assembledBetween(
  database: Database,
  of: {
    readonly tenant: string
    readonly ids: readonly string[]
    readonly from: string
    readonly to: string
  },
): Promise<StandingRow[]> {
  const inBounds = `FROM events WHERE tenant = {tenant:String}
    AND occurred_at >= {from:DateTime64(6, 'UTC')} AND occurred_at <= {to:DateTime64(6, 'UTC')}
    AND toDate(occurred_at) >= toDate({from:DateTime64(6, 'UTC')}) AND toDate(occurred_at) <= toDate({to:DateTime64(6, 'UTC')})`
  const bounds = { tenant: of.tenant, from: toClickHouse(of.from), to: toClickHouse(of.to) }
  const [any] = await database.query(`SELECT 1 ${inBounds} LIMIT 1`, bounds)
  if (any === undefined) return []
  return database.query<StandingRow>(
    `SELECT DISTINCT ${COLUMNS} ${inBounds} AND version > 0 AND sign = 1 AND event_id IN (SELECT arrayJoin(${ID_LIST}))`,
    { ...bounds, ids: JSON.stringify(of.ids.map((id) => id.toWellFormed())) },
  )
}
