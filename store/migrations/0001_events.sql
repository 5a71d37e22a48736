-- The event store. Why events and parts are apart, and what the sign is for: docs/adr/0002-records-and-events.md.
--
-- Every table keeps a window of insert tokens (non_replicated_deduplication_window), so that the same block
-- under the same token is stored once, in the table and in every view behind it, whatever crashed in between.

-- recorded_at is the store's own clock at the time of the insert, so that readers of arrivals compare like with like
-- however the writers' clocks differ; no writer sends it.

-- One row a call. A source that reports a call once writes one row with sign 1 and version 0 and pays nothing more.
-- A call reported in several records is assembled from event_parts; when a part arrives later, the old version is
-- cancelled (sign -1) and the new one written in the same insert, so that sums over sign are right at any time
-- and merges drop the pair.
CREATE TABLE events
(
    event_id String CODEC(ZSTD(1)),
    occurred_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta(8), ZSTD(1)),
    timestamp_source LowCardinality(String),
    source_format LowCardinality(String),
    tenant LowCardinality(String),
    topic LowCardinality(String),
    partition UInt32 CODEC(ZSTD(1)),
    offset UInt64 CODEC(Delta(8), ZSTD(1)),
    record_index UInt32 CODEC(ZSTD(1)),
    user_id LowCardinality(String),
    user_email LowCardinality(String),
    gen_ai_agent_id LowCardinality(String),
    gen_ai_agent_name LowCardinality(String),
    gen_ai_agent_version LowCardinality(String),
    mcp_client_name LowCardinality(String),
    mcp_client_version LowCardinality(String),
    credential_id LowCardinality(String),
    client_address LowCardinality(String),
    actor LowCardinality(String),
    gateway_id LowCardinality(String),
    mcp_server_name LowCardinality(String),
    server_address LowCardinality(String),
    network_transport LowCardinality(String),
    mcp_method_name LowCardinality(String),
    gen_ai_tool_name LowCardinality(String),
    tool_name_raw LowCardinality(String),
    mcp_resource_uri String CODEC(ZSTD(1)),
    gen_ai_prompt_name LowCardinality(String),
    gen_ai_tool_call_arguments String CODEC(ZSTD(3)),
    argument_keys Array(LowCardinality(String)),
    tool_definition_hash LowCardinality(String),
    outcome LowCardinality(String),
    error_type LowCardinality(String),
    error_message String CODEC(ZSTD(3)),
    duration_ms Nullable(Float64) CODEC(ZSTD(1)),
    request_bytes Nullable(UInt64) CODEC(ZSTD(1)),
    response_bytes Nullable(UInt64) CODEC(ZSTD(1)),
    gen_ai_usage_input_tokens Nullable(UInt64) CODEC(ZSTD(1)),
    gen_ai_usage_output_tokens Nullable(UInt64) CODEC(ZSTD(1)),
    mcp_session_id String CODEC(ZSTD(1)),
    gen_ai_conversation_id String CODEC(ZSTD(1)),
    jsonrpc_request_id String CODEC(ZSTD(1)),
    gen_ai_tool_call_id String CODEC(ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    parent_span_id String CODEC(ZSTD(1)),
    chain String CODEC(ZSTD(1)),
    capability LowCardinality(String),
    sensitivity LowCardinality(String),
    destination LowCardinality(String),
    sign Int8 DEFAULT 1,
    version UInt64 DEFAULT 0,
    INDEX by_event_id event_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_chain chain TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_trace_id trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_server mcp_server_name TYPE set(64) GRANULARITY 1,
    INDEX by_tool gen_ai_tool_name TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_sign sign TYPE minmax GRANULARITY 1
)
ENGINE = VersionedCollapsingMergeTree(sign, version)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (tenant, toDate(occurred_at), actor, occurred_at, event_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- What single records contributed to calls that are reported in several. body is the part's fields as JSON.
CREATE TABLE event_parts
(
    tenant LowCardinality(String),
    join_key String CODEC(ZSTD(1)),
    part_id String CODEC(ZSTD(1)),
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta(8), ZSTD(1)),
    source_format LowCardinality(String),
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64 CODEC(Delta(8), ZSTD(1)),
    record_index UInt32,
    body String CODEC(ZSTD(3)),
    INDEX by_recorded_at recorded_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (tenant, join_key, part_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- Records that could not become events: the redacted bytes, and the reason in words.
CREATE TABLE dead_letters
(
    dead_letter_id String,
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta(8), ZSTD(1)),
    tenant LowCardinality(String),
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64 CODEC(Delta(8), ZSTD(1)),
    record_index UInt32,
    source_format LowCardinality(String),
    reason LowCardinality(String),
    message String CODEC(ZSTD(3)),
    field String,
    record String CODEC(ZSTD(3)),
    record_encoding LowCardinality(String),
    record_bytes UInt64
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (tenant, topic, partition, offset, record_index, dead_letter_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- What each insert touched, in order of arrival: a tick reads this, never the history. Kept for a week.
CREATE TABLE arrivals
(
    recorded_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    tenant LowCardinality(String),
    bucket DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    actor LowCardinality(String),
    mcp_server_name LowCardinality(String),
    gen_ai_tool_name LowCardinality(String),
    chain String CODEC(ZSTD(1)),
    rows Int64
)
ENGINE = SummingMergeTree(rows)
PARTITION BY toDate(recorded_at)
ORDER BY (recorded_at, tenant, bucket, actor, mcp_server_name, gen_ai_tool_name, chain)
TTL toDateTime(recorded_at) + INTERVAL 7 DAY
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW arrivals_view TO arrivals AS
SELECT recorded_at, tenant, toStartOfFiveMinutes(toDateTime(occurred_at, 'UTC')) AS bucket, actor, mcp_server_name,
       gen_ai_tool_name, chain, toInt64(count()) AS rows
FROM events
GROUP BY recorded_at, tenant, bucket, actor, mcp_server_name, gen_ai_tool_name, chain;

-- Rollup: calls per actor in five minutes.
CREATE TABLE calls_by_actor
(
    tenant LowCardinality(String),
    actor LowCardinality(String),
    bucket DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    calls Int64,
    failures Int64,
    denials Int64,
    request_bytes Int64,
    response_bytes Int64
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(bucket)
ORDER BY (tenant, actor, bucket)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW calls_by_actor_view TO calls_by_actor AS
SELECT tenant, actor, toStartOfFiveMinutes(toDateTime(occurred_at, 'UTC')) AS bucket, sum(toInt64(sign)) AS calls,
       sumIf(toInt64(sign), outcome = 'failure' OR outcome = 'timeout') AS failures, sumIf(toInt64(sign), outcome = 'denied') AS denials,
       sum(sign * toInt64(ifNull(events.request_bytes, 0))) AS request_bytes,
       sum(sign * toInt64(ifNull(events.response_bytes, 0))) AS response_bytes
FROM events
GROUP BY tenant, actor, bucket;

-- Rollup: calls per server and tool in five minutes.
CREATE TABLE calls_by_tool
(
    tenant LowCardinality(String),
    mcp_server_name LowCardinality(String),
    gen_ai_tool_name LowCardinality(String),
    bucket DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    calls Int64,
    failures Int64,
    denials Int64,
    request_bytes Int64,
    response_bytes Int64
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(bucket)
ORDER BY (tenant, mcp_server_name, gen_ai_tool_name, bucket)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW calls_by_tool_view TO calls_by_tool AS
SELECT tenant, mcp_server_name, gen_ai_tool_name, toStartOfFiveMinutes(toDateTime(occurred_at, 'UTC')) AS bucket,
       sum(toInt64(sign)) AS calls, sumIf(toInt64(sign), outcome = 'failure' OR outcome = 'timeout') AS failures,
       sumIf(toInt64(sign), outcome = 'denied') AS denials,
       sum(sign * toInt64(ifNull(events.request_bytes, 0))) AS request_bytes,
       sum(sign * toInt64(ifNull(events.response_bytes, 0))) AS response_bytes
FROM events
GROUP BY tenant, mcp_server_name, gen_ai_tool_name, bucket;

-- Rollup: first and last use of a tool by an actor. first_seen and last_seen look at sign 1 only.
CREATE TABLE tools_by_actor
(
    tenant LowCardinality(String),
    actor LowCardinality(String),
    mcp_server_name LowCardinality(String),
    gen_ai_tool_name LowCardinality(String),
    first_seen SimpleAggregateFunction(min, DateTime64(6, 'UTC')),
    last_seen SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    calls SimpleAggregateFunction(sum, Int64)
)
ENGINE = AggregatingMergeTree
ORDER BY (tenant, actor, mcp_server_name, gen_ai_tool_name)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW tools_by_actor_view TO tools_by_actor AS
SELECT tenant, actor, mcp_server_name, gen_ai_tool_name,
       minIf(occurred_at, sign = 1) AS first_seen, maxIf(occurred_at, sign = 1) AS last_seen, sum(toInt64(sign)) AS calls
FROM events
WHERE gen_ai_tool_name != ''
GROUP BY tenant, actor, mcp_server_name, gen_ai_tool_name
HAVING countIf(sign = 1) > 0 OR calls != 0;
