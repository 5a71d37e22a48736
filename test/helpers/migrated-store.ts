import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openEmbedded } from '../../store/clickhouse.ts'
import type { Database } from '../../store/database.ts'

const run = promisify(execFile)
const STORE = fileURLToPath(new URL('../../store/', import.meta.url))
const MODULES = fileURLToPath(new URL('../../node_modules/', import.meta.url))
const MAKER = fileURLToPath(new URL('./clickhouse/make-migrated-store.ts', import.meta.url))

/**
 * Opens a store of a test’s own, with today’s schema. Migrating takes some 170 statements and two seconds of a
 * processor, so one store is migrated by `migrate` for all tests, and copied.
 * @param path its folder; one that holds a store already is opened as it is
 */
export async function openMigratedStore(path: string): Promise<Database> {
  await copyMigratedStore(path)
  return openEmbedded({ path })
}

/** Puts a store with today’s schema and nothing in it into a folder, unless a store is there already. */
export async function copyMigratedStore(path: string): Promise<void> {
  const whole = join(path, 'metadata')
  if (existsSync(whole)) return
  const made = await migratedStore()
  // Links within a store are relative and stay so.
  const options = { recursive: true, verbatimSymlinks: true }
  // What says that a store is there comes last and at once: who is killed in between leaves none.
  await cp(made, path, { ...options, filter: (from) => from !== join(made, 'metadata') })
  const last = `${whole}-${crypto.randomUUID()}`
  await cp(join(made, 'metadata'), last, options)
  await rename(last, whole)
}

/**
 * As `copyMigratedStore`, for the data folder of a gatewatch that holds its store itself. Its start then takes seconds
 * less; a test about the first start does without.
 * @returns the data folder
 */
export async function migratedData(data: string): Promise<string> {
  await mkdir(data, { recursive: true, mode: 0o700 })
  await copyMigratedStore(join(data, 'store'))
  return data
}

let made: Promise<string> | undefined

function migratedStore(): Promise<string> {
  made ??= makeOnce()
  return made
}

/** Made once for the code of `store/` and the engine that there are. */
async function makeOnce(): Promise<string> {
  const hash = createHash('sha256').update(await readFile(join(MODULES, 'chdb', 'package.json')))
  const files = (await readdir(STORE, { recursive: true })).filter((file) => /\.(?:ts|sql)$/.test(file))
  for (const file of files.sort()) hash.update(file).update(await readFile(join(STORE, file)))
  const folder = join(MODULES, '.cache', `migrated-store-${hash.digest('hex').slice(0, 16)}`)
  if (existsSync(folder)) return folder
  await mkdir(dirname(folder), { recursive: true })
  const fresh = await mkdtemp(`${folder}-`)
  await run(process.execPath, [MAKER, join(fresh, 'store')])
  try {
    await rename(join(fresh, 'store'), folder)
  } catch (error) {
    // Another test was faster.
    if (!existsSync(folder)) throw error
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
  return folder
}
