import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GatewatchError } from '../../../core/errors.ts'
import { openEmbedded, openServer } from '../../../store/clickhouse.ts'
import type { Database } from '../../../store/database.ts'
import { createEventColumns } from '../../../store/event-columns.ts'
import { EVENT_COLUMNS, EVENT_SELECT, eventOf, eventRow } from '../../../store/event-rows.ts'
import { PASSING, ROW_FAULTS } from '../../../store/fault-codes.ts'
import { migrate } from '../../../store/migrate.ts'
import { type ClickHouseServer, startClickHouse } from '../../helpers/clickhouse-server.ts'
import { fullEvent, smallEvent } from '../../helpers/events.ts'
import { eventually } from '../../helpers/gatewatch.ts'
import { PATIENCE_MS } from '../../helpers/patience.ts'

interface Opened {
  readonly database: Database
  close(): Promise<void>
}

const CONNECTIONS: readonly { name: string; open(): Promise<Opened> }[] = [
  {
    name: 'embedded',
    open: async () => {
      const folder = await mkdtemp(join(tmpdir(), 'gatewatch-store-'))
      const database = await openEmbedded({ path: join(folder, 'store') })
      return {
        database,
        close: async () => {
          await database.close()
          await rm(folder, { recursive: true, force: true })
        },
      }
    },
  },
  {
    name: 'server',
    open: async () => {
      const server = await startClickHouse({ empty: true })
      const database = await openServer({ url: server.url })
      return {
        database,
        close: async () => {
          await database.close()
          await server.stop()
        },
      }
    },
  },
]

const encode = (rows: readonly string[]) => new TextEncoder().encode(`${rows.join('\n')}\n`)

async function errorOf(attempt: Promise<unknown>): Promise<GatewatchError> {
  const thrown = await attempt.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(thrown).toBeInstanceOf(GatewatchError)
  return thrown as GatewatchError
}

// All that one insert into events writes; every number doubles if a block is stored twice.
const COUNTS = `SELECT (SELECT sum(sign) FROM events WHERE tenant = {tenant:String}) AS events,
  (SELECT sum(rows) FROM touched WHERE dimension = 'actor' AND tenant = {tenant:String}) AS arrivals,
  (SELECT sum(calls) FROM calls_by_actor WHERE tenant = {tenant:String}) AS by_actor,
  (SELECT sum(calls) FROM calls_by_tool WHERE tenant = {tenant:String}) AS by_tool,
  (SELECT sum(calls) FROM tools_by_actor WHERE tenant = {tenant:String}) AS tools`

const all = (count: number) => ({
  events: count,
  arrivals: count,
  by_actor: count,
  by_tool: count,
  tools: count,
})

