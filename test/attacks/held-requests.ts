import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { addressRefusal, parseReceiverUrl } from '../../alerts/address.ts'
import { runCommand } from '../helpers/gatewatch.ts'
import type { Attack, AttackResult, Sender, Target } from './attack.ts'

const SECTION = { section: 4 } as const

const statusOf = async (reply: Response): Promise<number> => {
  await reply.body?.cancel()
  return reply.status
}

const isWell = async (target: Target): Promise<boolean> => (await target.ask('/healthz')).ok

const call = (tool: string, more: object = {}) => ({
  'mcp.method.name': 'tools/call',
  ...{ 'gen_ai.tool.name': tool, 'mcp.server.name': 'held', 'user.id': 'mallory' },
  occurred_at: new Date().toISOString(),
  ...more,
})

const SQL = [
  "' OR 1=1 --",
  "') OR ('1'='1",
  "'; DROP TABLE events; --",
  "\\'; DROP TABLE events; --",
  '\\',
  "\\' OR 1=1 #",
  "' UNION ALL SELECT * FROM system.tables --",
  '{tenant:String}',
  "{x:String}' OR 1=1",
  '`; SELECT 1; `',
  '/* */ OR 1=1 /*',
  "' FORMAT JSON SETTINGS readonly=0 --",
  "%' OR '1'='1",
  "file('/etc/passwd')",
  "' AND sleepEachRow(3) --",
  "url('http://127.0.0.1:1/')",
  '$$ OR 1=1 $$',
  "x' || (SELECT 1) || '",
  "\u0000' OR 1=1 --",
  '1; KILL QUERY WHERE 1',
]

const sql: Attack = {
  ...SECTION,
  name: 'Text in a parameter is run by the store',
  kind: 'SQL in a parameter',
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const { attacker } = target.pair()
    await attacker.sendEvents([call('held_sql')])
    const before = (await target.searchUntil('tool:held_sql', 1)).length
    const wrong: string[] = []
    for (const text of SQL) {
      const quoted = encodeURIComponent(`tool:${JSON.stringify(text)}`)
      const raw = encodeURIComponent(text)
      const paths = [
        `/v1/events?q=${quoted}&from=-1d`,
        `/v1/events?actor=${raw}&from=-1d`,
        `/v1/events?tool=${raw}&from=-1d`,
        `/v1/events/${raw}`,
        `/v1/chains?key=${raw}`,
        `/v1/dead-letters?text=${raw}`,
        `/v1/findings?actor=${raw}`,
      ]
      for (const path of paths) {
        const answer = await target.ask(path)
        const { events = [] } = (await answer.json()) as { events?: unknown[] }
        if (answer.status >= 500 || events.length > 0)
          wrong.push(`${path}: ${answer.status}, ${events.length} rows`)
      }
    }
    const after = (await target.search('tool:held_sql')).length
    return {
      succeeded: wrong.length > 0 || after !== before,
      detail: `${wrong.length} of ${SQL.length * 7} did something: ${wrong[0] ?? ''}; ${after} of ${before} rows are there`,
    }
  },
}

const RECEIVERS = [
  ...[
    'https://127.0.0.1/',
    'https://127.1/',
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0177.0.0.1/',
  ],
  ...[
    'https://0/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::127.0.0.1]/',
    'https://10.0.0.1/',
  ],
  ...[
    'https://172.16.5.4/',
    'https://192.168.1.1/',
    'https://100.64.0.1/',
    'https://[fe80::1]/',
    'https://[fc00::1]/',
  ],
  ...[
    'https://[64:ff9b::7f00:1]/',
    'https://[2002:7f00:1::]/',
    'https://[2001:0:7f00:1::]/',
    'https://224.0.0.1/',
  ],
  ...[
    'https://a@127.0.0.1/',
    'http://hooks.example.com/',
    'file:///etc/passwd',
    'gopher://hooks.example.com/',
    '',
  ],
]

const receivers: Attack = {
  ...SECTION,
  name: 'An address of a receiver, however it is written, leads into the own network',
  kind: 'receiver inside',
  async run(): Promise<AttackResult> {
    const open = RECEIVERS.filter((url) => typeof parseReceiverUrl(url, false) !== 'string')
    return {
      succeeded: open.length > 0,
      detail: `${open.length} of ${RECEIVERS.length} were taken: ${open.join(', ')}`,
    }
  },
}

