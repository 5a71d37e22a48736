-- What servers said about their tools, as records showed it: one row for each definition that a tool has had, with the
-- time it was first and last seen. The same sighting again changes nothing. source_format is part of the key, because
-- formats tell different parts of a definition (some only the name), and only like is compared with like.
CREATE TABLE tool_definitions
(
    tenant LowCardinality(String),
    mcp_server_name LowCardinality(String),
    gen_ai_tool_name String,
    source_format LowCardinality(String),
    definition_hash String,
    first_seen SimpleAggregateFunction(min, DateTime64(6, 'UTC')),
    last_seen SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    -- Hash of each field, so that a change can be named although long texts are cut.
    field_hashes SimpleAggregateFunction(anyLast, String),
    -- JSON, redacted.
    definition SimpleAggregateFunction(anyLast, String) CODEC(ZSTD(3))
)
ENGINE = AggregatingMergeTree
ORDER BY (tenant, mcp_server_name, gen_ai_tool_name, source_format, definition_hash)
SETTINGS non_replicated_deduplication_window = 10000;
