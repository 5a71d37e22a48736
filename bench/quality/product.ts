import { spawn } from 'node:child_process'
import { createWriteStream, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../../bin/gatewatch.cjs', import.meta.url))

/** A would-be alert as `gatewatch backtest --alerts --json` prints it. */
export interface PrintedAlert {
  readonly alert_id: string
  readonly score: number
  readonly severity: string
  readonly actor: string
  readonly entities: readonly string[]
  readonly window: { readonly start: string; readonly end: string }
  readonly told_at: string
  readonly event_ids: readonly string[]
}

/**
 * Runs a program to its end and gives its standard output.
 * @param outFile where the output goes instead, if given
 * @throws Error with the last lines of its standard error when it fails
 */
export function run(command: string, args: readonly string[], outFile?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    let errors = ''
    if (outFile === undefined) child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
    else child.stdout.pipe(createWriteStream(outFile))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-4000)
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(out)
      else reject(new Error(`${command} ${args.slice(0, 2).join(' ')} ended with ${code}:\n${errors}`))
    })
  })
}

/** The product as a user has it: events through `ingest` into a store of its own, then alerts through `backtest --alerts`. */
export async function alertsOf(
  folder: string,
  files: readonly string[],
  range: { readonly from: string; readonly to: string },
  progress: (line: string) => void,
): Promise<PrintedAlert[]> {
  mkdirSync(folder, { recursive: true })
  const data = join(folder, 'data')
  for (const file of files) {
    const startedMs = performance.now()
    await run(process.execPath, [PROGRAM, 'ingest', file, '--format', 'auto', '--data', data, '--json'])
    progress(`ingested ${file} in ${seconds(startedMs)} s`)
  }
  const startedMs = performance.now()
  const printed = await run(process.execPath, [
    ...[PROGRAM, 'backtest', '--alerts', '--json', '--data', data],
    ...['--from', range.from, '--to', range.to],
  ])
  const alerts = printed
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as PrintedAlert)
  progress(`${alerts.length} alerts in ${seconds(startedMs)} s`)
  return alerts
}

const seconds = (startedMs: number): number => Math.round((performance.now() - startedMs) / 1000)
