import type { AuditEvent, Capability } from '../../core/audit-event.ts'
import { stableId } from '../../core/hash.ts'
import { fromMillis } from '../../core/timestamp.ts'
import { DAY_MS, weekdayOf } from '../../detectors/utc-day.ts'

/** A small organisation whose days are made from a seed: the same seed, the same events. */
export interface OfficeOptions {
  readonly seed: number
  readonly tenant?: string
  readonly people: number
  readonly days: number
  /** First day, since 1970-01-01. */
  readonly firstDay?: number
}

/** Monday 2026-06-01. */
export const OFFICE_START = Date.UTC(2026, 5, 1) / DAY_MS

interface Tool {
  readonly server: string
  readonly tool: string
  readonly capability: Capability
  readonly destination?: string
}

const TOOLS: readonly Tool[] = [
  { server: 'crm', tool: 'get_account', capability: 'read' },
  { server: 'crm', tool: 'list_contacts', capability: 'read-sensitive' },
  { server: 'wiki', tool: 'search', capability: 'recon' },
  { server: 'browser', tool: 'fetch', capability: 'ingest-untrusted' },
  { server: 'mail', tool: 'send', capability: 'send-external', destination: 'partner.example' },
  { server: 'github', tool: 'create_issue', capability: 'write' },
  { server: 'vault', tool: 'read_secret', capability: 'read-credential' },
  { server: 'drive', tool: 'get_file', capability: 'read' },
]

/** mulberry32. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Benign weeks: people keep hours in their own zone, use their handful of tools, in sessions. One agent never sleeps. */
export function officeEvents({
  seed,
  tenant = 'office',
  people,
  days,
  firstDay = OFFICE_START,
}: OfficeOptions): AuditEvent[] {
  const random = randomOf(seed)
  const events: AuditEvent[] = []
  const zones = [0, 0, 0, -5, 9]
  for (let person = 0; person < people; person += 1) {
    const actor = `person-${person}@office.example`
    const zone = zones[person % zones.length] ?? 0
    const tools = TOOLS.filter((_, index) => index < 4 || (index + person) % 3 === 0)
    const busy = 1 + random() * 2
    for (let day = 0; day < days; day += 1) {
      if (weekdayOf(firstDay + day) > 4 || random() < 0.04) continue
      for (let hour = 8; hour < 17; hour += 1) {
        if (random() < 0.3) continue
        const session = `${actor}/${day}/${hour}`
        const calls = Math.floor(-Math.log(1 - random()) * 4 * busy) + 1
        for (let call = 0; call < calls; call += 1) {
          const tool = tools[Math.floor(random() ** 1.5 * tools.length)] ?? TOOLS[0]
          const atMs =
            (firstDay + day) * DAY_MS + (hour - zone) * 3_600_000 + Math.floor(random() * 3_600_000)
          if (tool !== undefined) events.push(officeEvent(tenant, actor, tool, atMs, `session:${session}`))
        }
      }
    }
  }
  for (let quarter = 0; quarter < days * 96; quarter += 1) {
    const atMs = firstDay * DAY_MS + quarter * 900_000 + Math.floor(random() * 60_000)
    events.push(officeEvent(tenant, 'sync-agent', TOOLS[7] as Tool, atMs, 'actor:sync-agent'))
  }
  return events.sort(byTime)
}

export function officeEvent(
  tenant: string,
  actor: string,
  tool: Tool,
  atMs: number,
  chain: string,
): AuditEvent {
  return {
    event_id: stableId(tenant, actor, atMs, tool.tool, chain),
    occurred_at: fromMillis(atMs),
    timestamp_source: 'event',
    source_format: 'native',
    tenant,
    topic: 'office',
    partition: 0,
    offset: 0,
    record_index: 0,
    actor,
    'mcp.server.name': tool.server,
    'gen_ai.tool.name': tool.tool,
    outcome: 'success',
    ...(chain.startsWith('session:') ? { 'mcp.session.id': chain.slice('session:'.length) } : {}),
    chain,
    capability: tool.capability,
    sensitivity: 'none',
    ...(tool.destination === undefined ? {} : { destination: tool.destination }),
  }
}

/** One incident of each kind, on day `day` of the office (a weekday with three weeks before it). */
export function incidents(day: number, tenant = 'office', firstDay = OFFICE_START): AuditEvent[] {
  const at = (hour: number, minute: number) => (firstDay + day) * DAY_MS + hour * 3_600_000 + minute * 60_000
  const events: AuditEvent[] = []
  for (let call = 0; call < 300; call += 1) {
    const tool = { server: 'drive', tool: 'get_file', capability: 'read' } as const
    events.push(
      officeEvent(tenant, 'person-0@office.example', tool, at(14, 0) + call * 7_000, 'session:export'),
    )
  }
  for (let call = 0; call < 8; call += 1) {
    const tool = { server: 'crm', tool: 'list_contacts', capability: 'read-sensitive' } as const
    events.push(officeEvent(tenant, 'person-1@office.example', tool, at(2, 10 + call), 'session:night'))
  }
  const exec = { server: 'cluster', tool: 'exec', capability: 'execute' } as const
  events.push(officeEvent(tenant, 'person-2@office.example', exec, at(11, 5), 'session:exec'))
  const read = { server: 'vault', tool: 'read_secret', capability: 'read-credential' } as const
  const send = {
    server: 'mail',
    tool: 'send',
    capability: 'send-external',
    destination: 'drop.example',
  } as const
  events.push(officeEvent(tenant, 'person-4@office.example', read, at(3, 0), 'session:steal'))
  events.push(officeEvent(tenant, 'person-4@office.example', send, at(3, 4), 'session:steal'))
  return events.sort(byTime)
}

export const byTime = (a: AuditEvent, b: AuditEvent): number =>
  a.occurred_at < b.occurred_at ? -1 : a.occurred_at > b.occurred_at ? 1 : a.event_id < b.event_id ? -1 : 1

/** The same events in an order of the seed’s choosing. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = randomOf(seed)
  const mixed = [...items]
  for (let index = mixed.length - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1))
    const swap = mixed[index] as T
    mixed[index] = mixed[other] as T
    mixed[other] = swap
  }
  return mixed
}
