-- How many insert tokens each table remembers. A writer that was suspended (a paused machine, a zombie after a rebalance)
-- repeats its last insert when it goes on, and the table must still know the token by then: 10,000 were two minutes
-- when a hundred Kafka partitions write a block a second. All tables of one token have the same window, or a block that
-- the one knows and the other has forgotten is stored in the other again. A token costs some 60 bytes on disk.
ALTER TABLE events MODIFY SETTING non_replicated_deduplication_window = 100000;
ALTER TABLE event_parts MODIFY SETTING non_replicated_deduplication_window = 100000;
ALTER TABLE dead_letters MODIFY SETTING non_replicated_deduplication_window = 100000;
ALTER TABLE tool_definitions MODIFY SETTING non_replicated_deduplication_window = 100000;
ALTER TABLE arrivals MODIFY SETTING non_replicated_deduplication_window = 100000;
ALTER TABLE calls_by_actor MODIFY SETTING non_replicated_deduplication_window = 100000;
ALTER TABLE calls_by_tool MODIFY SETTING non_replicated_deduplication_window = 100000;
ALTER TABLE tools_by_actor MODIFY SETTING non_replicated_deduplication_window = 100000;
ALTER TABLE assembled_calls MODIFY SETTING non_replicated_deduplication_window = 100000;
