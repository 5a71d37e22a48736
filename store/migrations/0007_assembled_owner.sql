-- Whose plan of a tick was stored first: the token of the insert lets only one in, and says nothing to the other.
ALTER TABLE assembled ADD COLUMN IF NOT EXISTS owner LowCardinality(String);
