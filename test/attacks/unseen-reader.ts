import { eventually } from '../helpers/gatewatch.ts'
import type { Attack, AttackResult } from './attack.ts'

/** Nobody could say afterwards who had looked, from where, or who had tried. */
export const attack: Attack = {
  name: 'Who reads, searches and tries keys leaves no trace',
  kind: 'unseen reader',
  section: 3,
  async run({ fresh }): Promise<AttackResult> {
    const target = await fresh({ pairs: 1 })
    const mark = `mark-${Date.now()}`
    await target.get(`/v1/events?q=${mark}`)
    const refused = await fetch(new URL(`/v1/events?q=${mark}`, target.url), {
      headers: { authorization: `Bearer gw_${'A'.repeat(43)}` },
    })
    await refused.body?.cancel()
    const seen = async () => {
      try {
        const { events } = await target.get<{ events: Record<string, unknown>[] }>('/v1/access-log?limit=100')
        return events
      } catch {
        // There is none.
        return undefined
      }
    }
    if ((await seen()) === undefined) return { succeeded: true, detail: 'there is no access log' }
    const isSearch = (event: Record<string, unknown>) =>
      event['outcome'] === 'success' &&
      event['user.id'] === 'admin' &&
      String(event['gen_ai.tool.call.arguments']).includes(mark)
    const isRefusal = (event: Record<string, unknown>) =>
      event['outcome'] === 'denied' &&
      event['error.type'] === 'api_key' &&
      event['client.address'] === '127.0.0.1'
    const events =
      (await eventually(seen, (found) => found?.some(isSearch) === true && found.some(isRefusal))) ?? []
    const inTenant = await target.search(mark)
    return {
      succeeded: inTenant.length > 0,
      detail: `${events.length} accesses recorded; ${inTenant.length} of them among the tenant's own events`,
    }
  },
}
