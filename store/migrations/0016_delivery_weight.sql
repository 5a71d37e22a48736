-- What decides which delivery goes out first, and with whom it takes turns: core/delivery.ts, DeliveryWeight. What was written
-- before says it in its body; the source is not known. What waits in the outbox meanwhile counts as high.
ALTER TABLE delivery_versions
    ADD COLUMN IF NOT EXISTS severity LowCardinality(String) DEFAULT JSONExtractString(body, 'alert', 'severity'),
    ADD COLUMN IF NOT EXISTS score Float64 DEFAULT JSONExtractFloat(body, 'finding', 'score'),
    ADD COLUMN IF NOT EXISTS source LowCardinality(String) DEFAULT '',
    ADD COLUMN IF NOT EXISTS party String DEFAULT if(JSONExtractString(body, 'alert', 'actor') != '',
        JSONExtractString(body, 'alert', 'actor'),
        concat(JSONExtractString(body, 'alert', 'entity', 'type'), ' ', JSONExtractString(body, 'alert', 'entity', 'id')));

ALTER TABLE outbox
    ADD COLUMN IF NOT EXISTS notice LowCardinality(String) DEFAULT 'opened',
    ADD COLUMN IF NOT EXISTS severity LowCardinality(String) DEFAULT 'high',
    ADD COLUMN IF NOT EXISTS score Float64 DEFAULT 0,
    ADD COLUMN IF NOT EXISTS source LowCardinality(String) DEFAULT '',
    ADD COLUMN IF NOT EXISTS party String DEFAULT alert_id;
