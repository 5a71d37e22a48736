import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { expect, it } from 'vitest'

const MODULE = new URL('../../../app/stop-request.ts', import.meta.url).href

// A process that takes as long to stop as its stdin is open.
const PROGRAM = `
  import { untilAskedToStop } from '${MODULE}'
  const ended = new Promise((resolve) => process.stdin.on('end', resolve).resume())
  const asking = untilAskedToStop({
    note: (text) => process.stdout.write(text + '\\n'),
    broken: process.argv[1] === 'broken' ? Promise.resolve() : new Promise(() => {}),
  })
  process.stdout.write('started\\n')
  const { exitCode } = await asking
  await ended
  process.exit(exitCode)`

async function start(...args: readonly string[]) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const said = async () => (await lines.next()).value as string
  expect(await said()).toBe('started')
  return { child, said, ended: once(child, 'exit') }
}

it('takes what comes while it stops for the same request, from wherever it comes', async () => {
  const { child, said, ended } = await start()
  child.kill('SIGTERM')
  expect(await said()).toBe('stopping …')
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGINT'] as const) child.kill(signal)
  child.stdin.end()
  expect(await ended).toEqual([0, null])
})

it('ends with 1 after a fault', async () => {
  const { child, said, ended } = await start('broken')
  expect(await said()).toBe('stopping …')
  child.stdin.end()
  expect(await ended).toEqual([1, null])
})

it('is over after ten seconds, whatever hangs', async () => {
  const { child, said, ended } = await start()
  child.kill('SIGINT')
  expect(await said()).toBe('stopping …')
  expect(await said()).toContain('stopped at once: it took longer than 10 s')
  expect(await ended).toEqual([null, 'SIGKILL'])
})

it('is over at once when somebody asks again later', async () => {
  const { child, said, ended } = await start()
  child.kill('SIGINT')
  expect(await said()).toBe('stopping …')
  const asking = setInterval(() => child.kill('SIGINT'), 100)
  expect(await said()).toMatch(/^stopped at once: (?:asked a second time|it took longer)/)
  clearInterval(asking)
  expect(await ended).toEqual([null, 'SIGKILL'])
})
