-- Findings, the log of alerts and deliveries by month, so that their retention drops parts; and the outbox apart from the
-- deliveries. A partition key cannot be changed, so each table is a new one under a name that says what its rows are. The old
-- tables are made here only for a second run of this file, after a crash or beside another process: then they are gone
-- already. Nothing is dropped before it was copied, and rows that are copied twice are one.

-- The newest version of a finding wins. A finding has one window, so all of its versions are in one month; the window is in
-- the sort key so that the engine knows it too, and compares no month with another. history and
-- arrived_at are what FindingChange (core/finding.ts) says about how it came to be judged.
CREATE TABLE finding_versions
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
    history Nullable(Bool),
    arrived_at Nullable(DateTime64(6, 'UTC')),
    INDEX by_finding_id finding_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (tenant, subject, finding_id, window_start)
TTL toDateTime(found_at) + toIntervalDay(400)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

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
    explanation String
)
ENGINE = MergeTree
ORDER BY finding_id;

INSERT INTO finding_versions (finding_id, status, version, found_at, rule, rule_version, detector, severity, score, tenant,
    subject, entity_type, entity_id, actor, window_start, window_end, first_event_at, last_event_at, event_count, event_ids,
    title, explanation)
SELECT finding_id, status, version, found_at, rule, rule_version, detector, severity, score, tenant, subject, entity_type,
    entity_id, actor, window_start, window_end, first_event_at, last_event_at, event_count, event_ids, title, explanation
FROM findings;

DROP TABLE IF EXISTS findings;

-- Alerts are a fold over this log (core/alert.ts). sequence orders the actions of an alert, body is the action and state
-- the alert after it, both as JSON, so that reading an alert is reading its last line. finding_digest tells a replayed
-- finding from a changed one; delivery_ids are what the action wants sent (they become rows of delivery_versions). opened_at
-- is the same in all lines of an alert, so an alert is in one month.
CREATE TABLE alert_log
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
PARTITION BY toYYYYMM(opened_at)
ORDER BY (tenant, alert_id, sequence, action_id)
TTL toDateTime(at) + toIntervalDay(400)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

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
    body String,
    state String
)
ENGINE = MergeTree
ORDER BY alert_id;

INSERT INTO alert_log (tenant, alert_id, sequence, action_id, at, kind, by, fingerprint, finding_id, finding_digest, status,
    severity, opened_at, started_at, delivery_ids, body, state)
SELECT tenant, alert_id, sequence, action_id, at, kind, by, fingerprint, finding_id, finding_digest, status, severity,
    opened_at, started_at, delivery_ids, body, state
FROM alert_actions;

DROP TABLE IF EXISTS alert_actions;

-- What became of each delivery; the newest version wins. body is the notice as JSON, attempt_log what became of each
-- attempt; sequence is that of the action that asked for it.
CREATE TABLE delivery_versions
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
PARTITION BY toYYYYMM(created_at)
ORDER BY (tenant, delivery_id, created_at)
TTL toDateTime(created_at) + toIntervalDay(400)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

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
    attempt_log String,
    body String
)
ENGINE = MergeTree
ORDER BY delivery_id;

INSERT INTO delivery_versions (delivery_id, version, tenant, alert_id, receiver, kind, notice, sequence, created_at, status,
    attempts, next_attempt_at, last_attempt_at, last_status, last_error, attempt_log, body)
SELECT delivery_id, version, tenant, alert_id, receiver, kind, notice, sequence, created_at, status, attempts,
    next_attempt_at, last_attempt_at, last_status, last_error, attempt_log, body
FROM deliveries;

-- The outbox: which versions of deliveries are due, and nothing else. A version comes in with sign 1 before it is written to
-- delivery_versions and leaves with sign -1 after the next one was; merges drop the pair, so the table is as small as what
-- waits. It says where to look: what a delivery is, delivery_versions says (store/outbox.ts). What a crash leaves over is
-- mended by the reader; the TTL is for signs that never found their other half.
CREATE TABLE outbox
(
    tenant LowCardinality(String),
    delivery_id String,
    version UInt64,
    receiver LowCardinality(String),
    alert_id String,
    sequence UInt32,
    created_at DateTime64(3, 'UTC'),
    next_attempt_at DateTime64(3, 'UTC'),
    sign Int8
)
ENGINE = VersionedCollapsingMergeTree(sign, version)
ORDER BY (tenant, delivery_id)
TTL toDateTime(next_attempt_at) + toIntervalDay(400)
SETTINGS non_replicated_deduplication_window = 10000;

INSERT INTO outbox (tenant, delivery_id, version, receiver, alert_id, sequence, created_at, next_attempt_at, sign)
SELECT tenant, delivery_id, version, receiver, alert_id, sequence, created_at, next_attempt_at, 1 AS sign
FROM delivery_versions FINAL
WHERE status = 'due';

DROP TABLE IF EXISTS deliveries;
