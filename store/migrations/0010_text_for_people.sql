-- Values that every person, key or machine has of its own, as plain text: beyond some 8,000 of them in a part a dictionary
-- costs more than it saves, in room and in time. Measured: docs/adr/0010-parties-outcomes-and-types.md.
ALTER TABLE events MODIFY COLUMN user_id String CODEC(ZSTD(1));
ALTER TABLE events MODIFY COLUMN user_email String CODEC(ZSTD(1));
ALTER TABLE events MODIFY COLUMN credential_id String CODEC(ZSTD(1));
ALTER TABLE events MODIFY COLUMN client_address String CODEC(ZSTD(1));
