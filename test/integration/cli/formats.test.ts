import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runCommand } from '../../helpers/gatewatch.ts'
import { migratedData } from '../../helpers/migrated-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'gatewatch-cli-formats-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const file = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
const run = (args: readonly string[], stdin?: string) =>
  runCommand(['formats', ...args], { cwd: folder, ...(stdin === undefined ? {} : { stdin }) })
const linesOf = (text: string) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))

const SECRET = 'ghp_16C7e42F292c6912E7710c838347Ae178B4a'
const RECORDS = [
  {
    zz_time: '2026-08-21T14:03:11Z',
    caller: 'ada',
    op: 'crm__get',
    verdict: 'ok',
    'note\u001b[2J': `x\u001b[2J ${SECRET}`,
  },
  { zz_time: '2026-08-21T14:03:12Z', caller: 'bob', op: 'crm__drop', verdict: 'blocked' },
]
const records = file('calls.ndjson', RECORDS.map((each) => `${JSON.stringify(each)}\n`).join(''))
const mapping = file(
  'zz.yaml',
  'name: zz\ndescription: Calls of zz.\nrecognise: { all: [zz_time, op] }\nfields:\n  occurred_at: zz_time\n  user.id: caller\n  gen_ai.tool.name: { from: op, split: __ }\n  outcome: verdict\n',
)

describe('gatewatch formats try', () => {
  it('shows field by field what a mapping made of records, and what nobody read', async () => {
    const { code, stdout } = await run(['try', records, '--mapping', mapping])
    expect(code).toBe(0)
    expect(stdout).toMatch(/record 1: zz\n/)
    expect(stdout).toMatch(/gen_ai\.tool\.name +get +op\n/)
    expect(stdout).toMatch(/user\.id +ada +caller\n/)
    expect(stdout).toMatch(/not read:\n.*\n +"note\\u001b/)
    expect(stdout).toMatch(/2 records, 2 calls, 0 refused/)
    expect(stdout).toContain('never filled: gen_ai.tool.call.arguments')
    // Nothing in a record acts on the terminal, and no secret is shown.
    expect(stdout).not.toContain('\u001b')
    expect(stdout).not.toContain(SECRET)
  })

  it('answers programs in NDJSON with a summary, also from stdin', async () => {
    const { code, stdout } = await run(
      ['try', '-', '--mapping', mapping, '--json', '--limit', '1'],
      RECORDS.map((each) => JSON.stringify(each)).join('\n'),
    )
    expect(code).toBe(0)
    const [first, { summary }, ...more] = linesOf(stdout)
    expect(more).toEqual([])
    expect(first).toMatchObject({ record: 1, format: 'zz', recognised: true, entries: [{ kind: 'event' }] })
    expect(summary).toMatchObject({
      records: 2,
      calls: 2,
      refused: 0,
      formats: { zz: 2 },
      fields: { outcome: 2 },
    })
    expect(stdout).not.toContain(SECRET)
  })

  it('says what to do when no format recognises a record, and the skeleton it writes works', async () => {
    const unknown = await run(['try', records])
    expect(unknown.code).toBe(1)
    expect(unknown.stdout).toContain('no format recognises it')
    expect(unknown.stdout).toContain('--skeleton')
    const { code, stdout } = await run(['try', records, '--skeleton'])
    expect(code).toBe(0)
    expect(stdout).not.toContain(SECRET)
    const tried = await run(['try', records, '--mapping', file('skeleton.yaml', stdout), '--json'])
    expect(tried.code).toBe(0)
    expect(linesOf(tried.stdout).at(-1).summary).toMatchObject({
      formats: { 'my-gateway': 2 },
      fields: { 'user.id': 2 },
    })
  })

  it('counts calls, not the parts of which none can be made', async () => {
    const line = (at: number, said: string) => ({
      timeUnixNano: `${at}000000000`,
      body: { stringValue: said },
    })
    const logRecords = [line(1_755_785_000, 'hello'), line(1_755_785_001, 'there')]
    const plain = file('plainlog.json', JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] }))
    const { code, stdout } = await run(['try', plain])
    expect(code).toBe(0)
    expect(stdout).toContain('\n1 records, 0 calls, 2 parts of calls, 0 refused\n')
    expect(stdout).toContain('No call can be made of 2 of the parts')
    const { summary } = linesOf((await run(['try', plain, '--json'])).stdout).at(-1)
    expect(summary).toMatchObject({ calls: 0, parts: 2, parts_without_call: 2, missing: [] })
  })

  it('names the records that would be refused, also those that it does not show', async () => {
    const late = Array.from({ length: 12 }, () => ({ ...RECORDS[1], zz_time: '21/Nov 10:00' }))
    const some = file(
      'late.ndjson',
      [...RECORDS, ...late].map((each) => `${JSON.stringify(each)}\n`).join(''),
    )
    const { code, stdout } = await run(['try', some, '--mapping', mapping, '--limit', '1'])
    expect(code).toBe(1)
    expect(stdout).toContain('14 records (the first 1 are shown; --limit shows more), 2 calls, 12 refused')
    const named = [
      ...stdout.matchAll(/^ {2}record (\d+): field_type: zz_time: .*but is "21\/Nov 10:00"\.$/gm),
    ]
    expect(named.map(([, number]) => Number(number))).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    expect(stdout).toContain('\n  and 2 more\n')
    const near = await run(['try', file('near.json', '{"resource_logs":[]}')])
    expect(near.stdout).toContain('nearest to otlp-json, but writes resource_logs for resourceLogs.')
  })

  it('tells everything that is wrong with a mapping at once', async () => {
    const wrong = file(
      'wrong.yaml',
      'name: w\nrecognise: { all: [x] }\nfields:\n  occured_at: zz_time\n  outcome: { from: verdict, as: words }\n',
    )
    const { code, stderr } = await run(['try', records, '--mapping', wrong])
    expect(code).toBe(2)
    expect(stderr).toMatch(/wrong\.yaml:4:3: fields › occured_at: .*Did you mean occurred_at\?/)
    expect(stderr).toMatch(/wrong\.yaml:5:29: fields › outcome › as: .*Did you mean word\?/)
    const taken = file('taken.yaml', 'name: kong\nfields: { user.id: x }\n')
    expect((await run(['try', records, '--mapping', taken])).stderr).toContain(
      'is the name of a format that is built in',
    )
  })
})