describe.each(CONNECTIONS)('$name', ({ open }) => {
  let opened: Opened
  let database: Database
  let applied: string[]
  let files: string

  beforeAll(async () => {
    files = await mkdtemp(join(tmpdir(), 'gatewatch-files-'))
    opened = await open()
    database = opened.database
    applied = await migrate(database)
  })
  afterAll(async () => {
    await opened?.close()
    await rm(files, { recursive: true, force: true })
  })

  const insert = (rows: readonly string[], token: string) =>
    database.insert({ table: 'events', columns: EVENT_COLUMNS, rows: encode(rows), token })
  const counts = async (tenant: string) => (await database.query(COUNTS, { tenant }))[0]

  it('applies the migrations once', async () => {
    expect(applied.slice(0, 2)).toEqual(['0001_events.sql', '0002_findings_and_alerts.sql'])
    expect(await migrate(database)).toEqual([])
  })

  it('repeats a migration that was interrupted half-way', async () => {
    await database.command('DROP VIEW tools_by_actor_view')
    await database.command('DELETE FROM migrations WHERE name = {name:String}', { name: '0001_events.sql' })
    expect(await migrate(database)).toEqual(['0001_events.sql'])
    await insert([eventRow(smallEvent({ tenant: 'repaired' }))], 'repaired')
    expect(await counts('repaired')).toEqual(all(1))
  })

  it('lets two migrate at once', async () => {
    await database.command('DELETE FROM migrations WHERE 1')
    await Promise.all([migrate(database), migrate(database)])
    expect(await migrate(database)).toEqual([])
    await insert([eventRow(smallEvent({ tenant: 'raced' }))], 'raced')
    expect(await counts('raced')).toEqual(all(1))
  })

  it('refuses a store that a newer version made', async () => {
    const name = '9999_of_tomorrow.sql'
    await database.command("INSERT INTO migrations (name, hash) VALUES ({name:String}, 'x')", { name })
    await expect(migrate(database)).rejects.toMatchObject({
      code: 'store_rejected',
      message: expect.stringContaining(name),
    })
    await database.command('DELETE FROM migrations WHERE name = {name:String}', { name })
    expect(await migrate(database)).toEqual([])
  })

  it('refuses a migration that was changed afterwards', async () => {
    const [{ hash }] = (await database.query<{ hash: string }>(
      'SELECT hash FROM migrations FINAL WHERE name = {name:String}',
      { name: '0001_events.sql' },
    )) as [{ hash: string }]
    const name = '0001_events.sql'
    const write = 'INSERT INTO migrations (name, hash) VALUES ({name:String}, {hash:String})'
    await database.command('DELETE FROM migrations WHERE name = {name:String}', { name })
    await database.command(write, { name, hash: 'another' })
    expect((await errorOf(migrate(database))).message).toContain('0001_events.sql was changed')
    await database.command('DELETE FROM migrations WHERE name = {name:String}', { name })
    await database.command(write, { name, hash })
  })

  it('stores a block once per token, in the table and in all that follows from it', async () => {
    const rows = [0, 1, 2].map((offset) => eventRow(smallEvent({ tenant: 'tokens', offset })))
    await insert(rows, 'tokens/1')
    await insert(rows, 'tokens/1')
    expect(await counts('tokens')).toEqual(all(3))
    await insert(rows, 'tokens/2')
    expect(await counts('tokens')).toEqual(all(6))
  })

  it('stores a file of rows once per token', async () => {
    const path = join(files, "a file's rows.jsonl")
    await writeFile(path, encode([0, 1].map((offset) => eventRow(smallEvent({ tenant: 'files', offset })))))
    const block = { table: 'events', columns: EVENT_COLUMNS, rows: { path }, token: 'files/1' }
    await database.insert(block)
    await database.insert(block)
    expect(await counts('files')).toEqual(all(2))
  })

  it('stores events by columns as it stores them by lines, once per token', async () => {
    const words = Array.from({ length: 70_000 }, (_, offset) => offset)
    const eventsOf = (tenant: string) => [
      ...[0, 1].map((offset) => fullEvent({ tenant, offset })),
      ...words.map((offset) =>
        smallEvent({ tenant, offset, actor: `a${offset}`, argument_keys: [`${offset}`] }),
      ),
      ...[300, 70_000].map((length) =>
        smallEvent({ tenant, offset: length, 'mcp.session.id': 'ä'.repeat(length) }),
      ),
    ]
    await insert(eventsOf('by-lines').map(eventRow), 'by-lines')
    const encoder = createEventColumns()
    encoder.add(eventsOf('by-columns'))
    const block = { table: 'events', ...encoder.finish(), format: 'Native' as const, token: 'by-columns' }
    await database.insert(block)
    await database.insert(block)
    expect(await counts('by-columns')).toEqual(await counts('by-lines'))
    const shared = EVENT_COLUMNS.filter((name) => name !== 'tenant' && name !== 'event_id').join(', ')
    const [different] = await database.query<{ rows: number; both: number }>(
      `SELECT toUInt64(count()) AS rows, toUInt64(sum(times = 2)) AS both FROM (
         SELECT count() AS times FROM events WHERE tenant IN ('by-lines', 'by-columns') GROUP BY ${shared}
       )`,
    )
    expect(different).toEqual({ rows: 70_004, both: 70_004 })
  })

  it('completes what a failing view left half done, when the same token comes again', async () => {
    await database.command(
      `CREATE TABLE obstacle (n Int64) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100`,
    )
    await database.command(
      `CREATE MATERIALIZED VIEW obstacle_view TO obstacle AS SELECT toInt64(throwIf(tenant = 'half', 'the view fails')) AS n FROM events`,
    )
    const rows = [0, 1].map((offset) => eventRow(smallEvent({ tenant: 'half', offset })))
    const error = await errorOf(insert(rows, 'half/1'))
    expect([error.code, error.retryable]).toEqual(['store_rejected', false])
    expect(error.message).toContain('the view fails')
    await database.command('DROP VIEW obstacle_view')
    await insert(rows, 'half/1')
    expect(await counts('half')).toEqual(all(2))
  })

  it('brings every field of an event back', async () => {
    const event = fullEvent({ tenant: 'fields' })
    await insert([eventRow(event)], 'fields')
    const rows = await database.query<Record<string, unknown>>(
      `SELECT ${EVENT_SELECT} FROM events WHERE tenant = {tenant:String}`,
      { tenant: 'fields' },
    )
    const { recorded_at, ...rest } = eventOf(rows[0]!)
    expect(rest).toEqual(event)
    expect(recorded_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  })

  it('leaves out what an event does not have', async () => {
    const event = smallEvent({ tenant: 'absent' })
    await insert([eventRow(event)], 'absent')
    const rows = await database.query<Record<string, unknown>>(
      `SELECT ${EVENT_SELECT} FROM events WHERE tenant = {tenant:String}`,
      { tenant: 'absent' },
    )
    const { recorded_at: _, ...rest } = eventOf(rows[0]!)
    expect(rest).toEqual(event)
  })

  it('takes any text as a parameter', async () => {
    const texts = [
      "O'Brien\\",
      "'; DROP TABLE events; --",
      'tab\tline\nreturn\r',
      '{tenant:String} {} \\N \\0',
      '😀 ‮ \u0001',
      '',
      ' ',
    ]
    for (const text of texts) {
      expect(await database.query('SELECT {text:String} AS text', { text })).toEqual([{ text }])
    }
    expect(await database.query('SELECT {texts:Array(String)} AS texts', { texts })).toEqual([{ texts }])
    expect(
      await database.query('SELECT {n:Int64} AS n, {ns:Array(Float64)} AS ns, {yes:Bool} AS yes', {
        n: -9_007_199_254_740_991,
        ns: [1.5, -2],
        yes: true,
      }),
    ).toEqual([{ n: -9_007_199_254_740_991, ns: [1.5, -2], yes: true }])
    const many = Array.from({ length: 5_000 }, (_, index) => `value ${index}`)
    expect(await database.query('SELECT length({many:Array(String)}) AS count', { many })).toEqual([
      { count: 5_000 },
    ])
  })

  it('does not write on a query, nor read files or other hosts', async () => {
    const statements = [
      "INSERT INTO watermarks (name) VALUES ('x')",
      'DROP TABLE watermarks',
      'SELECT 1 SETTINGS readonly = 0',
      "SELECT * FROM file('/etc/hostname', LineAsString)",
      "SELECT * FROM url('http://127.0.0.1:1/', LineAsString)",
      'SELECT 1; DROP TABLE watermarks',
    ]
    for (const statement of statements) {
      expect((await errorOf(database.query(statement))).code, statement).toBe('store_rejected')
    }
    expect(await database.query("SELECT count() AS count FROM watermarks WHERE name = 'x'")).toEqual([
      { count: 0 },
    ])
  })

  it('does not carry settings from one statement to the next', async () => {
    await database.command(
      "INSERT INTO watermarks (name) SETTINGS insert_deduplication_token = 'w' VALUES ('w')",
    )
    await database.command("INSERT INTO watermarks (name) VALUES ('w2')")
    await database.command('SELECT 1 SETTINGS max_rows_to_read = 1')
    const row = JSON.stringify(['w3', '2026-01-01 00:00:00.000000', '', 1])
    await database.insert({
      table: 'watermarks',
      columns: ['name', 'recorded_through', 'body', 'version'],
      rows: encode([row]),
      token: 'w3',
    })
    await database.command("INSERT INTO watermarks (name) VALUES ('w4')")
    expect(
      await database.query(
        "SELECT groupArray(name) AS names FROM (SELECT name FROM watermarks WHERE name LIKE 'w%' ORDER BY name)",
      ),
    ).toEqual([{ names: ['w', 'w2', 'w3', 'w4'] }])
    expect(await database.query('SELECT number FROM numbers(3) LIMIT 3')).toHaveLength(3)
  })

  it('leaves nothing of a query that failed half-way to the next', async () => {
    const fails = "SELECT number, throwIf(number = 300000, 'half-way') AS thrown FROM numbers(400000)"
    const attempts = Array.from({ length: 6 }, () => [
      errorOf(database.query(fails)).then((error) => error.message),
      errorOf(database.query(`${fails} WHERE number < {n:Int64}`, { n: 400_000 })).then(
        (error) => error.message,
      ),
      database.query('SELECT 2 AS two'),
      database.query('SELECT {n:Int64} AS n', { n: 3 }),
    ])
    const answers = await Promise.all(attempts.flat())
    for (const [index, answer] of answers.entries()) {
      if (index % 4 < 2) expect(answer).toContain('half-way')
      else expect(answer).toEqual([index % 4 === 2 ? { two: 2 } : { n: 3 }])
    }
  })

  it('says what is wrong and that a retry does not help', async () => {
    const attempts: (() => Promise<unknown>)[] = [
      () => database.query('SELECT nothing FROM events'),
      () => database.query('SELECT'),
      () => database.command('DROP TABLE no_such_table'),
      () => database.query('SELECT {missing:String}'),
      () =>
        database.insert({ table: 'events', columns: ['version'], rows: encode(['["x"]']), token: 'bad/1' }),
      () =>
        database.insert({ table: 'events', columns: ['no_such'], rows: encode(['["x"]']), token: 'bad/2' }),
      () =>
        database.insert({
          table: 'events',
          columns: EVENT_COLUMNS,
          rows: { path: join(files, 'gone') },
          token: 'bad/3',
        }),
    ]
    for (const [index, attempt] of attempts.entries()) {
      const error = await errorOf(attempt())
      expect([index, error.code, error.retryable]).toEqual([index, 'store_rejected', false])
      expect(error.message.length).toBeGreaterThan(10)
    }
  })

  it('says of each fault of the engine whether it passes, as the lists say', async () => {
    const names = async (codes: readonly string[]) =>
      (
        await database.query<{ name: string }>(
          'SELECT errorCodeToName(toUInt32(code)) AS name FROM (SELECT arrayJoin({codes:Array(String)}) AS code)',
          { codes },
        )
      ).map(({ name }) => name)
    for (const list of [PASSING, ROW_FAULTS])
      expect(await names(Object.keys(list))).toEqual(Object.values(list))
    const fault = (code: string) =>
      errorOf(
        database.command(
          `SELECT throwIf(1, 'it fails', toInt16(${code})) SETTINGS allow_custom_error_code_in_throwif = 1`,
        ),
      )
    for (const code of ['210', '241', '242', '243', '252', '999'])
      expect(await fault(code), code).toMatchObject({ code: 'store_unavailable', retryable: true })
    for (const code of ['27', '60', '497'])
      expect(await fault(code), code).toMatchObject({ code: 'store_rejected', retryable: false })
  })

  it('stores a fenced block once for its token, and nothing of it behind the fence', async () => {
    const block = (tenant: string, sql: string) => ({
      ...{ table: 'events', columns: EVENT_COLUMNS, token: `fenced/${tenant}`, fence: { sql } },
      rows: encode([0, 1].map((offset) => eventRow(fullEvent({ tenant, offset })))),
    })
    await database.insert(block('before-fence', 'SELECT count() FROM leases'))
    await database.insert(block('before-fence', 'SELECT count() FROM leases'))
    expect(await counts('before-fence')).toEqual(all(2))
    const error = await errorOf(database.insert(block('behind-fence', 'SELECT count() FROM migrations')))
    expect([error.code, error.retryable]).toEqual(['conflict', false])
    expect(await counts('behind-fence')).toEqual(all(0))
  })

  it('takes nothing of a block with one bad row', async () => {
    const good = eventRow(smallEvent({ tenant: 'atomic' }))
    const error = await errorOf(insert([good, good.replace('"atomic"', '{'), good], 'atomic'))
    expect(error.code).toBe('store_rejected')
    expect(await database.query("SELECT count() AS count FROM events WHERE tenant = 'atomic'")).toEqual([
      { count: 0 },
    ])
  })

  it('stores 50,000 rows as one block', async () => {
    const rows = Array.from({ length: 50_000 }, (_, offset) =>
      eventRow(smallEvent({ tenant: 'block', offset })),
    )
    await insert(rows, 'block')
    await insert(rows, 'block')
    // One block has one time of recording; two blocks would have two.
    const found = await database.query(
      "SELECT count() AS count, uniqExact(recorded_at) AS times, uniqExact(offset) AS offsets FROM events WHERE tenant = 'block'",
    )
    expect(found).toEqual([{ count: 50_000, times: 1, offsets: 50_000 }])
    expect(await counts('block')).toEqual(all(50_000))
  })

  it('cancels a version and keeps the sums right', async () => {
    const columns = [...EVENT_COLUMNS, 'sign', 'version']
    const row = (sign: number, version: number, outcome: 'unknown' | 'failure') =>
      `${eventRow(smallEvent({ tenant: 'corrected', outcome })).slice(0, -1)},${sign},${version}]`
    const write = (rows: readonly string[], token: string) =>
      database.insert({ table: 'events', columns, rows: encode(rows), token })
    await write([row(1, 1, 'unknown')], 'corrected/1')
    await write([row(-1, 1, 'unknown'), row(1, 2, 'failure')], 'corrected/2')
    expect(
      await database.query(
        "SELECT sum(calls) AS calls, sum(failures) AS failures FROM calls_by_actor WHERE tenant = 'corrected'",
      ),
    ).toEqual([{ calls: 1, failures: 1 }])
    expect(
      await database.query(
        `SELECT outcome FROM events WHERE tenant = 'corrected' AND sign = 1
         AND (event_id, version) NOT IN (SELECT event_id, version FROM events WHERE sign = -1 AND tenant = 'corrected')`,
      ),
    ).toEqual([{ outcome: 'failure' }])
  })
})

describe('a server whose account may not use table functions', () => {
  it('stores a fenced block after asking the fence, and nothing behind it', async () => {
    const server = await startClickHouse()
    // As ClickHouse before 26.5 answers an account without CREATE TEMPORARY TABLE.
    const strict = createServer(async (request, response) => {
      if (request.url?.includes('input%28') || request.url?.includes('input(')) {
        request.resume()
        response.writeHead(403, { 'x-clickhouse-exception-code': '497' })
        response.end('Code: 497. DB::Exception: gatewatch: Not enough privileges. (ACCESS_DENIED)')
        return
      }
      const headers = new Headers(
        Object.entries(request.headers).filter(
          ([name]) => name.startsWith('x-clickhouse') || name.startsWith('content-type'),
        ) as [string, string][],
      )
      const body = await buffer(request)
      const answer = await fetch(new URL(request.url ?? '/', server.url), {
        ...{ method: request.method ?? 'GET', headers },
        ...(body.length === 0 ? {} : { body: new Uint8Array(body) }),
      })
      response.writeHead(answer.status, { 'content-type': 'text/plain' })
      response.end(Buffer.from(await answer.arrayBuffer()))
    }).listen(0, '127.0.0.1')
    await once(strict, 'listening')
    const { port } = strict.address() as AddressInfo
    const database = await openServer({ url: `http://127.0.0.1:${port}` })
    try {
      const block = (tenant: string, sql: string) => ({
        ...{ table: 'events', columns: EVENT_COLUMNS, token: `strict/${tenant}`, fence: { sql } },
        rows: encode([eventRow(smallEvent({ tenant }))]),
      })
      await database.insert(block('before-fence', 'SELECT count() FROM leases'))
      const error = await errorOf(database.insert(block('behind-fence', 'SELECT count() FROM migrations')))
      expect([error.code, error.retryable]).toEqual(['conflict', false])
      expect(await database.query('SELECT tenant FROM events')).toEqual([{ tenant: 'before-fence' }])
    } finally {
      await database.close()
      strict.closeAllConnections()
      strict.close()
      await server.stop()
    }
  })
})

describe('a server that is away', () => {
  let server: ClickHouseServer
  let database: Database

  beforeAll(async () => {
    server = await startClickHouse({ password: "p'ss" })
    database = await open(PATIENCE_MS)
  })
  afterAll(async () => {
    await database?.close()
    await server?.stop()
  })

  const open = (requestTimeoutMs: number) =>
    openServer({ url: server.url, password: "p'ss", requestTimeoutMs })
  const rows = encode([0, 1].map((offset) => eventRow(smallEvent({ tenant: 'away', offset }))))
  const block = (token: string) => ({ table: 'events', columns: EVENT_COLUMNS, rows, token })

  it('refuses a wrong password for good', async () => {
    const error = await errorOf(openServer({ url: server.url, password: 'wrong' }))
    expect([error.code, error.retryable]).toEqual(['store_rejected', false])
  })

  it('is worth a retry when killed, and has what it acknowledged afterwards', async () => {
    await database.insert(block('killed/1'))
    await server.kill()
    const attempts: (() => Promise<unknown>)[] = [
      () => database.insert(block('killed/2')),
      () => database.query('SELECT 1'),
      () => database.command('SELECT 1'),
    ]
    for (const attempt of attempts) {
      const error = await errorOf(attempt())
      expect([error.code, error.retryable]).toEqual(['store_unavailable', true])
      expect(error.message).not.toBe('')
    }
    await server.start()
    await database.insert(block('killed/1'))
    await database.insert(block('killed/2'))
    expect((await database.query(COUNTS, { tenant: 'away' }))[0]).toEqual(all(4))
  })

  it('is worth a retry when it hangs', async () => {
    // It asks at once whether the database is there; on a busy machine not every such question is answered in time.
    const impatient = await eventually(
      () => open(1_500).catch(() => undefined),
      (opened) => opened !== undefined,
    )
    server.pause()
    const error = await errorOf(impatient?.query('SELECT 1') ?? Promise.resolve())
    server.resume()
    await impatient?.close()
    expect([error.code, error.retryable]).toEqual(['store_unavailable', true])
    expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  it('stores a block once although the answer to it was lost', async () => {
    await server.loseAnswers(1)
    const error = await errorOf(database.insert(block('lost')))
    expect([error.code, error.retryable]).toEqual(['store_unavailable', true])
    await database.insert(block('lost'))
    expect((await database.query(COUNTS, { tenant: 'away' }))[0]).toEqual(all(6))
  })
})

describe('one data folder', () => {
  it('belongs to one process at a time', async () => {
    const server = await startClickHouse()
    // This process has its engine open elsewhere, and an engine has one folder for life: ask from a third process.
    const program = fileURLToPath(new URL('../../helpers/clickhouse/open-embedded.ts', import.meta.url))
    const ask = async () => {
      const child = fork(program, [server.folder], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
      const [answer] = (await once(child, 'message')) as [{ code?: string; message?: string }]
      return answer
    }
    try {
      const refused = await ask()
      expect(refused.code).toBe('store_locked')
      expect(refused.message).toContain(server.folder)
      await server.kill()
      expect(await ask()).toEqual({})
    } finally {
      await server.stop()
    }
  })
})
