import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Short-lived processes on few cores: the small compiler and collector start faster than the defaults. */
export const JVM = [
  '-Xmx512m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
]

/** Runs a Java program to its end. @throws what it wrote to stderr, when it fails */
export async function runJava(args: readonly string[]): Promise<void> {
  await run('java', [...JVM, ...args])
}
