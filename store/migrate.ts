import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { GatewatchError } from '../core/errors.ts'
import { carryEvents, isCarried, isEmpty } from './carry-events.ts'
import type { Database } from './database.ts'
import { migrationFiles, statementsOf } from './migration-files.ts'
import { lengthenTokenWindows } from './token-windows.ts'

// How a migration is written: for one server, one statement after the other, each repeatable. On a cluster every statement
// goes through `clusterStatements` (store/cluster.ts), so it begins with CREATE TABLE, CREATE MATERIALIZED VIEW … TO, ALTER
// TABLE, DROP, TRUNCATE or INSERT, has `ENGINE = …MergeTree`, and names no cluster. What a view fills from `events` is spread
// over the shards as `events` is, without a word. A new table that writers spread (not a view) gets a line in `WRITTEN` there.

const ATTEMPTS = 5
const ATTEMPT_MS = 300

/**
 * Brings the store to the newest schema: numbered SQL files, forward only, each recorded with its hash. A file is a
 * list of statements; a crash between two of them is repaired by running the file again, so every file can be repeated
 * (every `CREATE` becomes `CREATE … IF NOT EXISTS`). Of several processes that start at once each tries again what
 * another was in the middle of.
 *
 * A store without events gets the partitions of today at the end. One with events is carried over by who knows that
 * nothing is under way: `carryEvents`.
 * @returns the names of the migrations that were applied now
 * @throws GatewatchError `store_rejected` when an applied file was changed since, or the store was made by a newer version
 */
export async function migrate(
  database: Database,
  note: (text: string) => void = () => {},
): Promise<string[]> {
  await database.command(
    'CREATE TABLE IF NOT EXISTS migrations (name String, hash String, applied_at DateTime DEFAULT now()) ENGINE = ReplacingMergeTree ORDER BY name',
  )
  const done = new Map(
    (await database.query<{ name: string; hash: string }>('SELECT name, hash FROM migrations')).map((row) => [
      row.name,
      row.hash,
    ]),
  )
  const files = await migrationFiles()
  const newer = [...done.keys()].filter((name) => !files.some((file) => file.name === name)).sort()
  if (newer.length > 0) {
    throw new GatewatchError(
      'store_rejected',
      `The store has migrations that this version does not know: ${newer.join(', ')}.`,
      {
        remedy:
          'Start the version that made it, or a newer one; or restore a copy from before (docs/upgrading.md).',
      },
    )
  }
  const applied: string[] = []
  for (const { name, sql } of files) {
    const hash = createHash('sha256').update(sql).digest('hex')
    const known = done.get(name)
    if (known === hash) continue
    if (known !== undefined) {
      throw new GatewatchError('store_rejected', `The migration ${name} was changed after it was applied.`, {
        remedy: 'Undo the change and add a new numbered file.',
      })
    }
    if (await apply(database, { name, hash, statements: statementsOf(sql) })) applied.push(name)
  }
  if (!(await isCarried(database)) && (await isEmpty(database))) await carryEvents(database, note)
  await lengthenTokenWindows(database)
  return applied
}

interface Migration {
  readonly name: string
  readonly hash: string
  readonly statements: readonly string[]
}

/** Whether it was applied here, and not by another process meanwhile. */
async function apply(database: Database, { name, hash, statements }: Migration): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    const [others] = await database.query('SELECT 1 FROM migrations WHERE name = {name:String}', { name })
    if (others !== undefined) return false
    try {
      for (const statement of statements) await database.command(statement)
      break
    } catch (error) {
      if (attempt === ATTEMPTS) throw error
      await sleep(ATTEMPT_MS * (1 + Math.random()))
    }
  }
  await database.command('INSERT INTO migrations (name, hash) VALUES ({name:String}, {hash:String})', {
    name,
    hash,
  })
  return true
}
