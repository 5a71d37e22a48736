-- Findings: the newest version of a row wins; nothing is deleted. explanation is JSON. A subject begins with the UTC
-- day that it was judged in, so the engine reads the findings of a day as one range of the key.
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
    INDEX by_finding_id finding_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, subject, finding_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- Alerts are a fold over this log (core/alert.ts). sequence orders the actions of an alert, body is the action and state
-- the alert after it, both as JSON, so that reading an alert is reading its last line. finding_digest tells a replayed
-- finding from a changed one; delivery_ids are what the action wants sent (they become rows of deliveries).
CREATE TABLE alert_actions
(
    tenant LowCardinality(String),
    alert_id String,
    sequence UInt32,
    action_id String,
    at DateTime64(3, 'UTC'),
    kind LowCardinality(String),
    by String,
    fingerprint String,
    finding_id String,
    finding_digest String,
    status LowCardinality(String),
    severity LowCardinality(String),
    opened_at DateTime64(3, 'UTC'),
    started_at DateTime64(3, 'UTC'),
    delivery_ids Array(String),
    body String CODEC(ZSTD(3)),
    state String CODEC(ZSTD(3)),
    INDEX by_fingerprint fingerprint TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_finding_id finding_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, alert_id, sequence, action_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- The outbox and its log: a delivery is due until an attempt settles it. Newest version of a delivery wins. body is the
-- notice as JSON, attempt_log what became of each attempt; sequence is that of the action that asked for it.
CREATE TABLE deliveries
(
    delivery_id String,
    version UInt64,
    tenant LowCardinality(String),
    alert_id String,
    receiver LowCardinality(String),
    kind LowCardinality(String),
    notice LowCardinality(String),
    sequence UInt32,
    created_at DateTime64(3, 'UTC'),
    status LowCardinality(String),
    attempts UInt32,
    next_attempt_at DateTime64(3, 'UTC'),
    last_attempt_at Nullable(DateTime64(3, 'UTC')),
    last_status UInt16,
    last_error String,
    attempt_log String CODEC(ZSTD(3)),
    body String CODEC(ZSTD(3)),
    INDEX by_alert_id alert_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, delivery_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- Receivers that said they are gone (410). target is a hash of where they were, so that a new address is a new start.
CREATE TABLE receiver_states
(
    receiver String,
    target String,
    status LowCardinality(String),
    reason String,
    at DateTime64(3, 'UTC'),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (receiver, target)
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
