import { request } from 'node:http'
import type { Attack, AttackResult, Target } from './attack.ts'
import { rawLogin } from './sign-in.ts'

const SECTION = { section: 4 } as const
const json = { 'content-type': 'application/json' }
const PUBLIC: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/login'])

const ask = async (target: Target, path: string, init: RequestInit = {}): Promise<number> => {
  const answer = await fetch(new URL(path, target.url), { redirect: 'manual', ...init })
  await answer.body?.cancel()
  return answer.status
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

async function tokenOf(target: Target, capabilities?: readonly string[]): Promise<string> {
  const answer = await target.post('/v1/token', JSON.stringify(capabilities ? { capabilities } : {}), json)
  return ((await answer.json()) as { token: string }).token
}

async function ticketOf(target: Target): Promise<string> {
  return ((await (await target.post('/v1/login-tickets', '{}', json)).json()) as { path: string }).path
}

/** Every route that the description names, as method and path. */
async function routesOf(target: Target): Promise<readonly (readonly [string, string])[]> {
  const { paths } = await target.get<{ paths: Record<string, object> }>('/openapi.json')
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map(
      (method) => [method.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'x')] as const,
    ),
  )
}

/** Bodies of a caller that is refused are not looked at. */
async function answered(
  target: Target,
  credentials: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Promise<{ readonly asked: number; readonly open: readonly string[] }> {
  const open: string[] = []
  let asked = 0
  for (const [method, path] of await routesOf(target)) {
    if (PUBLIC.has(path)) continue
    for (const [name, headers] of Object.entries(credentials)) {
      const body = method === 'GET' ? {} : { body: '{}' }
      const status = await ask(target, path, { method, headers: { ...json, ...headers }, ...body })
      asked++
      if (status !== 401 && status !== 403) open.push(`${method} ${path} with ${name}: ${status}`)
    }
  }
  return { asked, open }
}

const routes: Attack = {
  ...SECTION,
  name: 'A route answers whoever has no credential for it',
  kind: 'route without a credential',
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const key = await tokenOf(target)
    const none = await tokenOf(target, [])
    const [version = '', kid = '', payload = '', mac = ''] = key.split('.')
    const admin = Buffer.from(JSON.stringify({ sub: 'admin', ten: 'default', caps: ['admin'] })).toString(
      'base64url',
    )
    const { asked, open } = await answered(target, {
      nothing: {},
      'an empty one': { authorization: '' },
      'no scheme': { authorization: key },
      'another scheme': { authorization: `Basic ${Buffer.from(`admin:${key}`).toString('base64')}` },
      'an unknown key': bearer(`gw_${'A'.repeat(43)}`),
      'an own payload': bearer([version, kid, admin, mac].join('.')),
      'no mac': bearer([version, kid, payload, ''].join('.')),
      'another key id': bearer([version, 'k2', payload, mac].join('.')),
      'an algorithm of none': bearer(`${Buffer.from('{"alg":"none"}').toString('base64url')}.${admin}.`),
      'two tokens': bearer(`${key}, ${key}`),
      'a token in a cookie': { cookie: `gatewatch-session=${key}` },
      'a session key alone': { 'x-gatewatch-session-key': 'A'.repeat(43) },
      'headers of a proxy': {
        'x-forwarded-user': 'admin',
        'x-remote-user': 'admin',
        'x-forwarded-for': '127.0.0.1',
      },
      'a token without rights': bearer(none),
    })
    return {
      succeeded: open.length > 0,
      detail: `${open.length} of ${asked} were answered: ${open.slice(0, 3).join('; ')}`,
    }
  },
}

const writer: Attack = {
  ...SECTION,
  name: 'Who may send, and nothing else, reads or changes something',
  kind: 'rights of a sender',
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const { attacker } = target.pair()
    const { asked, open } = await answered(target, { 'the key of a source': bearer(attacker.key) })
    // Of metrics nothing is read or kept; they are answered so that SDKs which send them fall silent.
    const beyond = open.filter(
      (each) => !/POST \/v1\/(?:events|logs|metrics|traces) |\/v1\/logout/.test(each),
    )
    return {
      succeeded: beyond.length > 0,
      detail: `${beyond.length} of ${asked} were answered: ${beyond.slice(0, 3).join('; ')}`,
    }
  },
}

const reader: Attack = {
  ...SECTION,
  name: 'Who may read events changes something, sends, or makes credentials',
  kind: 'rights of a reader',
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const { open, asked } = await answered(target, {
      'a reader’s token': bearer(await tokenOf(target, ['events:read'])),
    })
    const beyond = open.filter((each) => !each.startsWith('GET ') && !each.includes('/v1/logout'))
    return {
      succeeded: beyond.length > 0,
      detail: `${beyond.length} of ${asked} changes were taken: ${beyond.slice(0, 3).join('; ')}`,
    }
  },
}

const FORGERIES = 600

