import { join } from 'node:path'
import { openEmbedded, openServer } from '../../store/clickhouse.ts'
import type { Database } from '../../store/database.ts'
import { migrate } from '../../store/migrate.ts'
import type { Config } from '../config/config.ts'

/** Opens the store that the configuration names and brings it to the newest schema. */
export async function openStore(
  config: Pick<Config, 'clickhouse' | 'data'>,
  note: (text: string) => void,
): Promise<Database> {
  const database = config.clickhouse
    ? await openServer(config.clickhouse)
    : await openEmbedded({ path: join(config.data, 'store') })
  try {
    const applied = await migrate(database)
    if (applied.length > 0) note(`store: applied ${applied.join(', ')}`)
    return database
  } catch (error) {
    await database.close()
    throw error
  }
}