const METADATA = [
  ...[
    '169.254.169.254',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    'fd00:ec2::254',
    '::ffff:100.100.100.200',
  ],
  ...['::ffff:168.63.129.16', 'fd00:0ec2:0:0:0:0:0:254', '::ffff:169.254.169.254', 'fe80::a9fe:a9fe'],
]

const metadata: Attack = {
  ...SECTION,
  name: 'A metadata service of a cloud is a receiver, when private networks are allowed',
  kind: 'metadata service',
  async run(): Promise<AttackResult> {
    const open = METADATA.filter(
      (address) =>
        addressRefusal(address, true) === undefined || addressRefusal(address, false) === undefined,
    )
    return {
      succeeded: open.length > 0,
      detail: `${open.length} of ${METADATA.length} were taken: ${open.join(', ')}`,
    }
  },
}

const HOSTILE = [
  ...[
    '\u001b[31mred\u001b[0m\u0007',
    '\u202egnp.exe\u202c',
    '\u009b2J',
    'a\rb',
    'nul\u0000byte',
    '\u001b]0;title\u0007',
  ],
  ...[
    '\u001b]8;;http://evil.example\u0007link',
    '<img src=x onerror=alert(1)>',
    '=HYPERLINK("http://evil.example")',
    '__proto__',
  ],
]

const terminal: Attack = {
  ...SECTION,
  name: 'A name that an agent chose acts on the terminal of who lists the calls',
  kind: 'hostile text on a terminal',
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const { attacker } = target.pair()
    await attacker.sendEvents(
      HOSTILE.map((text, index) =>
        call('held_terminal', {
          ...{ 'user.id': `u${index} ${text}`, 'error.message': text, 'mcp.server.name': text },
          'gen_ai.tool.call.arguments': { [text]: text },
        }),
      ),
    )
    await target.searchUntil('tool:held_terminal', HOSTILE.length)
    const key = await tokenFor(target)
    const { stdout, stderr, code } = await runCommand(
      ['events', 'tool:held_terminal', '--url', target.url, '--limit', '50'],
      { env: { GATEWATCH_TOKEN: key } },
    )
    if (code !== 0) throw new Error(`gatewatch events ended with ${code}: ${stderr}`)
    const acting = [...stdout, ...stderr].find(
      (char) => char !== '\n' && char !== '\t' && /[\p{Cc}\p{Bidi_C}]/u.test(char),
    )
    return {
      succeeded: acting !== undefined,
      detail:
        acting === undefined
          ? `${HOSTILE.length} names are text`
          : `U+${acting.charCodeAt(0).toString(16)} was printed`,
    }
  },
}

async function tokenFor(target: Target): Promise<string> {
  const answer = await target.post('/v1/token', '{}', { 'content-type': 'application/json' })
  return ((await answer.json()) as { token: string }).token
}

const BOMB = Buffer.alloc(100 * 1024 * 1024, 0x20)
// An inflated body may have so much.
const headersOf = (encoding: string) => ({
  'content-type': 'application/x-ndjson',
  'content-encoding': encoding,
})

const bomb = (
  kind: string,
  name: string,
  bodies: () => readonly (readonly [string, Uint8Array, string])[],
): Attack => ({
  ...SECTION,
  name,
  kind,
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const { attacker } = target.pair()
    const statuses: string[] = []
    for (const [path, body, encoding] of bodies()) {
      const headers =
        encoding === 'protobuf' ? { 'content-type': 'application/x-protobuf' } : headersOf(encoding)
      statuses.push(`${body.byteLength} bytes: ${await statusOf(await attacker.post(path, body, headers))}`)
    }
    const well = await isWell(target)
    return {
      succeeded: !well || statuses.some((status) => !/ 4\d\d$/.test(status)),
      detail: `${statuses.join('; ')}; the process ${well ? 'is well' : 'is not well'}`,
    }
  },
})

const gzip = bomb('gzip bomb', 'A small body as gzip that unpacks to a hundred MiB takes the memory', () => [
  ['/v1/events', gzipSync(BOMB), 'gzip'],
  ['/v1/logs', gzipSync(BOMB), 'gzip'],
])

const zstd = bomb('zstd bomb', 'A small body as zstd that unpacks to a hundred MiB takes the memory', () => [
  ['/v1/events', zstdCompressSync(BOMB), 'zstd'],
  ['/v1/events', zstdCompressSync(BOMB, { params: { [constants.ZSTD_c_windowLog]: 27 } }), 'zstd'],
])

