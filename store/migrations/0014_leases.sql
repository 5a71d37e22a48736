-- Who may do what only one process may do: see store/leases.ts and docs/adr/0013-several-detect-processes.md.

-- The newest epoch of a name counts. The token of an insert is name and epoch, so of two that take one epoch the
-- table keeps the first.
CREATE TABLE leases
(
    name String,
    epoch UInt64,
    -- Empty: given up by the owner before, free at once.
    owner String,
    -- Who must have stopped before this owner may begin; empty: nobody.
    taken_from String,
    taken_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(epoch)
ORDER BY name
SETTINGS non_replicated_deduplication_window = 10000;

-- A line each beat of a process; only the newest is of interest. Without a memory of tokens: beats are many, and the
-- same again harms nothing.
CREATE TABLE lease_members
(
    member String,
    beat UInt64,
    -- What kinds of leases it would take.
    groups Array(String),
    at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(beat)
ORDER BY member
TTL toDateTime(at) + INTERVAL 1 DAY;
