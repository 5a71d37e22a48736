import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { eventually, type GatewatchProcess, startProcess } from '../../helpers/gatewatch.ts'

const folder = mkdtempSync(join(tmpdir(), 'gatewatch-last-resort-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ERRORS = new URL('../../../core/errors.ts', import.meta.url).href

/** gatewatch in which SIGUSR2 makes a fault that nothing handles. */
async function startFaulty(name: string, fault: string): Promise<GatewatchProcess> {
  const preload = join(folder, `${name}.mjs`)
  writeFileSync(
    preload,
    `import { GatewatchError } from '${ERRORS}'
     process.on('SIGUSR2', () => { ${fault} })`,
  )
  return startProcess({
    args: ['up'],
    data: join(folder, name),
    env: { NODE_OPTIONS: `--import ${pathToFileURL(preload).href}` },
  })
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

it.each([
  ['a rejection of unknown meaning', "Promise.reject(new TypeError('injected'))"],
  ['an exception', "setImmediate(() => { throw new TypeError('injected') })"],
])('stops in order after %s, and says why', async (name, fault) => {
  const running = await startFaulty(name.replaceAll(' ', '-'), fault)
  process.kill(running.pid, 'SIGUSR2')
  await eventually(
    async () => isAlive(running.pid),
    (alive) => !alive,
  )
  expect(running.log()).toContain('an error that nothing handled')
  expect(running.log()).toContain('TypeError: injected')
  expect(running.log()).toContain('stopping …')
  expect(running.log()).not.toContain('stopped at once')
  expect(existsSync(join(running.data, 'run.json'))).toBe(false)
})

it('goes on after a rejection that a retry mends, counts it, and names it in /readyz', async () => {
  const running = await startFaulty(
    'retryable',
    "Promise.reject(new GatewatchError('overloaded', 'injected'))",
  )
  try {
    process.kill(running.pid, 'SIGUSR2')
    const ready = await eventually(
      async () => (await (await fetch(new URL('/readyz', running.url))).json()) as { status: string },
      ({ status }) => status === 'degraded',
    )
    expect(ready).toMatchObject({ reasons: [{ check: 'process', reason: 'unhandled_error' }] })
    const key = readFileSync(join(running.data, 'credentials', 'api-key'), 'utf8').trim()
    const headers = { authorization: `Bearer ${key}` }
    const text = await (await fetch(new URL('/metrics', running.url), { headers })).text()
    expect(text).toContain('gatewatch_unhandled_errors_total{decision="goes_on"} 1')
    expect(text).toContain('gatewatch_unhandled_errors_total{decision="stops"} 0')
  } finally {
    await running.kill('SIGTERM')
  }
})
