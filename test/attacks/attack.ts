import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type GatewatchProcess, startProcess } from '../helpers/gatewatch.ts'
import { PATIENCE_MS } from '../helpers/patience.ts'

/**
 * One way to make gatewatch say less, or something else, than what happened. A file of this folder exports one as
 * `attack`, or small ones about the same thing as `attacks`, one of a kind only; `section-N.test.ts` runs those of a section and asks that none succeeds.
 */
export interface Attack {
  /** A sentence: what the attacker gets when it succeeds. */
  readonly name: string
  /** A word or two, different for every attack: how many kinds there are is counted. */
  readonly kind: string
  /** The section of `docs/attacks.md` that it belongs to. */
  readonly section: number
  /** Bounded in count and time; talks to loopback only. Throws where the attack could not be carried out. */
  run(context: AttackContext): Promise<AttackResult>
}

export interface AttackResult {
  readonly succeeded: boolean
  /** What was seen, in one line, with figures. */
  readonly detail: string
}

/** Who may send, and nothing else: `events:write`, bound to a source. */
export interface Sender {
  readonly source: string
  readonly key: string
  /** Posts a body as this source; `path` is `/v1/events`, `/v1/traces` or `/v1/logs`. */
  post(path: string, body: string | Uint8Array, headers?: Readonly<Record<string, string>>): Promise<Response>
  /** Native events as NDJSON to `/v1/events`; resolves when they are in the store. @throws Error unless 202 */
  sendEvents(records: readonly object[]): Promise<EventReceipt>
  /** Spans in one OTLP/JSON envelope to `/v1/traces`. @throws Error unless 2xx */
  sendSpans(spans: readonly object[], service?: string): Promise<void>
}

/** What `/v1/events` answers. */
export interface EventReceipt {
  readonly read: number
  readonly stored: number
  readonly dead_lettered: number
  readonly duplicate: number
  readonly conflict: number
  readonly compared: boolean
  readonly errors: readonly object[]
}

/** The embedded product in a process of its own, as people start it. `get` and `post` ask as the administrator. */
export interface Target extends GatewatchProcess {
  /** A GET as the administrator, whatever the answer is. */
  ask(path: string): Promise<Response>
  /** A folder whose files it follows; whoever is watched may write there. */
  readonly followed: string
  /** Two keys of one tenant (`default`, which the administrator reads) that nobody else uses. */
  pair(): { readonly victim: Sender; readonly attacker: Sender }
  /** What the search finds for an expression of the filter language, as the API lists it; at most 1,000, of all times. */
  search(q: string): Promise<Record<string, unknown>[]>
  /** Waits until the search finds so many, and then whether it finds more; returns what it finds. */
  searchUntil(q: string, count: number): Promise<Record<string, unknown>[]>
}

export interface TargetOptions {
  /** Top-level keys of `gatewatch.yaml`, beside the sources. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Settings of every source beside its name and key. */
  readonly ofSources?: Readonly<Record<string, unknown>>
  /** How many pairs of keys there are. */
  readonly pairs?: number
}

export interface AttackContext {
  /** One that all attacks of a run share: names must be the attack’s own, and it must live on afterwards. */
  shared(): Promise<Target>
  /** One of the attack’s own, for what may stall or kill it, or needs all of what it stores. */
  fresh(options?: TargetOptions): Promise<Target>
}

/** The context of a run of attacks, one after the other; what is stopped is gone with its folder. */
export interface AttackRun extends AttackContext {
  /** Ends what an attack had of its own: a product that nobody looks at any more still takes its share of the machine. */
  stopFresh(): Promise<void>
  stop(): Promise<void>
}

export function createAttackContext(): AttackRun {
  const started: Promise<Target>[] = []
  let shared: Promise<Target> | undefined
  const stopAll = async (targets: readonly Promise<Target>[]) => {
    for (const target of await Promise.allSettled(targets))
      if (target.status === 'fulfilled') await target.value.stop()
  }
  const stopFresh = () => stopAll(started.splice(0))
  return {
    shared: () => {
      shared ??= startTarget({ pairs: 64 })
      return shared
    },
    fresh: (options = {}) => {
      const target = startTarget(options)
      started.push(target)
      return target
    },
    stopFresh,
    stop: async () => {
      await stopFresh()
      if (shared !== undefined) await stopAll([shared])
    },
  }
}

