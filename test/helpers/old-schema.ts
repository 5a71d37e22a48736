import { createHash } from 'node:crypto'
import type { Database } from '../../store/database.ts'
import { migrationFiles, statementsOf } from '../../store/migration-files.ts'

/** Brings an empty store to the schema that it had after the migration `last`, as `migrate` did then. */
export async function migrateThrough(database: Database, last: string): Promise<void> {
  await database.command(
    'CREATE TABLE migrations (name String, hash String, applied_at DateTime DEFAULT now()) ENGINE = ReplacingMergeTree ORDER BY name',
  )
  for (const { name, sql } of await migrationFiles()) {
    if (name > last) break
    for (const statement of statementsOf(sql)) await database.command(statement)
    await database.command('INSERT INTO migrations (name, hash) VALUES ({name:String}, {hash:String})', {
      name,
      hash: createHash('sha256').update(sql).digest('hex'),
    })
  }
}
