-- A first use that a correction took away (another actor, another tool, another time) must not stay the first. first_seen is
-- a minimum and cannot be taken back, so the rollup keeps beside it the earliest use that vanished: where that is not later
-- than first_seen, a reader asks the events (detectors/new-value/first-uses.ts). A version that was replaced by one of the
-- same pair and time in the same block has not vanished. 2200 stands for never: a minimum over nothing would be 1970,
-- as it is in rows of before, which readers take for unsure too.
ALTER TABLE tools_by_actor ADD COLUMN IF NOT EXISTS vanished_first SimpleAggregateFunction(min, DateTime64(6, 'UTC')) DEFAULT toDateTime64('2200-01-01 00:00:00', 6, 'UTC');

DROP VIEW IF EXISTS tools_by_actor_view;

CREATE MATERIALIZED VIEW tools_by_actor_view TO tools_by_actor AS
SELECT tenant, actor, mcp_server_name, gen_ai_tool_name,
       min(if(sign = 1, occurred_at, toDateTime64('2200-01-01 00:00:00', 6, 'UTC'))) AS first_seen,
       maxIf(occurred_at, sign = 1) AS last_seen, sum(toInt64(sign)) AS calls,
       arrayMin(arrayPushBack(
           arrayFilter(time -> NOT has(groupUniqArrayIf(occurred_at, sign = 1 AND version > 0), time), groupUniqArrayIf(occurred_at, sign = -1)),
           toDateTime64('2200-01-01 00:00:00', 6, 'UTC'))) AS vanished_first
FROM events
WHERE gen_ai_tool_name != ''
GROUP BY tenant, actor, mcp_server_name, gen_ai_tool_name
HAVING countIf(sign = 1) > 0 OR calls != 0;
