import { fromClickHouse } from '../core/timestamp.ts'
import type { Database } from './database.ts'

/** Spans that more than one topic reported within an hour: the same trace and span id, as several events. */
export interface SharedSpans {
  readonly tenant: string
  /** Two or more, sorted. */
  readonly topics: readonly string[]
  readonly spans: number
  /** Of these, the ones of which the topics do not say the same: who called what, with which arguments, and how it ended. */
  readonly different: number
  /** The hour, ISO 8601 UTC, end exclusive. */
  readonly from: string
  readonly to: string
  /** One of the spans, one with different content where there is any. */
  readonly traceId: string
  readonly spanId: string
}

const MOST = 1000
// Of a store that takes more calls than this in an hour and a quarter, so many are looked at.
const MOST_ROWS = 5_000_000
const MOST_TOPICS = 10
// The hour before, too, until what came at its end was looked at.
const SINCE = 'toStartOfHour(now64(6) - INTERVAL 5 MINUTE)'

/**
 * Of this hour: what both topics reported within it, or one of them in the quarter before. Calls of yesterday and before are
 * not looked at. Errors: see `Database`.
 */
export async function sharedSpans(database: Database): Promise<SharedSpans[]> {
  const rows = await database.query<SharedSpans>(
    `SELECT tenant, topics, toUInt32(count()) AS spans, toUInt32(countIf(facts > 1)) AS different,
       toString(hour) AS from, toString(hour + INTERVAL 1 HOUR) AS to,
       argMax(trace_id, facts) AS traceId, argMax(span_id, facts) AS spanId
     FROM
       (SELECT tenant, trace_id, span_id, arraySort(groupUniqArray(${MOST_TOPICS})(topic)) AS topics, toStartOfHour(max(recorded_at)) AS hour,
          uniq(actor, mcp_server_name, gen_ai_tool_name, outcome, argument_fingerprints) AS facts
        FROM
          (SELECT tenant, trace_id, span_id, topic, recorded_at, actor, mcp_server_name, gen_ai_tool_name, outcome, argument_fingerprints
           FROM events WHERE recorded_at >= ${SINCE} - INTERVAL 15 MINUTE
             AND occurred_at >= now64(6) - INTERVAL 1 DAY AND sign = 1 AND trace_id != '' AND span_id != '' LIMIT ${MOST_ROWS})
        GROUP BY tenant, trace_id, span_id
        HAVING length(topics) > 1 AND hour >= ${SINCE})
     GROUP BY tenant, topics, hour ORDER BY spans DESC, tenant, topics LIMIT ${MOST}`,
  )
  return rows.map((row) => ({ ...row, from: fromClickHouse(row.from), to: fromClickHouse(row.to) }))
}
