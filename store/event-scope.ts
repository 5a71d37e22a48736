import type { Timestamp } from '../core/audit-event.ts'
import { compileFilter } from '../core/filter/compile.ts'
import { toClickHouse } from '../core/timestamp.ts'
import type { QueryParams } from './database.ts'

/** Which events are meant. The tenant is never optional: no question is asked across tenants. */
export interface EventScope {
  readonly tenant: string
  /** Inclusive. */
  readonly from?: Timestamp
  /** Exclusive. */
  readonly to?: Timestamp
  readonly actor?: string
  readonly server?: string
  readonly tool?: string
  readonly outcome?: string
  readonly capability?: string
  readonly chain?: string
  /** An expression of the filter language. */
  readonly q?: string
}

export interface SqlCondition {
  readonly sql: string
  readonly params: QueryParams
}

const EXACT_COLUMNS = {
  actor: 'actor',
  server: 'mcp_server_name',
  tool: 'gen_ai_tool_name',
  outcome: 'outcome',
  capability: 'capability',
  chain: 'chain',
} as const satisfies Partial<Record<keyof EventScope, string>>

/**
 * The condition over rows of `events`, cancelled versions and their cancellations included: right for sums over
 * `sign`, wrong for listings (`liveSql`).
 * @throws GatewatchError `filter_syntax`
 */
export function scopeSql(scope: EventScope): SqlCondition {
  const { sql, params } = boundsSql(scope)
  const conditions = [sql]
  const all: Record<string, QueryParams[string]> = { ...params }
  for (const [name, column] of Object.entries(EXACT_COLUMNS)) {
    const value = scope[name as keyof typeof EXACT_COLUMNS]
    if (value === undefined) continue
    conditions.push(`${column} = {${name}:String}`)
    all[name] = value
  }
  if (scope.q !== undefined && scope.q.trim() !== '') {
    const filter = compileFilter(scope.q)
    conditions.push(`(${filter.sql})`)
    Object.assign(all, filter.params)
  }
  return { sql: conditions.join(' AND '), params: all }
}

/**
 * The condition for rows that are events now: not a cancellation, and not cancelled. Pairs may not be merged away
 * yet, so the cancellations of the same time bounds are looked up; there are few.
 */
export function liveSql(scope: EventScope): SqlCondition {
  const { sql, params } = scopeSql(scope)
  return { sql: `${sql} AND ${liveWithin(boundsSql(scope).sql)}`, params }
}

/**
 * As `liveSql`, for a condition of one’s own over the event itself (it must hold for both rows of a pair). Mostly nothing
 * is cancelled: then no row’s id has to be read to say so.
 */
export const liveWithin = (condition: string): string =>
  `sign = 1 AND ((SELECT count() FROM events WHERE sign = -1 AND ${condition}) = 0
    OR (${VERSION_OF_EVENT}) NOT IN (SELECT ${VERSION_OF_EVENT} FROM events WHERE sign = -1 AND ${condition}))`

// Its coordinates too: whoever gets another event under its id must not have it hidden by that one’s cancellation.
const VERSION_OF_EVENT = 'event_id, version, topic, partition, offset, record_index'

function boundsSql({ tenant, from, to }: EventScope): SqlCondition {
  return {
    sql: [
      'tenant = {tenant:String}',
      ...(from === undefined ? [] : ["occurred_at >= toDateTime64({from:String}, 6, 'UTC')"]),
      ...(to === undefined ? [] : ["occurred_at < toDateTime64({to:String}, 6, 'UTC')"]),
    ].join(' AND '),
    params: {
      tenant,
      ...(from === undefined ? {} : { from: toClickHouse(from) }),
      ...(to === undefined ? {} : { to: toClickHouse(to) }),
    },
  }
}