/** Messages within messages, each the only field of the one around it. */
function nested(field: number, levels: number): Buffer {
  let inner = Buffer.alloc(0)
  for (let level = 0; level < levels; level++) {
    const length: number[] = []
    for (let rest = inner.length; ; rest >>>= 7) {
      length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest)
      if (rest <= 0x7f) break
    }
    inner = Buffer.concat([Buffer.from([(field << 3) | 2, ...length]), inner])
  }
  return inner
}

const protobuf: Attack = {
  ...SECTION,
  name: 'Protobuf that is nested without end, or says lengths that are not there, ends or stalls the process',
  kind: 'protobuf bomb',
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const { attacker } = target.pair()
    const bodies = [
      ...[nested(1, 5000), nested(2, 5000), nested(6, 5000)],
      ...[
        Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        Buffer.alloc(200_000, 0x0a),
        Buffer.alloc(200_000, 0xff),
      ],
    ]
    const statuses: number[] = []
    for (const body of bodies)
      for (const path of ['/v1/traces', '/v1/logs'])
        statuses.push(
          await statusOf(await attacker.post(path, body, { 'content-type': 'application/x-protobuf' })),
        )
    const well = await isWell(target)
    return {
      succeeded: !well || statuses.some((status) => status >= 500),
      detail: `answers ${statuses.join(', ')}; the process ${well ? 'is well' : 'is not well'}`,
    }
  },
}

const deep: Attack = {
  ...SECTION,
  name: 'JSON that is nested a hundred thousand deep ends the process',
  kind: 'deep JSON',
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const { attacker } = target.pair()
    const bodies = [
      '['.repeat(100_000),
      `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
      `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`,
    ]
    const statuses: number[] = []
    for (const body of bodies)
      statuses.push(
        await statusOf(await attacker.post('/v1/events', body, { 'content-type': 'application/x-ndjson' })),
      )
    const well = await isWell(target)
    return {
      succeeded: !well || statuses.some((status) => status >= 500),
      detail: `answers ${statuses.join(', ')}; the process ${well ? 'is well' : 'is not well'}`,
    }
  },
}

const CONNECTIONS = 200

const slow: Attack = {
  ...SECTION,
  name: 'Connections that send a byte now and then keep others from being answered',
  kind: 'slow connection',
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const { hostname, port } = new URL(target.url)
    const sockets = Array.from({ length: CONNECTIONS }, (_, index) => {
      const socket = connect(Number(port), hostname)
      socket.on('error', () => {})
      socket.write(
        index % 2 === 0
          ? 'GET /v1/events HTTP/1.1\r\nhost: localhost\r\nx-slow: '
          : 'POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{',
      )
      return socket
    })
    try {
      await sleep(300)
      for (const socket of sockets) socket.write('a')
      const answers = await Promise.all(Array.from({ length: 20 }, () => isWell(target)))
      return {
        succeeded: answers.includes(false),
        detail: `${answers.filter(Boolean).length} of ${answers.length} were answered beside ${CONNECTIONS} slow connections`,
      }
    } finally {
      for (const socket of sockets) socket.destroy()
    }
  },
}

const assets: Attack = {
  ...SECTION,
  name: 'A path with dots reads a file beside the pages',
  kind: 'path out of the pages',
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const { hostname, port } = new URL(target.url)
    const paths = [
      ...[
        '/assets/../../package.json',
        '/assets/..%2f..%2fpackage.json',
        '/assets/%2e%2e/%2e%2e/package.json',
      ],
      ...[
        '/assets/....//....//etc/passwd',
        '/assets/%00',
        '/assets/..%5c..%5cpackage.json',
        '//etc/passwd',
        '/assets//etc/passwd',
      ],
    ]
    // As they are: `fetch` would shorten them.
    const answerOf = (path: string) =>
      new Promise<string>((resolve) => {
        const socket = connect(Number(port), hostname, () =>
          socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`),
        )
        let text = ''
        socket.on('data', (chunk) => {
          text += chunk.toString('latin1')
        })
        socket.on('close', () => resolve(text))
        socket.on('error', () => resolve(text))
      })
    const answers = await Promise.all(paths.map(answerOf))
    const read = answers.filter((text) => /root:.*:0:0:|"devDependencies"/.test(text)).length
    return { succeeded: read > 0, detail: `${read} of ${paths.length} paths read a file` }
  },
}

