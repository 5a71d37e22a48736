import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openEmbedded } from '../../../store/clickhouse.ts'
import { type Database, forPeople } from '../../../store/database.ts'

let folder: string
let database: Database
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-lanes-'))
  database = await openEmbedded({ path: join(folder, 'store') })
})
afterAll(async () => {
  await database?.close()
  await rm(folder, { recursive: true, force: true })
})

it('answers detection while the questions of people have all of their connections', async () => {
  const people = forPeople(database)
  const order: string[] = []
  // Each takes a connection of people's for as long as the sleeps take. With values: chDB by itself runs all questions that
  // have some one after the other, in the order in which they were asked.
  const sleeps = Array.from({ length: 5 }, () => 'SELECT sleep({seconds:UInt8}) AS slept').join(' UNION ALL ')
  const asked = [1, 2].map(() => people.query(sleeps, { seconds: 3 }).then(() => order.push('people')))
  for (let tick = 0; tick < 3; tick++) {
    await database.query('SELECT {tick:UInt32} AS tick', { tick })
    order.push('detection')
  }
  await database.command('CREATE TABLE IF NOT EXISTS t (a UInt8) ENGINE = MergeTree ORDER BY a')
  order.push('ingest')
  await Promise.all(asked)
  expect(order).toEqual(['detection', 'detection', 'detection', 'ingest', 'people', 'people'])
})

it('gives people half of the cores, and takes no setting from them', async () => {
  const threads = async (query: Database['query']) =>
    (await query<{ threads: number }>("SELECT toUInt32(getSetting('max_threads')) AS threads"))[0]?.threads ??
    0
  expect(await threads(database.queryForPeople)).toBeLessThanOrEqual(
    Math.max(1, (await threads(database.query)) / 2),
  )
  await expect(database.queryForPeople('SET max_threads = 64')).rejects.toThrow()
  await expect(database.queryForPeople('CREATE TABLE x (a UInt8) ENGINE = Memory')).rejects.toThrow()
})

it('hands every value on as it is', async () => {
  const texts = [
    '',
    "'",
    '\\',
    "\\'",
    '\n\t\r',
    '{a:String}',
    "x' UNION ALL SELECT 1 --",
    'ключ 🔑',
    '\u2028',
    '%_',
    '/*',
    '`"',
    'a\0b',
  ]
  for (const text of texts) {
    const [row] = await database.query(
      'SELECT {text:String} AS text, {list:Array(String)} AS list, length({list:Array(String)}) AS items',
      {
        text,
        list: [text, text],
      },
    )
    expect(row, JSON.stringify(text)).toEqual({ text, list: [text, text], items: 2 })
  }
  const numbers = { n: -5, u: 4_503_599_627_370_497, f: 0.1, e: 1e-9, list: [1, -2], none: [] }
  expect(
    await database.query(
      `SELECT {n:Int64} AS n, {u:UInt64} AS u, {f:Float64} AS f, {e:Float64} AS e, {list:Array(Int64)} AS list, {none:Array(String)} AS none,
              toString({at:DateTime64(6, 'UTC')}) AS at, {yes:Bool} AS yes LIMIT {limit:UInt32}`,
      { ...numbers, at: '2026-02-28 23:59:59.123456', yes: true, limit: 10 },
    ),
  ).toEqual([{ ...numbers, at: '2026-02-28 23:59:59.123456', yes: true }])
})

it('takes lists that are longer than a statement may be by default', async () => {
  const ids = Array.from({ length: 10_000 }, (_, index) => `${'0123456789abcdef'.repeat(4)}${index}`)
  expect(
    await database.query(
      'SELECT count() AS found FROM numbers(10000) WHERE concat(repeat({hex:String}, 4), toString(number)) IN {ids:Array(String)}',
      {
        ids,
        hex: '0123456789abcdef',
      },
    ),
  ).toEqual([{ found: 10_000 }])
})
