import { execFile } from 'node:child_process'
import { hash } from 'node:crypto'
import { accessSync, constants, existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe } from 'vitest'
import { makeClassArchive } from './class-archive.ts'
import { JVM } from './java.ts'

const run = promisify(execFile)
const HERE = fileURLToPath(new URL('./', import.meta.url))
const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url))

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

const PROGRAMS = ['Produce', 'Transact'].map((name) => join(HERE, `${name}.java`))

/**
 * Kafka’s jars, fetched through Maven once, our small programs over its Java client, compiled once for what they are
 * now, and an archive of the classes of a broker, made once for this JVM; all are kept in `$GATEWATCH_CACHE` or `.cache/`.
 * @returns what `java` is given before the name of a class
 */
export async function kafkaJava(): Promise<readonly string[]> {
  const cache = process.env['GATEWATCH_CACHE'] ?? join(REPOSITORY, '.cache')
  const pom = await readFile(join(HERE, 'pom.xml'), 'utf8')
  const jars = join(cache, `kafka-${hash('sha256', pom).slice(0, 16)}`)
  await makeOnce(jars, async (fresh) => {
    const target = ['-DincludeScope=runtime', `-DoutputDirectory=${fresh}`]
    await run('mvn', ['-q', '-B', '-f', join(HERE, 'pom.xml'), 'dependency:copy-dependencies', ...target])
  })
  const sources = await Promise.all(PROGRAMS.map((path) => readFile(path, 'utf8')))
  const programs = join(cache, `kafka-programs-${hash('sha256', sources.join()).slice(0, 16)}`)
  await makeOnce(programs, async (fresh) => {
    await run('javac', ['-cp', `${jars}/*`, '-d', fresh, ...PROGRAMS])
  })
  // An archive is for the jars in their order.
  const path = (await readdir(jars))
    .filter((name) => name.endsWith('.jar'))
    .sort()
    .map((name) => join(jars, name))
    .join(delimiter)
  const { stderr: version } = await run('java', ['-version'])
  const classes = join(cache, `kafka-classes-${hash('sha256', version + path).slice(0, 16)}`)
  await makeOnce(classes, (fresh) => makeClassArchive(path, join(fresh, 'classes.jsa')))
  // Where the archive does not fit, the JVM does without and would say so on stdout.
  const shared = [`-XX:SharedArchiveFile=${join(classes, 'classes.jsa')}`, '-Xlog:disable']
  return [...JVM, ...shared, '-cp', `${path}${delimiter}${programs}`]
}

// Into a folder of its own and then renamed: several test processes may come here at once.
async function makeOnce(folder: string, make: (fresh: string) => Promise<void>): Promise<void> {
  if (existsSync(folder)) return
  const absent = missing()
  if (absent.length > 0) throw new Error(`No Kafka without ${absent.join(', ')}.`)
  await mkdir(dirname(folder), { recursive: true })
  const fresh = await mkdtemp(`${folder}-new-`)
  try {
    await make(fresh)
    await rename(fresh, folder)
  } catch (error) {
    await rm(fresh, { recursive: true, force: true })
    const lost = ['EEXIST', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')
    if (!lost) throw error
  }
}
