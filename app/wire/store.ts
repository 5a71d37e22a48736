import { join } from 'node:path'
import { GatewatchError } from '../../core/errors.ts'
import { openEmbedded, openServer } from '../../store/clickhouse.ts'
import type { Database } from '../../store/database.ts'
import { migrate } from '../../store/migrate.ts'
import type { Config } from '../config/config.ts'

/**
 * Opens the store that the configuration names and brings it to the newest schema.
 * @throws GatewatchError with the setting, when the folder cannot be made or the server does not answer
 */
export async function openStore(
  config: Pick<Config, 'clickhouse' | 'data'>,
  note: (text: string) => void,
): Promise<Database> {
  const database = config.clickhouse
    ? await openServer(config.clickhouse).catch((error: unknown) => {
        throw unreachable(error)
      })
    : await openEmbedded({ path: join(config.data, 'store') })
  try {
    const applied = await migrate(database, note)
    if (applied.length > 0) note(`store: applied ${applied.join(', ')}`)
    return database
  } catch (error) {
    await database.close()
    throw config.clickhouse ? unreachable(error) : error
  }
}

// The address may hold a password and is not shown.
function unreachable(error: unknown): unknown {
  if (!(error instanceof GatewatchError) || error.code !== 'store_unavailable') return error
  return new GatewatchError(
    'store_unavailable',
    `The ClickHouse server does not answer: ${error.message.replace(/\.$/, '')}.`,
    {
      cause: error,
      field: 'clickhouse.url',
      remedy: 'Check the address, and that the server runs; then start again.',
    },
  )
}
