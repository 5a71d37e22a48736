-- Parts of calls, and what was made of them, are kept for as long as another part may still come. Without an end both
-- would grow as fast as the events, and with them the time to look a key up.
ALTER TABLE event_parts MODIFY COLUMN body String CODEC(ZSTD(1));
ALTER TABLE event_parts MODIFY TTL toDateTime(recorded_at) + toIntervalDay(30);

-- What the assembler has made of a join key: the events that are in `events` now (after) and those that the same tick
-- replaced (before), each as its version, a space, and its JSON — rows by position, as `assembled` had them, would be
-- shifted by every new column of `events` —, and the marks of its parts: when one is missing, it has ended. A row is
-- written before the events are, so that whatever crashes in between, the same corrections are inserted again. owner:
-- whose plan of the tick was first; the token of the insert lets only one in, and says nothing to the other.
CREATE TABLE assembled_calls
(
    tenant LowCardinality(String),
    join_key String CODEC(ZSTD(1)),
    tick UInt64,
    recorded_at DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1)),
    parts Array(String) CODEC(ZSTD(1)),
    before Array(String) CODEC(ZSTD(1)),
    after Array(String) CODEC(ZSTD(1)),
    owner LowCardinality(String),
    INDEX by_tick tick TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(tick)
ORDER BY (tenant, join_key)
TTL recorded_at + toIntervalDay(30)
SETTINGS non_replicated_deduplication_window = 10000;

DROP TABLE IF EXISTS assembled;
