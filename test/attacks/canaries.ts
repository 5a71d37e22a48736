import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '../helpers/gatewatch.ts'
import { leak, QUIET_DAYS, quietDay } from '../helpers/leaks.ts'
import { KIND_COUNT, makeSecrets, type SyntheticSecret } from '../helpers/made-up-secrets.ts'
import { startReceiver } from '../helpers/receivers.ts'
import {
  type Attack,
  type AttackResult,
  attribute,
  randomHex,
  type Sender,
  type Target,
  toolSpan,
} from './attack.ts'

const entitiesOf = (text: string) => [...text].map((char) => `&#${char.codePointAt(0)};`).join('')
const hexOf = (text: string) => Buffer.from(text).toString('hex')

interface Encoding {
  readonly write: (text: string) => string
  /** How the secret stands in what was written; what is looked for is its end. */
  readonly seenAs: (canary: SyntheticSecret) => string
  /** Anybody reads it without a tool. */
  readonly isPlain: boolean
}

const ENCODINGS: Readonly<Record<string, Encoding>> = {
  plain: { write: (text) => text, seenAs: ({ secret }) => secret, isPlain: true },
  'JSON in JSON': {
    write: (text) => JSON.stringify({ note: [JSON.stringify({ text })] }),
    seenAs: ({ secret }) => secret,
    isPlain: true,
  },
  'percent signs': {
    write: (text) => encodeURIComponent(text),
    seenAs: ({ secret }) => encodeURIComponent(secret),
    isPlain: true,
  },
  base64: {
    write: (text) => Buffer.from(text).toString('base64'),
    // The secret begins somewhere within a group of four characters.
    seenAs: ({ text, secret }) => {
      const from = 4 * Math.ceil(text.indexOf(secret) / 3)
      return Buffer.from(text)
        .toString('base64')
        .slice(from, from + TAIL)
    },
    isPlain: false,
  },
  'hexadecimal digits': { write: hexOf, seenAs: ({ secret }) => hexOf(secret), isPlain: false },
  entities: { write: entitiesOf, seenAs: ({ secret }) => entitiesOf(secret), isPlain: false },
}

// Enough of a secret to know it by, and to see one that was hidden in part only.
const TAIL = 14

/** Fields of an event in which the text is a value of its own. */
const FIELDS = [
  ...['error.message', 'error.type', 'mcp.resource.uri', 'user.id', 'user.email', 'gen_ai.agent.id'],
  ...[
    'gen_ai.agent.name',
    'gen_ai.agent.version',
    'mcp.client.name',
    'mcp.client.version',
    'gen_ai.tool.name',
  ],
  ...['mcp.server.name', 'gateway.id', 'mcp.session.id', 'gen_ai.conversation.id', 'credential.id'],
  ...['event_id', 'gen_ai.prompt.name', 'debug_note', 'gen_ai.tool.call.result'],
] as const
const OTHER_PLACES = [
  ...['argument', 'list in arguments', 'name of an argument', 'sentence in an argument'],
  ...['line that is no record', 'JSON that was cut', 'attribute of a span', 'body of a log record'],
] as const
const PLACES = [...FIELDS, ...OTHER_PLACES]

interface Canary extends SyntheticSecret {
  readonly encoding: string
  readonly place: (typeof PLACES)[number]
  readonly written: string
}

/** Each kind of secret in each place and encoding, each with a value of its own. */
function makeCanaries(): readonly Canary[] {
  const names = Object.keys(ENCODINGS)
  const secrets = makeSecrets(KIND_COUNT * PLACES.length * names.length, 20261130)
  return secrets.map((secret, index) => {
    const block = Math.floor(index / KIND_COUNT)
    const encoding = names[block % names.length] ?? 'plain'
    const place = PLACES[Math.floor(block / names.length)] ?? 'argument'
    return { ...secret, encoding, place, written: ENCODINGS[encoding]?.write(secret.text) ?? '' }
  })
}

