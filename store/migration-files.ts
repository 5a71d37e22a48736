import { readdir, readFile } from 'node:fs/promises'

const FOLDER = new URL('./migrations/', import.meta.url)

/** The migration files, in the order in which they are applied. */
export async function migrationFiles(): Promise<{ readonly name: string; readonly sql: string }[]> {
  const names = (await readdir(FOLDER)).filter((file) => file.endsWith('.sql')).sort()
  return Promise.all(
    names.map(async (name) => ({ name, sql: await readFile(new URL(name, FOLDER), 'utf8') })),
  )
}

/** The statements of all migrations, in order. */
export async function migrationStatements(): Promise<string[]> {
  return (await migrationFiles()).flatMap(({ sql }) => statementsOf(sql))
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
