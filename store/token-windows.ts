import type { Database } from './database.ts'

/**
 * How many insert tokens a table remembers, on one server (a cluster has its own measure, `store/cluster.ts`). A writer
 * that was suspended (a paused machine, a zombie after a rebalance) repeats its last insert when it goes on, and the
 * table must still know the token by then: 10,000 are two minutes when a hundred Kafka partitions write a block a
 * second. A token costs some 60 bytes on disk.
 */
export const REMEMBERED_TOKENS = 100_000

/**
 * Has every table remember as many tokens, whatever migration made it. A view's table that forgets a token sooner than
 * the table it is made from would have the repeated block a second time.
 */
export async function lengthenTokenWindows(database: Database): Promise<void> {
  const tables = await database.query<{ name: string }>(
    `SELECT name FROM system.tables
     WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND NOT startsWith(engine, 'Replicated')
       AND toUInt64OrZero(extract(engine_full, 'non_replicated_deduplication_window = ([0-9]+)'))
           BETWEEN 1 AND {remembered:UInt64} - 1
     ORDER BY name`,
    { remembered: REMEMBERED_TOKENS },
  )
  for (const { name } of tables) {
    await database.command(
      `ALTER TABLE ${name} MODIFY SETTING non_replicated_deduplication_window = ${REMEMBERED_TOKENS}`,
    )
  }
}
