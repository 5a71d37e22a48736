-- What is unusual about a record: too long, or later than its time by more than the allowed lateness
-- (ingest/record-flags.ts, docs/adr/0018-whose-record-it-is.md).
ALTER TABLE events ADD COLUMN IF NOT EXISTS record_flags Array(LowCardinality(String)) AFTER argument_flags;

-- No baseline learns from what came late. The rollups keep beside all calls those that were late, and beside the first use that
-- counts the first one that was late. 2200 stands for never, as in 0012_first_uses.sql.
ALTER TABLE calls_by_actor ADD COLUMN IF NOT EXISTS late_calls Int64 DEFAULT 0;
ALTER TABLE tools_by_actor ADD COLUMN IF NOT EXISTS late_first SimpleAggregateFunction(min, DateTime64(6, 'UTC')) DEFAULT toDateTime64('2200-01-01 00:00:00', 6, 'UTC');

DROP VIEW IF EXISTS calls_by_actor_view;

CREATE MATERIALIZED VIEW calls_by_actor_view TO calls_by_actor AS
SELECT tenant, actor, toStartOfFiveMinutes(toDateTime(occurred_at, 'UTC')) AS bucket, sum(toInt64(sign)) AS calls,
       sumIf(toInt64(sign), outcome = 'failure' OR outcome = 'timeout') AS failures, sumIf(toInt64(sign), outcome = 'denied') AS denials,
       sum(sign * toInt64(ifNull(events.request_bytes, 0))) AS request_bytes,
       sum(sign * toInt64(ifNull(events.response_bytes, 0))) AS response_bytes,
       sumIf(toInt64(sign), has(record_flags, 'late')) AS late_calls
FROM events
GROUP BY tenant, actor, bucket;

DROP VIEW IF EXISTS tools_by_actor_view;

CREATE MATERIALIZED VIEW tools_by_actor_view TO tools_by_actor AS
SELECT tenant, actor, mcp_server_name, gen_ai_tool_name,
       min(if(sign = 1 AND NOT has(record_flags, 'late'), occurred_at, toDateTime64('2200-01-01 00:00:00', 6, 'UTC'))) AS first_seen,
       maxIf(occurred_at, sign = 1) AS last_seen, sum(toInt64(sign)) AS calls,
       arrayMin(arrayPushBack(
           arrayFilter(time -> NOT has(groupUniqArrayIf(occurred_at, sign = 1 AND version > 0), time), groupUniqArrayIf(occurred_at, sign = -1)),
           toDateTime64('2200-01-01 00:00:00', 6, 'UTC'))) AS vanished_first,
       min(if(sign = 1 AND has(record_flags, 'late'), occurred_at, toDateTime64('2200-01-01 00:00:00', 6, 'UTC'))) AS late_first
FROM events
WHERE gen_ai_tool_name != ''
GROUP BY tenant, actor, mcp_server_name, gen_ai_tool_name
HAVING countIf(sign = 1) > 0 OR calls != 0;

-- Events whose id another one had, in order of arrival: who raises alerts about them must not look through all events.
CREATE TABLE id_conflicts
(
    recorded_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    tenant LowCardinality(String),
    topic LowCardinality(String),
    event_id String CODEC(ZSTD(1)),
    conflicting_event_id String CODEC(ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (recorded_at, tenant, topic)
TTL toDateTime(recorded_at) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW id_conflicts_view TO id_conflicts AS
SELECT recorded_at, tenant, topic, event_id, conflicting_event_id FROM events WHERE conflicting_event_id != '' AND sign = 1;
