-- admitted_at: when it was decided that a delivery goes out alone. digest_id: the delivery that tells a digested one.
-- docs/adr/0020-digests.md
ALTER TABLE delivery_versions
    ADD COLUMN IF NOT EXISTS admitted_at Nullable(DateTime64(3, 'UTC')),
    ADD COLUMN IF NOT EXISTS digest_id String DEFAULT '',
    ADD INDEX IF NOT EXISTS by_digest_id digest_id TYPE bloom_filter(0.01) GRANULARITY 1;

-- What was admitted when, so that a budget is counted from what lies in its time and not from all deliveries that there are.
CREATE TABLE admissions
(
    at DateTime64(3, 'UTC'),
    receiver LowCardinality(String),
    tenant LowCardinality(String),
    source LowCardinality(String),
    severity LowCardinality(String),
    party String,
    delivery_id String
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (toStartOfHour(at), receiver, tenant, source, severity, party, delivery_id)
TTL toDateTime(at) + toIntervalDay(400)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW admissions_view TO admissions AS
SELECT assumeNotNull(admitted_at) AS at, receiver, tenant, source, severity, party, delivery_id
FROM delivery_versions
WHERE admitted_at IS NOT NULL AND status = 'due' AND attempts = 0;