async function startTarget({ config = {}, ofSources = {}, pairs = 2 }: TargetOptions): Promise<Target> {
  const folder = await mkdtemp(join(tmpdir(), 'gatewatch-attack-'))
  const keys = new Map<string, string>()
  for (let pair = 1; pair <= pairs; pair++)
    for (const who of ['victim', 'attacker'])
      keys.set(`${who}-${pair}`, `gw_${randomBytes(32).toString('base64url')}`)
  for (const [name, key] of keys) await writeFile(join(folder, `${name}.key`), `${key}\n`, { mode: 0o600 })
  const sources = [...keys.keys()].map((name) => ({
    name,
    key_file: join(folder, `${name}.key`),
    ...ofSources,
  }))
  const followed = join(folder, 'followed')
  await mkdir(followed)
  const settings = {
    log_level: 'warn',
    files: [{ path: followed }],
    detect: { every: '* * * * * *', settle_ms: 0 },
    ...config,
    intake: { ...(config['intake'] as object | undefined), sources },
  }
  // JSON is YAML.
  await writeFile(join(folder, 'gatewatch.yaml'), JSON.stringify(settings))
  const product = await startProcess({
    args: ['up', '--config', join(folder, 'gatewatch.yaml')],
    data: join(folder, 'data'),
  })
  let next = 0
  const search = async (q: string) => {
    const query = new URLSearchParams({ q, from: '2020-01-01T00:00:00Z', limit: '1000' })
    const { events } = await product.get<{ events: Record<string, unknown>[] }>(`/v1/events?${query}`)
    return events
  }
  const senderOf = (source: string): Sender => createSender(product.url, source, keys.get(source) ?? '')
  return {
    ...product,
    followed,
    ask: async (path) => {
      const key = await readFile(join(product.data, 'credentials', 'api-key'), 'utf8')
      return fetch(new URL(path, product.url), { headers: { authorization: `Bearer ${key.trim()}` } })
    },
    pair: () => {
      next++
      if (next > pairs) throw new Error(`only ${pairs} pairs of keys were made`)
      return { victim: senderOf(`victim-${next}`), attacker: senderOf(`attacker-${next}`) }
    },
    search,
    searchUntil: async (q, count) => {
      const deadline = performance.now() + PATIENCE_MS
      let found = await search(q)
      while (found.length < count && performance.now() < deadline) {
        await sleep(100)
        found = await search(q)
      }
      return found
    },
    stop: async () => {
      await product.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function createSender(url: string, source: string, key: string): Sender {
  const post: Sender['post'] = (path, body, headers = {}) =>
    fetch(new URL(path, url), {
      method: 'POST',
      body: body as NonNullable<RequestInit['body']>,
      headers: { authorization: `Bearer ${key}`, ...headers },
    })
  return {
    source,
    key,
    post,
    sendEvents: async (records) => {
      const body = records.map((record) => JSON.stringify(record)).join('\n')
      const headers = { 'content-type': 'application/x-ndjson', 'x-gatewatch-wait': 'stored' }
      const reply = await post('/v1/events', body, headers)
      if (reply.status !== 202) throw new Error(`/v1/events: ${reply.status} ${await reply.text()}`)
      return (await reply.json()) as EventReceipt
    },
    sendSpans: async (spans, service = 'attacked-gateway') => {
      const resource = { attributes: [attribute('service.name', service)] }
      const body = { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'attack' }, spans }] }] }
      const reply = await post('/v1/traces', JSON.stringify(body), { 'content-type': 'application/json' })
      if (!reply.ok) throw new Error(`/v1/traces: ${reply.status} ${await reply.text()}`)
      await reply.body?.cancel()
    },
  }
}

/** An attribute as OTLP/JSON has it. */
export const attribute = (key: string, value: string | number | boolean): object => ({
  key,
  value:
    typeof value === 'string'
      ? { stringValue: value }
      : typeof value === 'boolean'
        ? { boolValue: value }
        : { doubleValue: value },
})

/** A span of a tool call as OTLP/JSON has it; times in milliseconds since the epoch. */
export function toolSpan(call: {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly startMs: number
  readonly durationMs?: number
  readonly tool: string
  readonly server?: string
  readonly attributes?: Readonly<Record<string, string | number | boolean>>
}): object {
  const { traceId, spanId, parentSpanId, startMs, durationMs = 5, tool, server = 'files' } = call
  const said = {
    'mcp.method.name': 'tools/call',
    'gen_ai.tool.name': tool,
    'mcp.server.name': server,
    ...call.attributes,
  }
  return {
    traceId,
    spanId,
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    name: `tools/call ${tool}`,
    kind: 2,
    startTimeUnixNano: `${BigInt(Math.round(startMs)) * 1_000_000n}`,
    endTimeUnixNano: `${BigInt(Math.round(startMs + durationMs)) * 1_000_000n}`,
    attributes: Object.entries(said).map(([key, value]) => attribute(key, value)),
  }
}

/** Random hexadecimal digits, for ids of traces (16 bytes) and spans (8). */
export const randomHex = (bytes: number): string => randomBytes(bytes).toString('hex')

const TICKS_PER_SECOND = 100

/** What the product spends on some work, seconds: CPU time, unlike time, does not depend on who else uses the machine. */
export async function cpuSecondsOf({ pid }: Target, work: () => Promise<void>): Promise<number> {
  const seconds = async (): Promise<number> => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  }
  const before = await seconds()
  await work()
  return (await seconds()) - before
}
