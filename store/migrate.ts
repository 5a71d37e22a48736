import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { GatewatchError } from '../core/errors.ts'
import type { Database } from './database.ts'

const FOLDER = new URL('./migrations/', import.meta.url)

/**
 * Brings the store to the newest schema: numbered SQL files, forward only, each recorded with its hash. A file is a
 * list of statements; a crash between two of them is repaired by running the file again, because every `CREATE`
 * becomes `CREATE … IF NOT EXISTS`.
 * @returns the names of the migrations that were applied now
 * @throws GatewatchError `store_rejected` when an applied file was changed since
 */
export async function migrate(database: Database): Promise<string[]> {
  await database.command(
    'CREATE TABLE IF NOT EXISTS migrations (name String, hash String, applied_at DateTime DEFAULT now()) ENGINE = ReplacingMergeTree ORDER BY name',
  )
  const done = new Map(
    (await database.query<{ name: string; hash: string }>('SELECT name, hash FROM migrations')).map((row) => [
      row.name,
      row.hash,
    ]),
  )
  const applied: string[] = []
  for (const name of (await readdir(FOLDER)).filter((file) => file.endsWith('.sql')).sort()) {
    const sql = await readFile(new URL(name, FOLDER), 'utf8')
    const hash = createHash('sha256').update(sql).digest('hex')
    const known = done.get(name)
    if (known === hash) continue
    if (known !== undefined) {
      throw new GatewatchError('store_rejected', `The migration ${name} was changed after it was applied.`, {
        remedy: 'Undo the change and add a new numbered file.',
      })
    }
    for (const statement of statementsOf(sql)) await database.command(statement)
    await database.command('INSERT INTO migrations (name, hash) VALUES ({name:String}, {hash:String})', {
      name,
      hash,
    })
    applied.push(name)
  }
  return applied
}

/** The statements of a migration file, comments removed, `CREATE`s made repeatable. */
export function statementsOf(sql: string): string[] {
  return sql
    .replace(/^\s*--.*$/gm, '')
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
    .map((statement) =>
      statement.replace(
        /^CREATE (TABLE|MATERIALIZED VIEW|VIEW) (?!IF NOT EXISTS)/,
        'CREATE $1 IF NOT EXISTS ',
      ),
    )
}
