import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { openEmbedded, openServer } from '../../../store/clickhouse.ts'

const userOf = ({ headers }: IncomingMessage): string =>
  String(headers['x-clickhouse-user'] ?? Buffer.from(headers.authorization?.slice(6) ?? '', 'base64')).split(
    ':',
  )[0] ?? ''

it('asks as the reader and writes as the writer', async () => {
  const seen: [user: string, statement: string][] = []
  const server = createServer(async (request, response) => {
    const statement =
      new URL(request.url ?? '', 'http://x').searchParams.get('query') ?? (await text(request))
    seen.push([userOf(request), statement.trim().split(/\s/)[0] ?? ''])
    request.resume()
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const reader = { username: 'gatewatch_reader', password: 'r' }
  const database = await openServer({ url, username: 'gatewatch', password: 'w', reader })
  try {
    await database.query('SELECT 1')
    await database.queryForPeople('SELECT 1')
    await database.command('ALTER TABLE events MODIFY TTL x')
    await database.insert({ table: 'events', columns: ['a'], rows: Buffer.from('[1]\n'), token: 't' })
  } finally {
    await database.close()
    server.close()
  }
  expect(seen).toEqual([
    ['gatewatch', 'CREATE'],
    ...[
      ['gatewatch_reader', 'SELECT'],
      ['gatewatch_reader', 'SELECT'],
    ],
    ['gatewatch', 'ALTER'],
    ['gatewatch', 'INSERT'],
  ])
})

it('the grants of the shipped accounts are statements that the engine knows', async () => {
  const users = readFileSync(
    new URL('../../../deploy/clickhouse/users.template.xml', import.meta.url),
    'utf8',
  )
  const grants = [...users.matchAll(/<query>(.*?)<\/query>/g)].map(([, grant]) => grant)
  expect(grants.length).toBeGreaterThan(4)
  const folder = mkdtempSync(join(tmpdir(), 'gatewatch-accounts-'))
  const database = await openEmbedded({ path: folder })
  try {
    for (const grant of grants)
      expect(await database.query(`EXPLAIN AST ${grant} TO somebody`)).toEqual([{ explain: 'GrantQuery' }])
  } finally {
    await database.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