export const attack: Attack = {
  name: 'A secret that an agent, a tool or a gateway sends can be read in the store, the log, dead letters, alerts or answers',
  kind: 'canary',
  section: 3,
  async run({ fresh }): Promise<AttackResult> {
    const folder = await mkdtemp(join(tmpdir(), 'gatewatch-attack-canaries-'))
    const receiver = await startReceiver()
    try {
      await writeFile(join(folder, 'secret'), `whsec_${Buffer.alloc(32, 7).toString('base64')}\n`, {
        mode: 0o600,
      })
      const soc = {
        ...{ name: 'soc', type: 'webhook', url: receiver.url, secret_file: join(folder, 'secret') },
        ...{ min_severity: 'low', allow_private: true },
      }
      const target = await fresh({
        config: { receivers: [soc], sources: { history: ['http-victim-*'] } },
      })
      const canaries = makeCanaries()
      await send(target, canaries)
      const answers = await answersOf(target, canaries.length / PLACES.length)
      await eventually(
        async () => receiver.requests.length,
        (count) => count > 0,
      )
      await target.kill('SIGTERM')
      return verdictOf(canaries, {
        answers,
        alerts: receiver.requests.map(({ body }) => body).join('\n'),
        log: target.log(),
        'data folder': await bytesOf(target.data),
      })
    } finally {
      await receiver.close()
      await rm(folder, { recursive: true, force: true })
    }
  },
}

async function send(target: Target, canaries: readonly Canary[]): Promise<void> {
  const { victim, attacker } = target.pair()
  await victim.sendEvents(Array.from({ length: QUIET_DAYS }, (_, index) => quietDay(QUIET_DAYS - index)))
  const at = Date.now() - 10 * 60_000
  // Of one kind and encoding, one of each place.
  const sets = [...Map.groupBy(canaries, ({ kind, encoding }) => `${encoding} ${kind}`).values()]
  const records = sets.map((set, number) => recordOf(set, at + number))
  for (let first = 0; first < records.length; first += 100)
    await attacker.sendEvents(records.slice(first, first + 100))
  const of = (place: Canary['place']) =>
    canaries.flatMap((canary) => (canary.place === place ? [canary.written] : []))
  const lines = [
    ...of('line that is no record').map((text, number) => `letter ${number} ${text.replaceAll('\n', ' ')}`),
    ...of('JSON that was cut').map((text, number) =>
      JSON.stringify({ letter: number, note: text, more: 1 }).slice(0, -8),
    ),
  ]
  await post(attacker, '/v1/events', lines.join('\n'), 'text/plain')
  await attacker.sendSpans(
    of('attribute of a span').map((text, number) =>
      toolSpan({
        ...{ traceId: randomHex(16), spanId: randomHex(8), startMs: at + number, tool: `span_${number}` },
        attributes: { 'app.note': text, 'error.message': text },
      }),
    ),
  )
  const logRecords = of('body of a log record').map((text) => ({
    timeUnixNano: `${BigInt(at) * 1_000_000n}`,
    body: { stringValue: text },
    attributes: [attribute('gen_ai.tool.name', 'logged'), attribute('mcp.method.name', 'tools/call')],
  }))
  const logs = { resourceLogs: [{ resource: { attributes: [] }, scopeLogs: [{ scope: {}, logRecords }] }] }
  await post(attacker, '/v1/logs', JSON.stringify(logs), 'application/json')
  // Somebody to be told of.
  const told = canaries.filter(({ place, encoding }) => place === 'argument' && encoding === 'plain')
  await attacker.sendEvents(told.slice(0, 20).flatMap(({ written }) => leak(`agent ${written}`, at)))
}

function recordOf(set: readonly Canary[], atMs: number): object {
  const written = (place: Canary['place']) => set.find((canary) => canary.place === place)?.written ?? ''
  return {
    'mcp.method.name': 'tools/call',
    ...Object.fromEntries(FIELDS.map((field) => [field, written(field)])),
    'gen_ai.tool.call.arguments': {
      note: written('argument'),
      list: ['first', written('list in arguments')],
      [written('name of an argument')]: 1,
      text: `Please use ${written('sentence in an argument')} for it.`,
    },
    occurred_at: new Date(atMs).toISOString(),
  }
}

