-- Parts of calls, and what was made of them, are kept for as long as another part may still come. Without an end both
-- would grow as fast as the events, and with them the time to look a key up. What was made of a key is kept as JSON (rows
-- by position would be shifted by every new column of `events`), with the number of its parts: when fewer are left, some
-- have ended. Both tables begin anew, because what the one has means nothing without the other.
DROP TABLE event_parts;

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
    body String CODEC(ZSTD(1)),
    INDEX by_recorded_at recorded_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toMonday(recorded_at)
ORDER BY (tenant, join_key, part_id)
TTL toDateTime(recorded_at) + toIntervalDay(30)
SETTINGS non_replicated_deduplication_window = 10000;

DROP TABLE assembled;

CREATE TABLE assembled
(
    tenant LowCardinality(String),
    join_key String CODEC(ZSTD(1)),
    tick UInt64,
    recorded_at DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1)),
    parts UInt32,
    before Array(String) CODEC(ZSTD(1)),
    after Array(String) CODEC(ZSTD(1)),
    owner LowCardinality(String),
    INDEX by_tick tick TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(tick)
ORDER BY (tenant, join_key)
TTL recorded_at + toIntervalDay(30)
SETTINGS non_replicated_deduplication_window = 10000;
