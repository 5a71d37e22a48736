-- What detection asks of arguments and results whose contents are not kept: keyed hashes of their values
-- (ingest/fingerprints.ts), and shapes that attacks need (ingest/argument-flags.ts).
ALTER TABLE events ADD COLUMN IF NOT EXISTS argument_fingerprints Array(String) CODEC(ZSTD(1)) AFTER destination;
ALTER TABLE events ADD COLUMN IF NOT EXISTS result_fingerprints Array(String) CODEC(ZSTD(1)) AFTER argument_fingerprints;
ALTER TABLE events ADD COLUMN IF NOT EXISTS argument_flags Array(LowCardinality(String)) AFTER result_fingerprints;
