-- What a dead letter needs to be tried again as it was: its headers, its time, and what of the record is kept — the
-- whole record, a piece of it that is a record by itself, an entry that a format took out of it, the beginning of one
-- of these, the row that the store refused, or nothing, because the letter stands for `weight` letters of one block of
-- which only a sample is kept. Counts are sum(weight); the letters between offset and last_offset are the ones meant.
ALTER TABLE dead_letters ADD COLUMN IF NOT EXISTS headers String DEFAULT '' CODEC(ZSTD(3));
ALTER TABLE dead_letters ADD COLUMN IF NOT EXISTS received_at DateTime64(3, 'UTC') DEFAULT toDateTime64(recorded_at, 3, 'UTC') CODEC(Delta(8), ZSTD(1));
ALTER TABLE dead_letters ADD COLUMN IF NOT EXISTS timestamp_source LowCardinality(String) DEFAULT 'received';
ALTER TABLE dead_letters ADD COLUMN IF NOT EXISTS kept LowCardinality(String) DEFAULT 'record';
ALTER TABLE dead_letters ADD COLUMN IF NOT EXISTS weight UInt64 DEFAULT 1 CODEC(ZSTD(1));
ALTER TABLE dead_letters ADD COLUMN IF NOT EXISTS last_offset UInt64 DEFAULT offset CODEC(Delta(8), ZSTD(1));
ALTER TABLE dead_letters ADD INDEX IF NOT EXISTS by_dead_letter_id dead_letter_id TYPE bloom_filter(0.01) GRANULARITY 1;
ALTER TABLE dead_letters MODIFY TTL toDateTime(recorded_at) + INTERVAL 30 DAY;

-- What became of a letter that was tried again; the newest attempt wins. A letter without a row waits.
CREATE TABLE dead_letter_replays
(
    tenant LowCardinality(String),
    dead_letter_id String,
    at DateTime64(6, 'UTC') DEFAULT now64(6),
    by String,
    outcome LowCardinality(String),
    reason LowCardinality(String),
    field String,
    message String CODEC(ZSTD(3)),
    stored UInt32,
    duplicates UInt32
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (tenant, dead_letter_id)
TTL toDateTime(at) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 10000;
