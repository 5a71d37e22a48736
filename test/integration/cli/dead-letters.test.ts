import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand, startProcess } from '../../helpers/gatewatch.ts'
import { migratedData } from '../../helpers/migrated-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'gatewatch-cli-letters-'))
const data = join(folder, 'data')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const call = (id: number) => `{"gen_ai.tool.name":"echo","user.id":"u1","gen_ai.tool.call.id":"c${id}"}`
const run = (...args: string[]) => runCommand([...args, '--data', data, '--json'])
const linesOf = (text: string) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>)

beforeAll(async () => {
  await migratedData(data)
  // Good records under a format that does not read them, and one that no format reads.
  const good = Array.from({ length: 1200 }, (_, index) => call(index))
  writeFileSync(join(folder, 'calls.log'), `${[...good, '\u001b[2Jpoison'].join('\n')}\n`)
  const { stdout } = await run('ingest', join(folder, 'calls.log'), '--format', 'kong')
  expect(JSON.parse(stdout)).toEqual({
    read: 1201,
    stored: 0,
    dead_lettered: 1201,
    duplicate: 0,
    conflict: 0,
    incomplete: 0,
    parts_without_call: 0,
  })
})

describe('gatewatch dead-letters', () => {
  it('counts exactly, also what it keeps no record of, and the same after the file was read again', async () => {
    for (let time = 0; time < 2; time++) {
      const counts = linesOf((await run('dead-letters', 'counts')).stdout)
      expect(counts.reduce((sum, { records }) => sum + Number(records), 0)).toBe(1201)
      expect(counts.reduce((sum, { kept }) => sum + Number(kept), 0)).toBeLessThan(1100)
      await run('ingest', join(folder, 'calls.log'), '--format', 'kong')
    }
  })

  it('lists more than a page, and shows one so that nothing acts on the terminal', async () => {
    const letters = linesOf((await run('dead-letters', '--limit', '5000')).stdout)
    expect(letters.length).toBeGreaterThan(1000)
    expect(new Set(letters.map(({ dead_letter_id }) => dead_letter_id)).size).toBe(letters.length)
    const [poison] = linesOf((await run('dead-letters', '--text', 'poison')).stdout)
    const shown = await runCommand([
      'dead-letters',
      'show',
      String(poison?.['dead_letter_id']),
      '--data',
      data,
    ])
    expect(shown.stdout).toContain('\\u{1b}[2Jpoison')
    expect(shown.stdout).not.toContain('\u001b')
    expect((await run('dead-letters', 'show', '0'.repeat(32))).code).toBe(1)
  })

  it('replays what can be read now, once, and says what is left', async () => {
    expect((await run('dead-letters', 'replay')).code).toBe(2)
    const first = await run('dead-letters', 'replay', '--all')
    const { replayed, stored, failed, not_replayable } = JSON.parse(first.stdout) as Record<string, number>
    expect([first.code, stored]).toEqual([1, replayed])
    expect(replayed).toBeGreaterThanOrEqual(1000)
    expect([failed, not_replayable]).toEqual([1, 1])
    const again = JSON.parse((await run('dead-letters', 'replay', '--all')).stdout) as Record<string, number>
    expect(again).toEqual({ replayed: 0, failed: 1, not_replayable: 1, stored: 0, duplicate: 0 })
    const events = linesOf((await run('events', '--limit', '5000')).stdout)
    expect(events).toHaveLength(replayed ?? 0)
  })
})

describe('what was typed wrong', () => {
  it.each([
    ['list', []],
    ['counts', ['counts']],
    ['replay', ['replay']],
  ])('%s refuses an unknown reason and a time that is none, by the option', async (_, command) => {
    const unknown = await run('dead-letters', ...command, '--reason', 'record_not_jsn')
    expect(unknown.code).toBe(2)
    expect(unknown.stderr).toMatch(/--reason .*Did you mean record_not_json\? Reasons are record_empty, /)
    for (const option of ['--since', '--until']) {
      const { code, stderr } = await run('dead-letters', ...command, option, 'yesterday')
      expect(code).toBe(2)
      expect(stderr).toContain(`'${option} <TIME>' argument 'yesterday' is invalid`)
    }
  })

  it('cuts no message where a program reads', async () => {
    writeFileSync(join(folder, 'odd.log'), '{"neither":1}\n')
    await run('ingest', join(folder, 'odd.log'))
    const listed = await runCommand(['dead-letters', '--reason', 'format_unknown', '--data', data])
    expect(listed.stdout).toMatch(/gatewatch formats list shows the known ones\./)
    expect(listed.stdout).not.toContain('…')
  })
})

describe('a configuration that is not the one that decides', () => {
  it('is warned of where a gatewatch that runs reads the records, and nowhere else', async () => {
    const served = join(folder, 'served')
    const mapping = join(folder, 'zz.yaml')
    const config = join(folder, 'gw.yaml')
    writeFileSync(mapping, 'name: zz\nrecognise: { all: [zz] }\nfields: { gen_ai.tool.name: zz }\n')
    writeFileSync(config, `mappings: [${mapping}]\n`)
    writeFileSync(join(folder, 'zz.log'), '{"zz":"echo"}\n')
    const running = await startProcess({ args: ['up'], data: served })
    try {
      const said = async (...args: string[]) =>
        (await runCommand([...args, '--data', served])).stderr
          .split('\n')
          .filter((line) => /^warning:/.test(line))
      const ingested = await said('ingest', join(folder, 'zz.log'), '--config', config)
      expect(ingested).toEqual([expect.stringContaining('restart it')])
      expect(ingested[0]).toContain(running.url)
      expect(await said('dead-letters', 'replay', '--all', '--config', config)).toHaveLength(1)
      expect(await said('dead-letters', '--config', config)).toEqual([])
      expect(await said('dead-letters', 'replay', '--all')).toEqual([])
    } finally {
      await running.kill('SIGTERM')
    }
  })
})

describe('POST /v1/events with a key', () => {
  it('stores a body once over kill -9 and restart, and answers the same', async () => {
    const keyed = join(folder, 'keyed')
    const body = `${call(1)}\n${call(2)}\nbroken`
    const key = { 'idempotency-key': '"4f0b"' }
    const first = await startProcess({ args: ['up'], data: keyed })
    const answers = await Promise.all([1, 2, 3].map(() => first.post('/v1/events', body, key)))
    const told = await Promise.all(answers.map((answer) => answer.json()))
    expect(told[0]).toMatchObject({ read: 3, stored: 2, dead_lettered: 1, errors: [{ line: 3 }] })
    expect(told).toEqual([told[0], told[0], told[0]])
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')).toHaveLength(2)
    await first.kill('SIGKILL')
    const second = await startProcess({ args: ['up'], data: keyed })
    try {
      const again = await second.post('/v1/events', body, key)
      expect([again.status, await again.json()]).toEqual([202, told[0]])
      expect((await second.post('/v1/events', `${body} `, key)).status).toBe(422)
      const stored = async () =>
        (await second.get<{ events: unknown[] }>('/v1/events?from=-1h')).events.length
      await expect.poll(stored).toBe(2)
    } finally {
      await second.kill('SIGTERM')
    }
  })
})