const forged: Attack = {
  ...SECTION,
  name: 'A token that was changed by a character, or put together from others, is taken',
  kind: 'forged token',
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const [one, other] = [await tokenOf(target), await tokenOf(target, ['events:read'])]
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.='
    const changed = Array.from({ length: FORGERIES }, (_, index) => {
      const at = (index * 7919) % other.length
      const char = alphabet[(index * 31) % alphabet.length] ?? 'A'
      const changes = [
        other.slice(0, at) + char + other.slice(at + 1),
        other.slice(0, at) + other.slice(at + 1),
        other.slice(0, at) + char + other.slice(at),
      ]
      return changes[index % changes.length] ?? ''
    })
    const [a, b] = [one.split('.'), other.split('.')]
    const mixed = [
      [b[0], b[1], a[2], b[3]],
      [b[0], b[1], b[2], a[3]],
    ].map((parts) => parts.join('.'))
    let taken = 0
    const tried = [...changed, ...mixed].filter((token) => token !== other && token !== one)
    for (const token of tried)
      if ((await ask(target, '/openapi.json', { headers: bearer(token) })) !== 401) taken++
    return { succeeded: taken > 0, detail: `${taken} of ${tried.length} were taken` }
  },
}

const TIMES = 20

const ticket: Attack = {
  ...SECTION,
  name: 'A ticket signs in twice, or one that nobody made signs in',
  kind: 'ticket used twice',
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const path = await ticketOf(target)
    const atOnce = await Promise.all(Array.from({ length: TIMES }, () => ask(target, path)))
    const again = await ask(target, path)
    const signedIn = [...atOnce, again].filter((status) => status === 303).length
    const madeUp = await Promise.all(
      ['', 'A', 'A'.repeat(43), '%00', `${path.slice(path.indexOf('=') + 1)}x`].map((text) =>
        ask(target, `/login?ticket=${text}`),
      ),
    )
    const wrong = madeUp.filter((status) => status === 303).length
    return {
      succeeded: signedIn !== 1 || wrong > 0,
      detail: `${signedIn} of ${TIMES + 1} uses signed in, ${wrong} of ${madeUp.length} made-up tickets`,
    }
  },
}

const crossSite: Attack = {
  ...SECTION,
  name: 'A page of another origin makes the browser of a signed-in person change something',
  kind: 'change from another site',
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const { headers } = await rawLogin(target, await ticketOf(target))
    const from = (more: Readonly<Record<string, string>>, without: readonly string[] = []) => ({
      ...Object.fromEntries(Object.entries(headers).filter(([name]) => !without.includes(name))),
      ...more,
    })
    const tries = {
      'another site': from({ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }),
      'another port': from({ 'sec-fetch-site': 'same-site', origin: 'http://127.0.0.1:9000' }),
      'no header of ours': from({}, ['x-gatewatch-csrf']),
      'no key': from({}, ['x-gatewatch-session-key']),
      'a form': from({ 'content-type': 'application/x-www-form-urlencoded' }, ['x-gatewatch-csrf']),
    }
    const taken: string[] = []
    for (const [name, given] of Object.entries(tries)) {
      const status = await ask(target, '/v1/login-tickets', { method: 'POST', headers: given, body: '{}' })
      if (status < 400) taken.push(`${name}: ${status}`)
    }
    const own = await ask(target, '/v1/login-tickets', { method: 'POST', headers, body: '{}' })
    if (own >= 400) throw new Error(`the own page is refused: ${own}`)
    return {
      succeeded: taken.length > 0,
      detail: `${taken.length} of ${Object.keys(tries).length} were taken: ${taken.join('; ')}`,
    }
  },
}

// Names only: an address in `Host` is answered (scrapers find pods by it), because nobody can point an address elsewhere.
const HOSTS = [
  'evil.example',
  'evil.example:8844',
  '127.0.0.1.evil.example',
  'localhost.evil.example',
  '169.254.169.254.evil.example',
  '127-0-0-1.evil.example',
  '0x7f000001',
]

const rebinding: Attack = {
  ...SECTION,
  name: 'A name of others that leads to this address is answered, so that their page counts as ours',
  kind: 'host of others',
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const key = await tokenOf(target)
    const { hostname, port } = new URL(target.url)
    // `fetch` sends no other host than that of the address.
    const statusOf = (host: string) =>
      new Promise<number>((resolve, reject) => {
        const sent = request(
          { hostname, port, path: '/v1/events', headers: { host, ...bearer(key) } },
          (reply) => {
            reply.resume()
            resolve(reply.statusCode ?? 0)
          },
        )
        sent.on('error', reject)
        sent.end()
      })
    const statuses = await Promise.all(HOSTS.map(statusOf))
    const taken = statuses.filter((status) => status < 400).length
    return {
      succeeded: taken > 0,
      detail: `${taken} of ${HOSTS.length} hosts were answered (${statuses.join(', ')})`,
    }
  },
}

const forwarded: Attack = {
  ...SECTION,
  name: 'Who asks has another address recorded by writing it into a header',
  kind: 'made-up address',
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const mark = 'made-up-address'
    const address = '203.0.113.77'
    await ask(target, `/v1/events?q=${mark}`, {
      headers: {
        ...bearer(await tokenOf(target)),
        ...{ 'x-forwarded-for': address, forwarded: `for=${address}`, 'x-real-ip': address },
      },
    })
    let text = ''
    for (let tries = 0; tries < 600 && !text.includes(mark); tries++) {
      text = await (await target.ask('/v1/access-log?limit=1000')).text()
      if (!text.includes(mark)) await new Promise((resolve) => setTimeout(resolve, 100))
    }
    if (!text.includes(mark)) throw new Error('the search was not recorded')
    return {
      succeeded: text.includes(address),
      detail: `recorded: ${text.includes(address) ? address : 'the address of the connection'}`,
    }
  },
}

export const attacks: readonly Attack[] = [
  routes,
  writer,
  reader,
  forged,
  ticket,
  crossSite,
  rebinding,
  forwarded,
]