const keyOfAnother: Attack = {
  ...SECTION,
  name: 'With the idempotency key of another source one reads its receipt, or keeps its records out',
  kind: 'idempotency key of another',
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const { victim, attacker } = target.pair()
    const send = async (sender: Sender, tool: string, count: number) => {
      const body = Array.from({ length: count }, (_, index) =>
        JSON.stringify(call(tool, { 'user.id': `u${index}` })),
      ).join('\n')
      const reply = await sender.post('/v1/events', body, {
        ...{ 'content-type': 'application/x-ndjson', 'x-gatewatch-wait': 'stored' },
        'idempotency-key': '"held-key-of-another"',
      })
      return { status: reply.status, receipt: (await reply.json()) as { stored?: number } }
    }
    const taken = await send(attacker, 'held_key_attacker', 3)
    const own = await send(victim, 'held_key_victim', 5)
    const stored = await target.searchUntil('tool:held_key_victim', 5)
    return {
      succeeded:
        own.status !== 202 || own.receipt.stored !== 5 || stored.length !== 5 || taken.receipt.stored !== 3,
      detail: `${taken.receipt.stored} of 3 and then ${own.receipt.stored} of 5 were stored (${own.status})`,
    }
  },
}

const accessRecords: Attack = {
  ...SECTION,
  name: 'A sender writes into the access log, or into another tenant, by what a record says',
  kind: 'forged access record',
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const { attacker } = target.pair()
    const mark = 'held_forged_access'
    const tenants = [
      'access',
      'default/access',
      'default:access',
      'access/default',
      'default\u0000access',
      'globex',
    ]
    await attacker.sendEvents(
      tenants.map((tenant, index) => call(mark, { tenant, 'user.id': `u${index}`, source_format: 'access' })),
    )
    const own = await target.searchUntil(`tool:${mark}`, tenants.length)
    const log = (await (await target.ask('/v1/access-log?limit=1000')).json()) as {
      events: Record<string, unknown>[]
    }
    const forged = log.events.filter((event) => event['gen_ai.tool.name'] === mark).length
    const foreign = own.filter(({ tenant }) => tenant !== 'default').length
    return {
      succeeded: forged > 0 || foreign > 0 || own.length !== tenants.length,
      detail: `${own.length} of ${tenants.length} in the own tenant, ${forged} in the access log`,
    }
  },
}

const accessRows: Attack = {
  ...SECTION,
  name: 'A reader without admin sees rows of the access log, a tenant of its own, by id, filter, chain or cursor',
  kind: 'foreign rows',
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    await target.get('/v1/events?q=held-foreign')
    let rows: Record<string, unknown>[] = []
    for (let tries = 0; tries < 600 && rows.length === 0; tries++) {
      rows = (await target.get<{ events: Record<string, unknown>[] }>('/v1/access-log?limit=20')).events
      if (rows.length === 0) await sleep(100)
    }
    const minted = await target.post('/v1/token', JSON.stringify({ capabilities: ['events:read'] }), {
      'content-type': 'application/json',
    })
    const { token } = (await minted.json()) as { token: string }
    const read = async (path: string) => {
      const answer = await fetch(new URL(path, target.url), { headers: { authorization: `Bearer ${token}` } })
      return { status: answer.status, text: await answer.text() }
    }
    const seen: string[] = []
    for (const row of rows) {
      const [id, chain, tenant] = ['event_id', 'chain', 'tenant'].map((field) =>
        encodeURIComponent(String(row[field])),
      )
      const paths = [
        ...[
          `/v1/events/${id}`,
          `/v1/events?q=event_id:${id}&from=-1d`,
          `/v1/events?q=tenant:${tenant}&from=-1d`,
        ],
        ...[
          `/v1/chains?key=${chain}`,
          `/v1/events?tenant=${tenant}`,
          `/v1/access-log`,
          `/v1/events?q=*:*&from=-1d&tenant=${tenant}`,
        ],
      ]
      for (const path of paths) {
        const { status, text } = await read(path)
        if (status === 200 && text.includes(`"event_id":${JSON.stringify(row['event_id'])}`)) seen.push(path)
      }
    }
    return {
      succeeded: seen.length > 0,
      detail: `${seen.length} of ${rows.length * 7} answers had a foreign row: ${seen[0] ?? ''}`,
    }
  },
}

export const attacks: readonly Attack[] = [
  ...[
    sql,
    receivers,
    metadata,
    terminal,
    gzip,
    zstd,
    protobuf,
    deep,
    slow,
    assets,
    keyOfAnother,
    accessRecords,
    accessRows,
  ],
]
