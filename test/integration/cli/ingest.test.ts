import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { eventually, runCommand, startProcess } from '../../helpers/gatewatch.ts'
import { migratedData } from '../../helpers/migrated-store.ts'

const BIN = fileURLToPath(new URL('../../../bin/gatewatch.cjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'gatewatch-cli-ingest-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
for (const day of ['day1', 'day2']) mkdirSync(join(folder, day))

const HOUR_AGO = Math.floor(Date.now() / 1000) - 3600
const path = (name: string) => join(folder, name)
// Neither id nor time of their own: only where they come from makes them the same.
const call = (tool: string) => ({ 'user.id': 'alice', 'gen_ai.tool.name': tool })
const lines = (...tools: string[]) => tools.map((tool) => `${JSON.stringify(call(tool))}\n`).join('')

async function ingest(data: string, ...args: string[]) {
  const { stdout, stderr } = await runCommand(['ingest', ...args, '--data', data, '--json'])
  try {
    const { read, stored, dead_lettered, duplicate } = JSON.parse(stdout) as Record<string, number>
    return [read, stored, dead_lettered, duplicate]
  } catch {
    return stderr
  }
}

const eventsIn = async (data: string) =>
  (await runCommand(['events', '--limit', '1000', '--data', data, '--json'])).stdout.split('\n').length - 1

describe('a file that is read again', () => {
  it('adds only what is new, also when it was touched; another file of its name is another file', async () => {
    const data = await migratedData(path('store'))
    for (const [day, tools] of [
      ['day1', ['a', 'b', 'c']],
      ['day2', ['x', 'y', 'z']],
    ] as const) {
      writeFileSync(path(`${day}/audit.json`), JSON.stringify(tools.map(call), null, 2))
    }
    writeFileSync(path('grow.log'), lines('a', 'b'))
    utimesSync(path('grow.log'), HOUR_AGO - 3600, HOUR_AGO - 3600)
    expect(await ingest(data, path('day1/audit.json'), path('day2/audit.json'), path('grow.log'))).toEqual([
      8, 8, 0, 0,
    ])
    utimesSync(path('grow.log'), HOUR_AGO, HOUR_AGO)
    utimesSync(path('day1/audit.json'), HOUR_AGO, HOUR_AGO)
    expect(await ingest(data, path('grow.log'), path('day1/audit.json'))).toEqual([5, 0, 0, 5])
    appendFileSync(path('grow.log'), lines('c'))
    expect(await ingest(data, path('grow.log'), path('day2/audit.json'))).toEqual([6, 1, 0, 5])
    expect(await eventsIn(data)).toBe(9)
  })

  it('is history when nobody has written to it for days, or when told so', async () => {
    const data = await migratedData(path('history'))
    writeFileSync(path('old.log'), lines('old'))
    utimesSync(path('old.log'), HOUR_AGO - 4 * 86_400, HOUR_AGO - 4 * 86_400)
    writeFileSync(path('young.log'), lines('young'))
    writeFileSync(path('said.log'), lines('said'))
    expect(await ingest(data, path('old.log'), path('young.log'))).toEqual([2, 2, 0, 0])
    const running = await startProcess({ args: ['up'], data })
    try {
      expect(await ingest(data, path('said.log'), '--history')).toEqual([1, 1, 0, 0])
      const { events } = await running.get<{ events: Record<string, unknown>[] }>('/v1/events?from=-30d')
      const imported = events.map((event) => [event['gen_ai.tool.name'], event['imported']])
      expect(Object.fromEntries(imported)).toEqual({ old: true, said: true })
      const token = async (capabilities: string[]) => {
        const reply = await running.post('/v1/token', JSON.stringify({ capabilities }), {
          'content-type': 'application/json',
        })
        return ((await reply.json()) as { token: string }).token
      }
      for (const [capabilities, status] of [
        [['events:write'], 403],
        [['events:write', 'events:import'], 202],
      ] as const) {
        const headers = {
          authorization: `Bearer ${await token([...capabilities])}`,
          'x-gatewatch-history': 'true',
        }
        expect((await running.post('/v1/events', lines('sent'), headers)).status).toBe(status)
      }
    } finally {
      await running.stop()
    }
    expect(await ingest(data, path('old.log'), '--history', '--follow')).toContain('--history')
  })

  it('adds only what is new to a running gatewatch too', async () => {
    const data = path('served')
    const running = await startProcess({ args: ['up'], data })
    try {
      writeFileSync(path('sent.log'), lines('a', 'b'))
      expect(await ingest(data, path('sent.log'), path('day1/audit.json'))).toEqual([5, 5, 0, 0])
      utimesSync(path('sent.log'), HOUR_AGO, HOUR_AGO)
      expect(await ingest(data, path('sent.log'), path('day1/audit.json'))).toEqual([5, 0, 0, 5])
      appendFileSync(path('sent.log'), `${lines('c')}broken\n`)
      expect(await ingest(data, path('sent.log'), path('day2/audit.json'))).toEqual([7, 4, 1, 2])
      const again = await runCommand(['ingest', path('sent.log'), '--data', data])
      expect(again.stdout).toContain('4 records read, 0 stored, 1 dead-lettered, 3 duplicate')
      expect(again.stderr).toContain('gatewatch dead-letters replay')
      expect(await eventsIn(data)).toBe(9)
    } finally {
      await running.stop()
    }
  })
})

it('looks at all files before it reads one, and says what it read when one is damaged', async () => {
  const data = await migratedData(path('damaged'))
  writeFileSync(path('good.log'), lines('a'))
  writeFileSync(path('noise.bin'), Buffer.from([0x0a, 0x12, 0x0a, 0x00, 0xff, 0x0a, 0x61]))
  const missing = await ingest(data, path('good.log'), path('none.log'))
  expect(missing).toContain('Nothing was read.')
  expect(await ingest(data, path('good.log'), folder)).toContain('it is not a file')
  const { code, stdout, stderr } = await runCommand([
    ...['ingest', path('good.log'), path('noise.bin'), '--data', data, '--json'],
  ])
  expect(stderr).toContain('noise.bin is not text')
  expect([code, JSON.parse(stdout)]).toMatchObject([2, { read: 1, stored: 1 }])
})

it('writes what was typed so that it does nothing to a terminal', async () => {
  const name = 'a\u001b[2J\u202eb\nfake: line'
  for (const args of [[name], ['ingest', path(name)], ['ingest', '--format', name, path('good.log')]]) {
    const { code, stderr } = await runCommand([...args, ...(args.length > 1 ? ['--data', path('none')] : [])])
    expect(code).toBeGreaterThan(0)
    expect(stderr).toContain('a\\u')
    expect(stderr).not.toMatch(/^fake|[^\P{Cc}\n]|\u202e/mu)
  }
  expect((await runCommand(['ingets'])).stderr).toContain(
    "unknown command 'ingets'\n(Did you mean ingest?)\n",
  )
})

it('says what it waits for when nothing is there to follow', async () => {
  const child = spawn(process.execPath, [
    ...[BIN, 'ingest', '--follow', path('nowhere'), '--data', await migratedData(path('waiting'))],
  ])
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  try {
    await eventually(
      async () => said,
      (text) => text.includes('waiting for') && text.includes('nowhere: No file is there.'),
    )
  } finally {
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }
})
