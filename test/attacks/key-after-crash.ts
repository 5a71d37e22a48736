import { join } from 'node:path'
import { startProcess } from '../helpers/gatewatch.ts'
import type { Attack } from './attack.ts'

const CALLS = 200

export const attack: Attack = {
  name: 'After a kill between receipt and store another source sends the same body, ids and key, and takes the place of the calls',
  kind: 'key after a crash',
  section: 1,
  run: async (context) => {
    const target = await context.fresh()
    const { victim, attacker } = target.pair()
    const bodyOf = (user: string) =>
      Array.from({ length: CALLS }, (_, number) =>
        JSON.stringify({
          event_id: `crash-${number}`,
          ...{ 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': 'crash_call', 'user.id': user },
          occurred_at: '2026-03-04T10:00:00Z',
        }),
      ).join('\n')
    const headers = { 'content-type': 'application/x-ndjson', 'idempotency-key': '"crash-key"' }
    const taken = await victim.post('/v1/events', bodyOf('mallory'), headers)
    await taken.body?.cancel()
    await target.kill('SIGKILL')
    const again = await startProcess({
      args: ['up', '--config', join(target.data, '..', 'gatewatch.yaml')],
      data: target.data,
    })
    try {
      const send = (key: string, body: string) =>
        fetch(new URL('/v1/events', again.url), {
          method: 'POST',
          body,
          headers: { ...headers, authorization: `Bearer ${key}`, 'x-gatewatch-wait': 'stored' },
        })
      const forged = await send(attacker.key, bodyOf('bob'))
      const { stored, duplicate } = (await forged.json()) as { stored: number; duplicate: number }
      // The real source does not know what became of its request, and repeats it.
      const repeated = await send(victim.key, bodyOf('mallory'))
      await repeated.body?.cancel()
      const list = async (q: string) => {
        const query = new URLSearchParams({
          q,
          from: '2026-03-01T00:00:00Z',
          to: '2026-03-31T00:00:00Z',
          limit: '1000',
        })
        return (await again.get<{ events: Record<string, unknown>[] }>(`/v1/events?${query}`)).events
      }
      const deadline = performance.now() + 60_000
      let own = await list('tool:crash_call user:mallory')
      while (own.length < CALLS && performance.now() < deadline)
        own = await list('tool:crash_call user:mallory')
      const ids = new Set(own.map((event) => event['event_id']))
      const held = own.length === CALLS && ids.size === CALLS && ids.has('crash-0')
      return {
        succeeded: taken.status !== 202 || !held || repeated.status !== 202,
        detail: `${own.length} of ${CALLS} calls are there once, under their ids: ${held}; the other source had ${stored} stored, ${duplicate} duplicate`,
      }
    } finally {
      await again.stop()
    }
  },
}
