import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { runCommand } from '../../helpers/gatewatch.ts'

const folder = mkdtempSync(join(tmpdir(), 'gatewatch-own-rules-'))
const temporary = join(folder, 'temporary')
mkdirSync(temporary)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const SHIPPED = readFileSync(
  new URL('../../../detectors/signals/dormant-actor.yaml', import.meta.url),
  'utf8',
)

const fileOf = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const run = async (...args: string[]) => {
  const { code, stdout, stderr } = await runCommand(['rules', ...args], {
    cwd: folder,
    env: { TMPDIR: temporary },
  })
  const lines = stdout.split('\n').filter(Boolean)
  return { code, stderr, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
}

it('lint tells every mistake of every file, and that an id of a shipped rule is taken', async () => {
  const one = fileOf(
    'one.yaml',
    SHIPPED.replace(/^id: .*/m, 'id: Not An Id').replace(/^version: .*/m, 'version: 0'),
  )
  const two = fileOf('two.yaml', SHIPPED)
  const { code, lines } = await run('lint', one, two)
  expect(code).toBe(2)
  expect(lines.map(({ file, line, field }) => [file, line, field])).toEqual([
    [one, 1, 'id'],
    [one, 2, 'version'],
    [two, 1, 'id'],
  ])
  for (const { remedy } of lines) expect(remedy).toBeTruthy()
  expect((await run('lint')).code).toBe(0)
  expect(await run('lint', join(folder, 'nowhere'))).toMatchObject({ code: 2, lines: [] })
})

it('test runs the examples, says which failed and why, and leaves nothing behind', async () => {
  const path = fileOf('own.yaml', SHIPPED.replace(/^id: .*/m, 'id: own\nwhere: server:nowhere'))
  const { code, lines } = await run('test', path)
  expect(code).toBe(1)
  const firing = lines.filter(({ expected }) => expected === 'firing')
  expect(firing.length).toBeGreaterThan(0)
  for (const { passed, reason } of firing) {
    expect(passed).toBe(false)
    expect(reason).toMatch(
      /^No finding on the last day .* 0 of the example’s \d+ calls match where: server:nowhere$/,
    )
  }
  expect(lines.filter(({ expected, passed }) => expected === 'quiet' && passed)).not.toEqual([])
  expect(readdirSync(temporary)).toEqual([])
  writeFileSync(path, SHIPPED.replace(/^id: .*/m, 'id: own'))
  expect((await run('test', path)).code).toBe(0)
})

it('explain says what a rule asks, by its id or its file', async () => {
  const byId = await run('explain', 'denied-calls')
  expect(byId.lines).toMatchObject([
    { id: 'denied-calls', over: 'calls that match outcome:denied', detector: 'volume' },
  ])
  const path = fileOf('mine.yaml', SHIPPED.replace(/^id: .*/m, 'id: mine'))
  expect((await run('explain', path)).lines).toMatchObject([{ id: 'mine', path }])
  expect((await run('explain', 'no-such-rule')).code).toBe(2)
})
