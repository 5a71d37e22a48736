import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { eventually } from '../../helpers/gatewatch.ts'
import { migratedData } from '../../helpers/migrated-store.ts'

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url))
const BIN = join(REPOSITORY, 'bin/gatewatch.cjs')
const folder = mkdtempSync(join(tmpdir(), 'gatewatch-signals-'))
const started: ChildProcess[] = []
const servers: number[] = []
afterAll(() => {
  for (const pid of [...servers, ...started.map(({ pid }) => pid)])
    if (pid && lives(pid)) process.kill(pid, 9)
  rmSync(folder, { recursive: true, force: true })
})

const lives = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    // One that nobody has waited for is dead.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** The oldest Node of this machine: older than ours, `bin/gatewatch.cjs` starts another for the work. */
const oldestNode = (): string => {
  const found = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((path) => !path.includes('node_modules'))
    .map((path) => join(path, 'node'))
    .filter(existsSync)
  const version = (node: string) => Number(execFileSync(node, ['-p', 'process.versions.node.split(".")[0]']))
  return [process.execPath, ...found].toSorted((a, b) => version(a) - version(b))[0] ?? process.execPath
}

/** Starts gatewatch by other programs, in a process group of its own, as a terminal or a supervisor does. */
async function start(name: string, command: string, args: readonly string[]) {
  const data = await migratedData(join(folder, name))
  const child = spawn(command, [...args, '--data', data, '--port', '0'], {
    ...{ cwd: REPOSITORY, detached: true, stdio: ['ignore', 'ignore', 'pipe'] },
  })
  started.push(child)
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const run = join(data, 'run.json')
  await eventually(
    async () => existsSync(run) || (child.exitCode !== null && said),
    (answer) => {
      if (typeof answer === 'string') throw new Error(`it did not start: ${answer}`)
      return answer
    },
  )
  const { pid, url } = JSON.parse(readFileSync(run, 'utf8')) as { pid: number; url: string }
  servers.push(pid)
  // The handlers are there when it has been announced; before, a signal ends it as it ends any program.
  await eventually(
    () => fetch(new URL('/healthz', url)).then(({ ok }) => ok),
    (ok) => ok,
  )
  return { pid, starter: child.pid ?? 0, said: () => said, run }
}

type Started = Awaited<ReturnType<typeof start>>

const NPM = ['npm', ['--silent', 'start', '--']] as const
const NPX = ['npx', ['--no-install', 'gatewatch', 'up']] as const
const OLD_NODE = [oldestNode(), [BIN, 'up']] as const

describe('one request to stop', () => {
  it.each<[string, readonly [string, readonly string[]], (process: Started) => void]>([
    ['SIGTERM to npm alone', NPM, ({ starter }) => process.kill(starter, 'SIGTERM')],
    ['SIGINT to npm alone', NPM, ({ starter }) => process.kill(starter, 'SIGINT')],
    ['Ctrl-C on npm start', NPM, ({ starter }) => process.kill(-starter, 'SIGINT')],
    [
      'SIGTERM to npm and to all of npm start',
      NPM,
      ({ starter }) => {
        process.kill(starter, 'SIGTERM')
        process.kill(-starter, 'SIGTERM')
      },
    ],
    ['kill -9 of npm', NPM, ({ starter }) => process.kill(starter, 'SIGKILL')],
    ['SIGTERM to npx alone', NPX, ({ starter }) => process.kill(starter, 'SIGTERM')],
    ['kill -9 of npx', NPX, ({ starter }) => process.kill(starter, 'SIGKILL')],
    ['SIGTERM to the oldest Node', OLD_NODE, ({ starter }) => process.kill(starter, 'SIGTERM')],
    ['Ctrl-C on the oldest Node', OLD_NODE, ({ starter }) => process.kill(-starter, 'SIGINT')],
  ])('stops it in order: %s', async (name, [command, args], act) => {
    const running = await start(name, command, args)
    act(running)
    await eventually(
      async () => lives(running.pid),
      (alive) => !alive,
    )
    expect(running.said()).toContain('stopping …')
    expect(running.said()).not.toContain('stopped at once')
    expect(existsSync(running.run)).toBe(false)
  })

  it('is also the end of the older Node that started it, however that came', async () => {
    const running = await start('oldest', ...OLD_NODE)
    process.kill(running.starter, 'SIGKILL')
    await eventually(
      async () => lives(running.pid),
      (alive) => !alive,
    )
    expect(running.said()).not.toContain('stopped at once')
  })
})
