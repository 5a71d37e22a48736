import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { migratedData } from './migrated-store.ts'
import { PATIENCE_MS } from './patience.ts'

const BIN = fileURLToPath(new URL('../../bin/gatewatch.cjs', import.meta.url))

/** gatewatch as people start it: a process of its own on a free port. */
export interface GatewatchProcess {
  readonly pid: number
  readonly url: string
  /** Absent without the role `api`. */
  readonly loginUrl: string | undefined
  readonly data: string
  /** What it said on stderr so far. */
  log(): string
  get<Answer>(path: string): Promise<Answer>
  post(path: string, body: string | Uint8Array, headers?: Readonly<Record<string, string>>): Promise<Response>
  kill(signal: NodeJS.Signals): Promise<void>
  /** Ends it as Ctrl-C does, and removes the data folder unless it was given. */
  stop(): Promise<void>
}

/** @param options.args command and options; `--data`, `--port 0` and `--json` are added */
export async function startProcess(options: {
  readonly args: readonly string[]
  readonly data?: string
  /** Where its configuration says that the credentials are. */
  readonly credentials?: string
  /** Beside what this process has. */
  readonly env?: NodeJS.ProcessEnv
  /** That it makes its store from nothing, or has it elsewhere; else a folder without one is given one. */
  readonly firstStart?: boolean
}): Promise<GatewatchProcess> {
  const data = options.data ?? join(await mkdtemp(join(tmpdir(), 'gatewatch-process-')), 'data')
  if (options.firstStart !== true) await migratedData(data)
  const child = spawn(process.execPath, [BIN, ...options.args, '--data', data, '--port', '0', '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const { url, login_url: loginUrl } = await announcement(child, () => said)
  const authorization = async () =>
    `Bearer ${(await readFile(join(options.credentials ?? join(data, 'credentials'), 'api-key'), 'utf8')).trim()}`
  const kill = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }
  return {
    pid: child.pid ?? 0,
    url,
    loginUrl,
    data,
    log: () => said,
    get: async <Answer>(path: string) => {
      const reply = await fetch(new URL(path, url), { headers: { authorization: await authorization() } })
      if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`)
      return (await reply.json()) as Answer
    },
    post: async (path, body, headers = {}) =>
      fetch(new URL(path, url), {
        method: 'POST',
        body: body as NonNullable<RequestInit['body']>,
        headers: { authorization: await authorization(), ...headers },
      }),
    kill,
    stop: async () => {
      await kill('SIGTERM')
      if (options.data === undefined) await rm(join(data, '..'), { recursive: true, force: true })
    },
  }
}

async function announcement(
  child: ChildProcess,
  said: () => string,
): Promise<{ url: string; login_url?: string }> {
  let text = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  const deadline = performance.now() + PATIENCE_MS
  while (performance.now() < deadline) {
    const line = text.split('\n').find((candidate) => candidate.startsWith('{'))
    if (line !== undefined && text.includes('\n'))
      return JSON.parse(line) as { url: string; login_url?: string }
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`gatewatch ended with ${child.exitCode ?? child.signalCode}:\n${said()}`)
    await sleep(50)
  }
  child.kill('SIGKILL')
  throw new Error(`gatewatch did not start:\n${said()}`)
}

/** Runs a command to its end. */
export async function runCommand(
  args: readonly string[],
  options: { readonly cwd?: string; readonly stdin?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [BIN, ...args], {
    stdio: 'pipe',
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  child.stdin.end(options.stdin ?? '')
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

/** Asks until `done` accepts the answer. Fails with the last answer when patience ends. */
export async function eventually<Answer>(
  ask: () => Promise<Answer>,
  done: (answer: Answer) => boolean,
): Promise<Answer> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    const answer = await ask()
    if (done(answer)) return answer
    if (performance.now() > deadline)
      throw new Error(`never came true; the last answer was ${JSON.stringify(answer).slice(0, 2000)}`)
    await sleep(50)
  }
}
