-- When events happened, in order of time, and by whom: `events` is ordered by actor within a day, so the newest of all
-- actors would be looked for in the whole day. Only the last week, which is what people ask without saying of whom; who
-- reads it takes it as a hint and asks `events` (store/event-queries.ts), so a row too many does no harm.
DROP VIEW IF EXISTS events_by_time_view;
DROP TABLE IF EXISTS events_by_time;
CREATE TABLE events_by_time
(
    tenant LowCardinality(String),
    occurred_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    actor LowCardinality(String)
)
ENGINE = MergeTree
PARTITION BY (tenant, toMonday(occurred_at))
ORDER BY (tenant, occurred_at, actor)
TTL toDateTime(occurred_at) + INTERVAL 8 DAY
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW events_by_time_view TO events_by_time AS
SELECT tenant, occurred_at, actor
FROM events
WHERE sign = 1 AND occurred_at > now() - INTERVAL 8 DAY;

-- What is stored already. The view is there first, so that no event is missed that another process stores meanwhile.
INSERT INTO events_by_time SELECT tenant, occurred_at, actor
FROM events WHERE sign = 1 AND occurred_at > now() - INTERVAL 8 DAY
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0, distributed_foreground_insert = 1;
