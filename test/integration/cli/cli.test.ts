import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { eventually, runCommand, startProcess } from '../../helpers/gatewatch.ts'
import { migratedData } from '../../helpers/migrated-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'gatewatch-cli-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const path = (name: string) => join(folder, name)
const good = (id: string, fields: object = {}) =>
  JSON.stringify({
    event_id: id,
    occurred_at: new Date(Date.now() - 60_000).toISOString(),
    'user.id': 'alice',
    'gen_ai.tool.name': 'search',
    ...fields,
  })

describe('gatewatch ingest', () => {
  const data = path('ingest-data')
  const odd: readonly (readonly [string, string | Buffer])[] = [
    ['record_not_json', '{"open": '],
    ['format_unknown', '{"nothing": "known"}'],
    ['field_type', good('wrong-type', { duration_ms: 'soon' })],
    ['record_too_large', good('large', { 'error.message': 'x'.repeat(5 * 1024 * 1024) })],
    ['record_not_utf8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
    ['time_in_future', good('future', { occurred_at: '2126-01-01T00:00:00Z' })],
  ]

  it('stores what it can, dead-letters the rest with its reason, and the counts add up', async () => {
    const lines = odd
      .flatMap(([, bad], index) => [bad, good(`good-${index}`)])
      .flatMap((line) => [Buffer.from(line), Buffer.from('\n')])
    writeFileSync(path('odd.ndjson'), Buffer.concat(lines))
    const { code, stdout } = await runCommand(['ingest', path('odd.ndjson'), '--data', data, '--json'])
    expect({ code, ...JSON.parse(stdout) }).toEqual({
      code: 0,
      read: 12,
      stored: 6,
      dead_lettered: 6,
      duplicate: 0,
      conflict: 0,
      incomplete: 0,
      parts_without_call: 0,
    })
    const letters = await runCommand(['dead-letters', '--data', data, '--json'])
    const found = letters.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { reason: string; message: string })
    expect(found.map(({ reason }) => reason).sort()).toEqual(odd.map(([reason]) => reason).sort())
    for (const { message } of found) expect(message).toMatch(/\w+ \w+/)
  })

  it('adds nothing when the file is read again', async () => {
    const { stdout } = await runCommand(['ingest', path('odd.ndjson'), '--data', data, '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ stored: 0, duplicate: 6 })
    const events = await runCommand(['events', 'user:alice', '--data', data, '--json'])
    expect(events.stdout.trim().split('\n')).toHaveLength(6)
  })

  it('reads stdin, which the store of a new folder does not take for rows of its own', async () => {
    const stdin = `${good('piped-1')}\n${good('piped-2')}\n`
    const piped = await runCommand(['ingest', '-', '--data', path('piped'), '--json'], { stdin })
    expect({ code: piped.code, ...JSON.parse(piped.stdout) }).toMatchObject({ code: 0, read: 2, stored: 2 })
    writeFileSync(path('beside.ndjson'), `${good('beside')}\n`)
    const beside = await runCommand(['ingest', path('beside.ndjson'), '--data', path('beside'), '--json'], {
      stdin,
    })
    expect({ code: beside.code, ...JSON.parse(beside.stdout) }).toMatchObject({ code: 0, read: 1, stored: 1 })
  })

  it('says which file is missing', async () => {
    const { code, stderr, stdout } = await runCommand([
      'ingest',
      path('none.ndjson'),
      '--data',
      data,
      '--json',
    ])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain(path('none.ndjson'))
  })
})

describe('a wrong configuration', () => {
  it.each([
    ['listen:\n  prot: 1\n', ':2: listen.prot: is not a known setting.'],
    ['kafka:\n  brokers: [nowhere]\n  topics: [{ name: a }]\n', ':2: kafka.brokers.0: must be host:port'],
    [
      'receivers:\n  - { name: soc, type: webhook }\n',
      'receivers.0: A receiver of type webhook needs url and secret_file.',
    ],
    ['data: [\n', 'is not valid YAML'],
  ])('%j is one message with field, place and remedy, and exit code 2', async (text, message) => {
    writeFileSync(path('gatewatch.yaml'), text)
    const { code, stdout, stderr } = await runCommand([
      'up',
      '--config',
      path('gatewatch.yaml'),
      '--data',
      path('unused'),
    ])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stderr).toContain(message)
  })

  it.each([[['up', '--bogus']], [['up', '--port', 'many']], [['no-such-command']]])(
    '%j: exit code 2',
    async (args) => {
      expect((await runCommand(args)).code).toBe(2)
    },
  )
})

describe('a running gatewatch', () => {
  it('keeps its folder and its port to itself, answers commands on the folder, and leaves cleanly', async () => {
    const data = path('running')
    const running = await startProcess({ args: ['up'], data })
    try {
      expect((await running.post('/v1/events', good('over-http'))).status).toBe(202)
      await eventually(
        () => runCommand(['events', '--data', data, '--json']),
        ({ stdout }) => stdout.includes('over-http'),
      )
      const port = new URL(running.url).port
      const other = await migratedData(path('other'))
      const taken = await runCommand(['up', '--data', other, '--port', port])
      expect(taken.code).toBe(1)
      expect(taken.stderr).toContain(`Another program listens on 127.0.0.1:${port}.`)
      const locked = await runCommand(['backtest', '--from', '-1d', '--to', 'now', '--data', data])
      expect(locked.code).toBe(1)
      expect(locked.stderr).toMatch(/Another process \(\d+\) holds the data folder/)
      const token = await runCommand(['token', '--data', data, '--json'])
      expect(JSON.parse(token.stdout)).toMatchObject({ token: expect.stringMatching(/^v1\./) })
      const login = await runCommand(['token', '--login', '--data', data, '--json'])
      const { login_url } = JSON.parse(login.stdout) as { login_url: string }
      expect((await fetch(login_url, { redirect: 'manual' })).status).toBe(303)
      expect((await runCommand(['doctor', '--data', data])).code).toBe(0)
    } finally {
      await running.kill('SIGTERM')
    }
  })

  it('doctor warns of followed paths where nothing is, and names a segment that cannot be stored', async () => {
    const data = await migratedData(path('unwell'))
    const config = path('unwell.yaml')
    writeFileSync(config, `listen: { port: 0 }\nfiles:\n  - { path: ${path('nowhere')}/*.log }\n`)
    const warned = await runCommand(['doctor', '--data', data, '--config', config])
    expect([warned.code, warned.stdout]).toEqual([
      0,
      expect.stringContaining(`unwell.yaml:3: files.0.path: No file is there.`),
    ])
    expect(warned.stdout).toContain('ok    segments: nothing waits')
    const segments = join(data, 'segments')
    mkdirSync(segments, { recursive: true })
    // Sealed, and its rows are gone.
    const lines = [
      { segment: 7, sequences: {} },
      { sealed: [{ table: 'events', columns: ['event_id'], bytes: 6, count: 1 }] },
    ].map((line) => JSON.stringify(line))
    writeFileSync(
      join(segments, '000000000007.journal'),
      lines.map((line) => `${crc32(line).toString(16).padStart(8, '0')} ${line}\n`).join(''),
    )
    const failed = await runCommand(['doctor', '--data', data])
    expect(failed.code).toBe(1)
    expect(failed.stdout).toMatch(
      /FAIL {2}segments: .*000000000007\.\* cannot be stored: ENOENT.*events\.jsonl/,
    )
    const running = await startProcess({ args: ['up'], data })
    try {
      const asked = await eventually(
        () => runCommand(['doctor', '--data', data]),
        ({ stdout }) => stdout.includes('FAIL  segments'),
      )
      expect(asked.stdout).toMatch(
        /FAIL {2}segments: The running process says segments: .*000000000007\.\* is not stored after \d+ attempts: /,
      )
      expect(asked.code).toBe(1)
    } finally {
      await running.kill('SIGTERM')
    }
  })

  it('waits for a broker that is away, and says so', async () => {
    const running = await startProcess({ args: ['up', '--kafka', '127.0.0.1:9'], data: path('no-broker') })
    try {
      await eventually(
        async () => running.log(),
        (log) => log.includes('Kafka is not reachable'),
      )
      const ready = await fetch(new URL('/readyz', running.url))
      expect([ready.status, await ready.json()]).toEqual([
        503,
        expect.objectContaining({ failing: ['kafka'] }),
      ])
      expect((await fetch(new URL('/healthz', running.url))).status).toBe(200)
    } finally {
      await running.kill('SIGTERM')
    }
  })

  it('has every acknowledged event once after kill -9', async () => {
    const data = path('killed')
    const acknowledged: string[] = []
    for (let round = 0; round < 5; round++) {
      const running = await startProcess({ args: ['up'], data })
      const sending = (async () => {
        for (let index = 0; ; index++) {
          const ids = [`${round}-${index}-a`, `${round}-${index}-b`]
          const reply = await running.post('/v1/events', ids.map((id) => good(id)).join('\n'))
          if (reply.status === 202) acknowledged.push(...ids)
        }
      })().catch(() => {})
      // At different moments of the work, and never before there is some.
      await expect.poll(() => acknowledged.length).toBeGreaterThan(10 * round + 4 * (round + 1))
      await new Promise((resolve) => setTimeout(resolve, round * 50))
      await running.kill('SIGKILL')
      await sending
    }
    const after = await startProcess({ args: ['up'], data })
    try {
      const stored = await eventually(
        async () => {
          const { stdout } = await runCommand(['events', '--limit', '100000', '--data', data, '--json'])
          return stdout
            .trim()
            .split('\n')
            .map((line) => (JSON.parse(line) as { event_id: string }).event_id)
        },
        (ids) => ids.length >= acknowledged.length,
      )
      expect(new Set(stored).size).toBe(stored.length)
      expect(acknowledged.filter((id) => !stored.includes(id))).toEqual([])
      expect(acknowledged.length).toBeGreaterThan(20)
    } finally {
      await after.kill('SIGTERM')
    }
  })
})

describe('the command line', () => {
  it.each([
    'up',
    'demo',
    'ingest',
    'events',
    'backtest',
    'rules list',
    'rules lint',
    'rules test',
    'rules explain',
    'alerts',
    'dead-letters',
    'tools',
    'token',
    'doctor',
  ])('%s has --help', async (command) => {
    const { code, stdout } = await runCommand([...command.split(' '), '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain(`gatewatch ${command}`)
    expect(stdout).toContain('--json')
  })

  it('lists the rules as NDJSON and nothing else on stdout', async () => {
    const { stdout } = await runCommand(['rules', 'list', '--json'])
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { id: string }).id),
    ).toContain('volume-spike')
  })
})
