-- An event whose source's id another event had already, with other content: event_id is then a hash, and this the id that
-- the source gave. Both events stay (docs/adr/0009-identity-of-events.md).
ALTER TABLE events ADD COLUMN IF NOT EXISTS conflicting_event_id String DEFAULT '' CODEC(ZSTD(1)) AFTER event_id;

-- Where an event with an id is: the day and the actor that `events` is ordered by. Ordered by a hash of the id, of which 48
-- bits are kept: hashes in order take three bytes. copies says how often the event is stored: more than once is a fault.
-- arrived is the day, so that what came lately is found without looking at what came before.
DROP VIEW IF EXISTS event_ids_view;
DROP TABLE IF EXISTS event_ids;
CREATE TABLE event_ids
(
    tenant LowCardinality(String),
    id_hash UInt64 CODEC(Delta(8), ZSTD(1)),
    day Date CODEC(ZSTD(1)),
    actor LowCardinality(String),
    arrived Date CODEC(ZSTD(1)),
    copies Int32 CODEC(ZSTD(1))
)
ENGINE = SummingMergeTree(copies)
PARTITION BY arrived
ORDER BY (tenant, id_hash, day, actor)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 1024, min_compress_block_size = 8192;

CREATE MATERIALIZED VIEW event_ids_view TO event_ids AS
SELECT tenant, bitShiftRight(sipHash64(event_id), 16) AS id_hash, toDate(occurred_at) AS day, actor,
       toDate(recorded_at) AS arrived, sum(toInt32(sign)) AS copies
FROM events
GROUP BY tenant, id_hash, day, actor, arrived;

-- What is stored already. The view is there first, so that no event is missed that another process stores meanwhile; one
-- that comes in between is counted twice, so counts are verified with `events`.
INSERT INTO event_ids SELECT tenant, bitShiftRight(sipHash64(event_id), 16) AS id_hash, toDate(occurred_at) AS day, actor,
       toDate(recorded_at) AS arrived, sum(toInt32(sign)) AS copies
FROM events GROUP BY tenant, id_hash, day, actor, arrived HAVING copies != 0
SETTINGS max_bytes_before_external_group_by = 500000000, max_partitions_per_insert_block = 0, insert_deduplicate = 0,
         distributed_foreground_insert = 1;
