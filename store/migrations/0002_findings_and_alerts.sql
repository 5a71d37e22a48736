-- Findings: the newest version of a row wins; nothing is deleted. explanation is JSON.
CREATE TABLE findings
(
    finding_id String,
    status LowCardinality(String),
    version UInt64,
    found_at DateTime64(3, 'UTC'),
    rule LowCardinality(String),
    rule_version UInt32,
    detector LowCardinality(String),
    severity LowCardinality(String),
    score Float64,
    tenant LowCardinality(String),
    subject String,
    entity_type LowCardinality(String),
    entity_id String,
    actor LowCardinality(String),
    window_start DateTime64(3, 'UTC'),
    window_end DateTime64(3, 'UTC'),
    first_event_at DateTime64(6, 'UTC'),
    last_event_at DateTime64(6, 'UTC'),
    event_count UInt64,
    event_ids Array(String),
    title String,
    explanation String CODEC(ZSTD(3)),
    INDEX by_subject subject TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, finding_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- Alerts are a fold over this log (core/alert.ts). sequence orders the actions of an alert; body is the action as JSON.
CREATE TABLE alert_actions
(
    tenant LowCardinality(String),
    alert_id String,
    sequence UInt32,
    action_id String,
    at DateTime64(3, 'UTC'),
    kind LowCardinality(String),
    by String,
    body String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, alert_id, sequence, action_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- The outbox and its log: a delivery is due until an attempt settles it. Newest version of a delivery wins.
CREATE TABLE deliveries
(
    delivery_id String,
    version UInt64,
    tenant LowCardinality(String),
    alert_id String,
    receiver LowCardinality(String),
    kind LowCardinality(String),
    created_at DateTime64(3, 'UTC'),
    status LowCardinality(String),
    attempts UInt32,
    next_attempt_at DateTime64(3, 'UTC'),
    last_attempt_at Nullable(DateTime64(3, 'UTC')),
    last_status UInt16,
    last_error String,
    body String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, delivery_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- How far a reader of arrivals has come: the rows up to recorded_through are dealt with.
CREATE TABLE watermarks
(
    name String,
    recorded_through DateTime64(6, 'UTC'),
    body String,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY name
SETTINGS non_replicated_deduplication_window = 10000;
