import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { PATIENCE_MS } from '../helpers/patience.ts'

const BIN = fileURLToPath(new URL('../../bin/gatewatch.cjs', import.meta.url))
const KEPT_LOG = 20_000

/** gatewatch as people start it, in a process that may be ended at any moment, also while it starts. */
export interface Member {
  readonly data: string
  /** Its address, as soon as it says it; `undefined` when it ended before. */
  readonly url: Promise<string | undefined>
  alive(): boolean
  /** The end of what it said on stderr. */
  log(): string
  /** @returns when it is gone */
  kill(signal?: NodeJS.Signals): Promise<void>
  stop(): void
  resume(): void
  /** Sends lines to its HTTP intake, as history that baselines learn from or as calls of now. @returns whether they were accepted */
  send(lines: readonly string[], as?: 'history'): Promise<boolean>
}

// No member outlives the suite, however that ends.
const living = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

/** @param args options of `gatewatch up`; `--data`, `--port 0` and `--json` are added */
export async function startMember(data: string, args: readonly string[]): Promise<Member> {
  await mkdir(data, { recursive: true })
  const child: ChildProcess = spawn(
    process.execPath,
    [BIN, 'up', ...args, '--data', data, '--port', '0', '--json'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let [answer, said] = ['', '']
  child.stdout?.on('data', (chunk: Buffer) => {
    answer += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-KEPT_LOG)
  })
  living.add(child)
  const gone = once(child, 'exit').then(() => living.delete(child))
  const alive = () => child.exitCode === null && child.signalCode === null
  const findUrl = async () => {
    for (
      const deadline = performance.now() + PATIENCE_MS;
      alive() && performance.now() < deadline;
      await sleep(20)
    ) {
      const line = answer.split('\n').find((text) => text.startsWith('{') && text.endsWith('}'))
      if (line !== undefined) return (JSON.parse(line) as { url: string }).url
    }
    return undefined
  }
  const url = findUrl()
  const key = async () => (await readFile(join(data, 'credentials', 'api-key'), 'utf8')).trim()
  return {
    data,
    url,
    alive,
    log: () => said,
    kill: async (signal = 'SIGKILL') => {
      if (alive()) child.kill(signal)
      await gone
    },
    stop: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    send: async (lines, as) => {
      try {
        const reply = await fetch(new URL('/v1/events', (await url) ?? 'http://127.0.0.1:9'), {
          method: 'POST',
          body: lines.join('\n'),
          headers: {
            authorization: `Bearer ${await key()}`,
            'content-type': 'application/x-ndjson',
            ...(as === 'history' ? { 'x-gatewatch-history': 'true' } : {}),
          },
          signal: AbortSignal.timeout(20_000),
        })
        await reply.arrayBuffer()
        return reply.status === 202
      } catch {
        return false
      }
    },
  }
}
