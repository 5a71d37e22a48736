-- What the assembler has made of the calls that are reported in parts: for each join key the events that are in
-- `events` now (after) and those that the same tick replaced (before), each as its version, a space, and its row. A
-- row is written before the events are, so that whatever crashes in between, the same corrections are inserted again.
CREATE TABLE assembled
(
    tenant LowCardinality(String),
    join_key String CODEC(ZSTD(1)),
    tick UInt64,
    before Array(String) CODEC(ZSTD(3)),
    after Array(String) CODEC(ZSTD(3)),
    INDEX by_tick tick TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(tick)
ORDER BY (tenant, join_key)
SETTINGS non_replicated_deduplication_window = 10000;
