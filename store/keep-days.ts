import type { Database } from './database.ts'

/**
 * Rows of these tables are kept for so many days after the time in their column, then removed. Only a change of the number
 * is a statement that changes something.
 * @param columns of each table the column that counts: `{ dead_letters: 'recorded_at' }`
 */
export async function keepDays(
  database: Database,
  columns: Readonly<Record<string, string>>,
  days: number,
): Promise<void> {
  // A number, so it may stand in the statement: a TTL takes no parameters.
  const interval = `toIntervalDay(${Math.max(1, Math.trunc(days))})`
  const tables = await database.query<{ name: string; create_table_query: string }>(
    `SELECT name, create_table_query FROM system.tables
     WHERE database = currentDatabase() AND name IN {names:Array(String)}`,
    { names: Object.keys(columns) },
  )
  for (const { name, create_table_query: query } of tables) {
    if (query.includes(`${interval} `) || query.endsWith(interval)) continue
    await database.command(`ALTER TABLE ${name} MODIFY TTL toDateTime(${columns[name]}) + ${interval}`)
  }
}
