import { columnOf, type EventField } from '../../core/audit-event.ts'
import type { Database } from '../../store/database.ts'

const FIELDS = [
  'event_id',
  'user.email',
  'gen_ai.agent.name',
  'mcp.client.name',
  'client.address',
  'gateway.id',
  'mcp.server.name',
  'mcp.method.name',
  'gen_ai.tool.name',
  'gen_ai.tool.call.arguments',
  'outcome',
  'mcp.session.id',
] as const satisfies readonly EventField[]

/**
 * The peer: ClickHouse’s own Kafka engine, reading the same topic into the same table with the same views behind it.
 * It derives what SQL can derive cheaply (actor, coordinates), and neither validates nor redacts.
 */
export async function startEngine(
  database: Database,
  brokers: string,
  topic: string,
  group: string,
): Promise<void> {
  const columns = FIELDS.map((field) => `\`${field}\` String`).join(', ')
  await database.command(
    `CREATE TABLE kafka_in (occurred_at String, ${columns}, duration_ms Float64, response_bytes UInt64)
     ENGINE = Kafka SETTINGS kafka_broker_list = '${brokers}', kafka_topic_list = '${topic}', kafka_group_name = '${group}',
     kafka_format = 'JSONEachRow', kafka_num_consumers = 2, kafka_thread_per_consumer = 1`,
  )
  const targets = FIELDS.map((field) => `\`${field}\` AS ${columnOf(field)}`).join(', ')
  await database.command(
    `CREATE MATERIALIZED VIEW kafka_in_view TO events AS
     SELECT ${targets}, parseDateTime64BestEffort(occurred_at, 6, 'UTC') AS occurred_at, duration_ms, response_bytes, 'event' AS timestamp_source, 'native' AS source_format,
            'default' AS tenant, _topic AS topic, _partition AS partition, _offset AS offset, \`user.email\` AS actor,
            'unknown' AS capability, 'none' AS sensitivity
     FROM kafka_in`,
  )
}
