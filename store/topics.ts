import type { Database } from './database.ts'

/** Every topic that a tenant has events, or dead letters, of. */
export async function listTopics(database: Pick<Database, 'query'>, tenant: string): Promise<string[]> {
  const found = await database.query<{ topic: string }>(
    `SELECT DISTINCT topic FROM (
       SELECT topic FROM events WHERE tenant = {tenant:String} GROUP BY topic
       UNION ALL SELECT topic FROM dead_letters WHERE tenant = {tenant:String} GROUP BY topic)
     ORDER BY topic`,
    { tenant },
  )
  return found.map(({ topic }) => topic)
}
