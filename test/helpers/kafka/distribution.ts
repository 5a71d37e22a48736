import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe } from 'vitest'

const run = promisify(execFile)
const HERE = fileURLToPath(new URL('./', import.meta.url))
const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url))
const VERSION = '4.1.0'

const NEEDED = { java: 'Java 17', javac: 'a JDK (javac)', mvn: 'Maven', openssl: 'openssl' } as const

function missing(): string[] {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const found = (program: string) =>
    folders.some((folder) => {
      try {
        accessSync(join(folder, program), constants.X_OK)
        return true
      } catch {
        return false
      }
    })
  return Object.entries(NEEDED)
    .filter(([program]) => !found(program))
    .map(([, name]) => name)
}

/**
 * Whether a Kafka broker can run here. In CI the answer is yes, and what is missing then fails the suite: a suite
 * that CI can run is never skipped there.
 */
export function kafkaAvailable(): boolean {
  return process.env['CI'] === 'true' || missing().length === 0
}

/**
 * A suite that needs a real broker. Where none can run, the suite is shown as skipped, on one line that says what
 * is missing. The only place in the tests that may skip anything.
 */
export function describeKafka(name: string, body: () => void): void {
  const absent = missing()
  if (kafkaAvailable()) describe(name, body)
  else describe.skip(`${name} (skipped: no Kafka without ${absent.join(', ')})`, body)
}

const PROGRAMS = ['Produce', 'Transact']

/**
 * Kafka’s jars and our small programs over its Java client, fetched through Maven once and kept in `$GATEWATCH_CACHE` or `.cache/`.
 * @returns the class path
 */
export async function kafkaClassPath(): Promise<string> {
  const cache = process.env['GATEWATCH_CACHE'] ?? join(REPOSITORY, '.cache')
  const folder = join(cache, `kafka-${VERSION}`)
  const present = async (file: string) =>
    access(join(folder, file)).then(
      () => true,
      () => false,
    )
  if (!(await present('Produce.class'))) await build(cache, folder)
  // A cache from before the other programs were written has only its jars and the first.
  for (const program of PROGRAMS) if (!(await present(`${program}.class`))) await compile(program, folder)
  return `${folder}/*${delimiter}${folder}`
}

const compile = (program: string, folder: string) =>
  run('javac', ['-cp', `${folder}/*`, '-d', folder, join(HERE, `${program}.java`)])

// Into a folder of its own and then renamed: two test processes may come here at once.
async function build(cache: string, folder: string): Promise<void> {
  const absent = missing()
  if (absent.length > 0) throw new Error(`No Kafka without ${absent.join(', ')}.`)
  await mkdir(cache, { recursive: true })
  const fresh = await mkdtemp(join(cache, 'kafka-new-'))
  try {
    await run('mvn', [
      '-q',
      '-B',
      '-f',
      join(HERE, 'pom.xml'),
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${fresh}`,
    ])
    for (const program of PROGRAMS) await compile(program, fresh)
    await rename(fresh, folder)
  } catch (error) {
    await rm(fresh, { recursive: true, force: true })
    const lost = ['EEXIST', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')
    if (!lost) throw error
  }
}
