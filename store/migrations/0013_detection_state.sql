-- What each insert touched, by what detectors judge as one: an actor, a tool or a chain, with the hour of event time. A
-- tick reads this, never the history. One insert has one recorded_at, so a slice of arrivals ends between two inserts.
-- The table follows the number of actors, tools and chains of an insert, not its calls. Kept for a week.
CREATE TABLE touched
(
    recorded_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    tenant LowCardinality(String),
    dimension LowCardinality(String),
    bucket DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    server LowCardinality(String),
    key String CODEC(ZSTD(1)),
    rows Int64 CODEC(ZSTD(1))
)
ENGINE = SummingMergeTree(rows)
PARTITION BY toDate(recorded_at)
ORDER BY (recorded_at, tenant, dimension, bucket, server, key)
TTL toDateTime(recorded_at) + INTERVAL 7 DAY
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW touched_view TO touched AS
SELECT recorded_at, tenant, what.1 AS dimension, toStartOfHour(toDateTime(occurred_at, 'UTC')) AS bucket, what.2 AS server,
       what.3 AS key, toInt64(count()) AS rows
FROM events
ARRAY JOIN [('actor', '', toString(actor)), ('tool', toString(mcp_server_name), toString(gen_ai_tool_name)), ('chain', '', chain)] AS what
GROUP BY recorded_at, tenant, dimension, bucket, server, key;

-- What waits in the table of earlier versions. A row that comes twice is asked twice and changes nothing. The table is
-- made here only for a second run of this file, after a crash: then it is gone already.
CREATE TABLE arrivals
(
    recorded_at DateTime64(6, 'UTC'),
    tenant LowCardinality(String),
    bucket DateTime('UTC'),
    actor LowCardinality(String),
    mcp_server_name LowCardinality(String),
    gen_ai_tool_name LowCardinality(String),
    chain String,
    rows Int64
)
ENGINE = SummingMergeTree(rows)
ORDER BY (recorded_at, tenant, bucket, actor, mcp_server_name, gen_ai_tool_name, chain);

INSERT INTO touched
SELECT recorded_at, tenant, what.1 AS dimension, toStartOfHour(bucket) AS bucket, what.2 AS server, what.3 AS key, sum(rows) AS rows
FROM arrivals
ARRAY JOIN [('actor', '', toString(actor)), ('tool', toString(mcp_server_name), toString(gen_ai_tool_name)), ('chain', '', chain)] AS what
GROUP BY recorded_at, tenant, dimension, bucket, server, key;

DROP TABLE IF EXISTS arrivals_view;
DROP TABLE IF EXISTS arrivals;

-- Baselines as of the start of a day, as the kind of detector writes them; the newest version of a day counts. A start
-- reads the newest one instead of the history, a late event the one before its day.
CREATE TABLE profiles
(
    tenant LowCardinality(String),
    profile String,
    day Date,
    version UInt64 DEFAULT toUnixTimestamp64Micro(now64(6)),
    body String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, profile, day)
SETTINGS non_replicated_deduplication_window = 10000;

-- Ranges of the past that a person asked to be judged again, in order of request.
CREATE TABLE backfill_requests
(
    requested_at DateTime64(6, 'UTC') DEFAULT now64(6),
    request_id String,
    tenant String,
    from_day Date,
    through_day Nullable(Date),
    by String
)
ENGINE = MergeTree
ORDER BY (requested_at, request_id)
TTL toDateTime(requested_at) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 10000;
