import { rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { createGunzip } from 'node:zlib'

/**
 * The process behind `startClickHouse`: ClickHouse’s HTTP interface, as far as its clients use it, over the engine
 * of chDB. Every request has a session of its own, as on a server, so that no setting outlives its request.
 * Arguments: data folder, port, password (empty: none). Messages: see `Order`.
 */

/** What the tests tell the process to do to the requests that come next. */
export type Order = { readonly loseAnswers: number }

interface Session {
  queryAsync(sql: string, options?: { format?: string }): Promise<{ bytes(): Uint8Array }>
  close(): void
}

const { Session: NewSession } = createRequire(import.meta.url)('chdb') as {
  Session: new (path: string, options?: { connectionArgs: string[] }) => Session
}
const [folder = '', port = '0', password = ''] = process.argv.slice(2)

// Keeps the engine up between requests, and sets its limits.
const keeper = new NewSession(folder, {
  connectionArgs: ['--max_server_memory_usage=2000000000', '--mark_cache_size=67108864'],
})
let answersToLose = 0
process.on('message', (order: Order) => {
  answersToLose = order.loseAnswers
})
process.on('disconnect', () => process.exit(0))

// Parameters of the URL that are not settings. The rest of the line is what only the HTTP layer of a server knows.
const NOT_SETTINGS = new Set([
  ...['query', 'database', 'query_id', 'session_id', 'session_timeout', 'role', 'user', 'password'],
  ...['default_format', 'wait_end_of_query', 'send_progress_in_http_headers', 'enable_http_compression'],
])

const STATUS: Readonly<Record<string, number>> = {
  ...{
    62: 400,
    27: 400,
    117: 400,
    53: 400,
    456: 400,
    60: 404,
    81: 404,
    47: 404,
    516: 403,
    159: 408,
    164: 403,
  },
}

class Refused extends Error {}

const literal = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const gzip = request.headers['content-encoding'] === 'gzip'
  return buffer(gzip ? request.pipe(createGunzip()) : request)
}

function authenticate(request: IncomingMessage, search: URLSearchParams): void {
  const basic = /^Basic (.*)$/.exec(request.headers.authorization ?? '')?.[1]
  const given =
    basic === undefined
      ? (request.headers['x-clickhouse-key'] ?? search.get('password') ?? '')
      : Buffer.from(basic, 'base64')
          .toString()
          .replace(/^[^:]*:/, '')
  if (password !== '' && given !== password) {
    throw new Refused(
      'Code: 516. DB::Exception: Authentication failed: password is incorrect. (AUTHENTICATION_FAILED)',
    )
  }
}

async function execute(request: IncomingMessage, search: URLSearchParams): Promise<Uint8Array> {
  authenticate(request, search)
  let body = await bodyOf(request)
  if (request.headers['content-type']?.startsWith('multipart/form-data')) {
    const headers = { 'content-type': request.headers['content-type'] }
    const form = await new Response(new Uint8Array(body), { headers }).formData()
    for (const [name, value] of form) search.set(name, String(value))
    body = Buffer.alloc(0)
  }
  const session = new NewSession(folder)
  try {
    const database = search.get('database') ?? request.headers['x-clickhouse-database']
    if (typeof database === 'string') await session.queryAsync(`USE \`${database}\``)
    const settings = [...search].filter(([name]) => !NOT_SETTINGS.has(name))
    // readonly last: a server checks the settings of a request before it applies any of them.
    settings.sort(([a], [b]) => Number(a === 'readonly') - Number(b === 'readonly'))
    for (const [name, value] of settings) await session.queryAsync(`SET ${name} = ${literal(value)}`)
    if (request.method === 'GET' && !search.has('readonly')) await session.queryAsync('SET readonly = 2')
    const format = search.get('default_format') ?? 'TabSeparated'
    const query = search.get('query') ?? ''
    const binary = /^(INSERT .*) FORMAT Native$/s.exec(query)?.[1]
    if (binary !== undefined) return await insertBinary(session, binary, body)
    const input =
      /^(?<insert>INSERT .* FROM )input\((?<types>'(?:[^'\\]|\\.)*')\)(?<rest>.*) FORMAT (?<format>\w+)$/s.exec(
        query,
      )?.groups
    if (input !== undefined)
      return await withFile(body, (path) =>
        session.queryAsync(
          `${input['insert']}file(${literal(path)}, ${input['format']}, ${input['types']})${input['rest']}`,
        ),
      )
    const sql = [search.get('query') ?? '', body.toString()].filter((part) => part !== '').join('\n')
    return (await session.queryAsync(sql, { format })).bytes()
  } finally {
    session.close()
  }
}

// The engine takes only text behind a statement; it reads anything from a file.
const insertBinary = (session: Session, insert: string, body: Buffer): Promise<Uint8Array> =>
  withFile(body, (path) => session.queryAsync(`${insert} SELECT * FROM file(${literal(path)}, Native)`))

async function withFile(
  body: Buffer,
  ask: (path: string) => Promise<{ bytes(): Uint8Array }>,
): Promise<Uint8Array> {
  const path = join(folder, `body-${crypto.randomUUID()}`)
  await writeFile(path, body)
  try {
    return (await ask(path)).bytes()
  } finally {
    await rm(path)
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost')
  if (url.pathname === '/ping') {
    response.end('Ok.\n')
    return
  }
  response.setHeader('X-ClickHouse-Query-Id', url.searchParams.get('query_id') ?? crypto.randomUUID())
  response.setHeader('X-ClickHouse-Server-Display-Name', 'fixture')
  response.setHeader('X-ClickHouse-Timezone', 'UTC')
  try {
    const result = await execute(request, url.searchParams)
    if (answersToLose > 0 && url.searchParams.get('query')?.startsWith('INSERT')) {
      answersToLose -= 1
      request.socket.destroy()
      return
    }
    response.setHeader(
      'X-ClickHouse-Summary',
      JSON.stringify({
        read_rows: '0',
        read_bytes: '0',
        written_rows: '0',
        written_bytes: '0',
        elapsed_ns: '0',
      }),
    )
    response.end(result)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    const code = /^Code: (\d+)/.exec(text)?.[1] ?? '1002'
    response.writeHead(STATUS[code] ?? 500, { 'X-ClickHouse-Exception-Code': code })
    response.end(`${text}\n`)
  }
}

// A server takes 1 MiB of request line and headers.
const server = createServer({ maxHeaderSize: 1 << 20 }, (request, response) => void answer(request, response))
server.keepAliveTimeout = 10_000
server.listen(Number(port), '127.0.0.1', () =>
  process.send?.({ listening: true, keeper: keeper !== undefined }),
)