it('a mapping in the settings is listed, and records are stored with it', async () => {
  const mappings = join(folder, 'mappings')
  mkdirSync(mappings, { recursive: true })
  writeFileSync(
    join(mappings, 'zz.yml'),
    `name: zz\nrecognise: { all: [zz_time, op] }\nfields: { occurred_at: zz_time, gen_ai.tool.name: op, user.id: caller }\n`,
  )
  const config = file('gatewatch-zz.yaml', `mappings: [${mappings}]\n`)
  const listed = await run(['list', '--config', config, '--json'])
  expect(linesOf(listed.stdout).filter(({ name }) => name === 'zz')).toMatchObject([
    { from: join(mappings, 'zz.yml') },
  ])
  const common = ['--config', config, '--data', await migratedData(join(folder, 'data')), '--json']
  for (const [at, format] of [
    [records, 'auto'],
    [file('more.ndjson', JSON.stringify(RECORDS[0])), 'zz'],
  ] as const) {
    const ingested = await runCommand(['ingest', at, '--format', format, ...common])
    expect(ingested.stderr).not.toContain('no format')
    expect(linesOf(ingested.stdout).at(-1)).toMatchObject({ dead_lettered: 0 })
  }
  const found = await runCommand(['events', 'source_format:zz', '--from', '2026-08-01T00:00:00Z', ...common])
  expect(linesOf(found.stdout).length).toBe(3)
})