async function post(sender: Sender, path: string, body: string, type: string): Promise<void> {
  const headers = { 'content-type': type, 'x-gatewatch-wait': 'stored' }
  const reply = await sender.post(path, body, headers)
  if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`)
  await reply.body?.cancel()
}

/** What a reader is shown, page by page. */
async function answersOf(target: Target, events: number): Promise<string> {
  await eventually(
    async () => (await target.search('')).length,
    (count) => count >= Math.min(1000, events),
  )
  let all = ''
  for (const path of [
    '/v1/events?limit=1000&from=-30d',
    '/v1/dead-letters?limit=1000',
    '/v1/access-log?limit=1000',
  ])
    for (let cursor = '', page = 0; page < 10; page++) {
      const answer = await target.get<{ next_cursor?: string }>(`${path}${cursor && `&cursor=${cursor}`}`)
      all += JSON.stringify(answer)
      cursor = answer.next_cursor ?? ''
      if (cursor === '') break
    }
  for (const path of [
    '/v1/overview',
    '/v1/facets?field=tool',
    '/v1/findings',
    '/v1/alerts',
    '/v1/deliveries',
    '/v1/tool-definitions',
  ])
    all += await (await target.ask(path)).text()
  return all
}

/** Every byte under a folder; what the store compresses has new texts as they are. */
async function bytesOf(folder: string): Promise<string> {
  const pieces: string[] = []
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile() && entry.parentPath !== join(folder, 'credentials'))
      pieces.push(await readFile(join(entry.parentPath, entry.name), 'latin1').catch(() => ''))
  return pieces.join('\n')
}

function verdictOf(canaries: readonly Canary[], places: Readonly<Record<string, string>>): AttackResult {
  const plain = new Map(canaries.map((canary) => [canary.secret.slice(-TAIL), canary]))
  const written = new Map(
    canaries.map((canary) => [ENCODINGS[canary.encoding]?.seenAs(canary).slice(-TAIL) ?? '', canary]),
  )
  const inClear = new Map<Canary, string>()
  const left = new Map<Canary, string>()
  for (const [place, text] of Object.entries(places))
    for (let at = 0; at + TAIL <= text.length; at++) {
      const piece = text.slice(at, at + TAIL)
      const open = plain.get(piece)
      if (open !== undefined) inClear.set(open, place)
      const encoded = written.get(piece)
      if (encoded !== undefined) left.set(encoded, place)
    }
  for (const [canary, place] of left) if (ENCODINGS[canary.encoding]?.isPlain) inClear.set(canary, place)
  const shares = Object.entries(ENCODINGS).flatMap(([name, { isPlain }]) => {
    const of = canaries.filter(({ encoding }) => encoding === name)
    const found = of.filter((canary) => !left.has(canary)).length
    return isPlain ? [] : [`${name} ${((100 * found) / of.length).toFixed(1)} %`]
  })
  // Nothing leaks of what was not kept at all.
  const tokens = (places['answers'] ?? '').split('hmac:').length - 1
  if (tokens < 1000) throw new Error(`only ${tokens} tokens were shown: the canaries did not come in`)
  const [first] = inClear
  const example =
    first === undefined
      ? ''
      : `, such as ${first[0].kind} as ${first[0].encoding} in ${first[0].place} (${first[1]})`
  const lost = [...left].find(([canary]) => !inClear.has(canary))?.[0]
  const missed =
    lost === undefined ? '' : `; missed for one: ${lost.kind} as ${lost.encoding} in ${lost.place}`
  return {
    succeeded: inClear.size > 0,
    detail:
      `${KIND_COUNT} kinds, ${PLACES.length} places, ${Object.keys(ENCODINGS).length} encodings: ` +
      `${inClear.size} of ${canaries.length} leaked in clear${example}; ${tokens} tokens shown; found of what was encoded: ${shares.join(', ')}${missed}`,
  }
}
