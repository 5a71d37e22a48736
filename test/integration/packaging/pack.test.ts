import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url))

// The environment of a person’s shell: nothing that npm and vitest put there for their children.
const env = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|VITEST|NODE_|UV_|INIT_CWD)/.test(name)),
  ),
  PATH: (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules') && !folder.includes('node-gyp-bin'))
    .join(delimiter),
}

describe('the packed program, installed into an empty folder', () => {
  let folder: string
  let packed: string[]

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatewatch-packed-'))
    const target = ['pack', '--json', '--pack-destination', folder]
    const { stdout } = await run('npm', target, { cwd: REPOSITORY, env, maxBuffer: 64 << 20 })
    const [archive] = (await readdir(folder)).filter((file) => file.endsWith('.tgz'))
    packed = [...stdout.matchAll(/"path": "([^"]+)"/g)].map((match) => String(match[1]))
    await writeFile(join(folder, 'package.json'), '{"private": true}')
    const options = ['--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts']
    await run('npm', ['install', ...options, join(folder, String(archive))], { cwd: folder, env })
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const gatewatch = (...args: string[]) => run('npx', ['gatewatch', ...args], { cwd: folder, env })

  it('holds the program and what it reads, and nothing else', () => {
    expect(packed).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'README.md',
        'bin/gatewatch.cjs',
        'dist/app/cli/gatewatch.js',
        'dist/store/migrations/0001_events.sql',
        'dist/dashboards/web/dist/index.html',
      ]),
    )
    expect(packed.filter((path) => /(^|\/)(test|bench|docs|\.ci)\/|(?<!\.d)\.ts$/.test(path))).toEqual([])
    expect(packed.filter((path) => path.startsWith('dist/detectors/rules/')).length).toBeGreaterThan(0)
  })

  it('says its version', async () => {
    const { version } = JSON.parse(await readFile(join(REPOSITORY, 'package.json'), 'utf8')) as {
      version: string
    }
    expect((await gatewatch('--version')).stdout.trim()).toBe(version)
  })

  it('stores a record', async () => {
    const record = {
      event_id: 'packed-1',
      occurred_at: '2026-08-21T14:03:11.482915Z',
      'user.id': 'alice',
      'mcp.server.name': 'github',
      'mcp.method.name': 'tools/call',
      'gen_ai.tool.name': 'search_issues',
      outcome: 'success',
    }
    await writeFile(join(folder, 'records.jsonl'), `${JSON.stringify(record)}\n`)
    const { stdout } = await gatewatch(
      ...['ingest', 'records.jsonl', '--format', 'native', '--data', 'data', '--json'],
    )
    expect(JSON.parse(stdout)).toMatchObject({ read: 1, stored: 1, dead_lettered: 0, duplicate: 0 })
  })
})

describe('the program in a clone', () => {
  it('runs the sources as they are, on a Node that can', async () => {
    const { stdout } = await run('npx', ['gatewatch', '--version'], { cwd: REPOSITORY, env })
    expect(stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/)
  })

  it('puts its own Node in front of the user’s in npm scripts', async () => {
    const { stdout } = await run('npm', ['exec', '--', 'node', '--version'], { cwd: REPOSITORY, env })
    const [major, minor] = stdout.trim().slice(1).split('.').map(Number)
    expect(Number(major) * 100 + Number(minor)).toBeGreaterThanOrEqual(2218)
  })
})
