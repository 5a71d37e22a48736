import type { AuditEvent } from '../../core/audit-event.ts'
import { stableId } from '../../core/hash.ts'
import { fromMillis } from '../../core/timestamp.ts'
import { DAY_MS } from '../../detectors/utc-day.ts'
import { byTime, OFFICE_START } from './office.ts'

/**
 * Signs that lie in other fields than the calls themselves, beside the people of `office.ts`: a network that is new to a
 * traveller, an argument that gets a value nobody gave, an actor that comes back after seven weeks, a tool whose definition changes alone, denials and deletions. All on day
 * `day`, with three weeks before it.
 */
export function signs(day: number, tenant = 'office', firstDay = OFFICE_START): AuditEvent[] {
  const events: AuditEvent[] = []
  const at = (on: number, hour: number, minute: number) =>
    (firstDay + on) * DAY_MS + hour * 3_600_000 + minute * 60_000
  const add = (actor: string, atMs: number, more: Partial<AuditEvent>) => {
    const event: AuditEvent = {
      event_id: stableId('signs', tenant, actor, atMs, more['gen_ai.tool.name'] ?? ''),
      occurred_at: fromMillis(atMs),
      timestamp_source: 'event',
      source_format: 'native',
      tenant,
      topic: 'office',
      partition: 0,
      offset: 0,
      record_index: 0,
      actor,
      'mcp.server.name': 'maps',
      'gen_ai.tool.name': 'route',
      outcome: 'success',
      chain: `actor:${actor}`,
      capability: 'read',
      sensitivity: 'none',
      ...more,
    }
    events.push(event)
  }
  for (let on = 0; on <= day; on += 1) {
    for (let call = 0; call < 8; call += 1) {
      const own = { 'client.address': '10.1.2.3', 'mcp.client.name': 'desk', 'tool.definition.hash': 'aa' }
      add('traveller', at(on, 9, 5 * call), { ...own, argument_fingerprints: ['city:aaaaaaaa'] })
      add('traveller', at(on, 9, 5 * call + 1), { ...own, 'gen_ai.tool.name': 'places' })
    }
  }
  for (let call = 0; call < 4; call += 1) {
    const away = { 'client.address': '198.51.100.7', 'mcp.client.name': 'desk' }
    add('traveller', at(day, 10, 7 * call), { ...away, 'tool.definition.hash': 'bb' })
    add('traveller', at(day, 10, 7 * call + 2), {
      ...away,
      'gen_ai.tool.name': 'places',
      'tool.definition.hash': 'aa',
    })
  }
  for (let on = 1; on <= day; on += 1)
    add('resident', at(on, 9, 30), { argument_fingerprints: ['city:aaaaaaaa'] })
  add('traveller', at(day, 10, 50), { argument_fingerprints: ['city:bbbbbbbb', 'note:cccccccc'] })
  add('sleeper', at(day - 50, 11, 0), {})
  add('sleeper', at(day, 11, 0), {})
  for (let call = 0; call < 30; call += 1) {
    const denied = { outcome: 'denied', 'gen_ai.tool.name': `door-${call % 9}` } as const
    add('traveller', at(day, 12, call), denied)
  }
  return events.sort(byTime)
}
