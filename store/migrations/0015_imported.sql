-- Whether the import that brought a call said that it is history. What is found by such calls alone tells nobody.
ALTER TABLE events ADD COLUMN IF NOT EXISTS imported Nullable(Bool) CODEC(ZSTD(1)) AFTER record_index;
