import { startClickHouse } from '../helpers/clickhouse-server.ts'
import type { Attack, Sender } from './attack.ts'

// As little as the settings allow, so that few bodies fill it.
const WAITING_MB = 16
const MOST_BODIES = 40
const BODIES = [
  [16, 60_000],
  [1, 60_000],
  [1, 4000],
  [1, 300],
  [1, 10],
] as const
const SMALL_ONES = 30

export const attack: Attack = {
  name: 'While the store is away, a source fills all that may wait for it, and another’s calls are refused',
  kind: 'share of the log',
  section: 2,
  run: async (context) => {
    const store = await startClickHouse()
    try {
      const target = await context.fresh({
        config: { clickhouse: { url: store.url }, intake: { waiting_mb: WAITING_MB } },
      })
      const { victim, attacker } = target.pair()
      await store.kill()
      let taken = 0
      let refusal: Response | undefined
      // To the last byte: what is too large for the rest is tried smaller.
      for (const [count, length] of BODIES) {
        refusal = undefined
        for (let sent = 0; refusal === undefined && sent < MOST_BODIES; sent++) {
          const body = bodyOf('share_attacker', count, length)
          const reply = await attacker.post('/v1/events', body, JSON_LINES)
          await reply.body?.cancel()
          if (reply.status === 202) taken += body.length
          else refusal = reply
        }
        if (refusal === undefined) throw new Error(`${taken} bytes were taken, and nothing refused`)
      }
      if (refusal === undefined) throw new Error('nothing was sent')
      const statuses: number[] = []
      for (let number = 0; number < SMALL_ONES; number++) statuses.push(await smallStatus(victim))
      const health = await (await target.ask('/v1/health')).text()
      const named = health.includes('source_share_used') && health.includes(attacker.source)
      const refused = statuses.filter((status) => status !== 202).length
      await store.start()
      const stored = await target.searchUntil('tool:share_victim', SMALL_ONES - refused)
      return {
        succeeded:
          refused > 0 ||
          !named ||
          stored.length !== SMALL_ONES ||
          refusal.headers.get('retry-after') === null,
        detail: `refused after ${taken} bytes with ${refusal.status}, named: ${named}; of another’s ${SMALL_ONES} calls ${refused} refused, ${stored.length} stored when the store was back`,
      }
    } finally {
      await store.stop()
    }
  },
}

const JSON_LINES = { 'content-type': 'application/x-ndjson' }

async function smallStatus(sender: Sender): Promise<number> {
  const reply = await sender.post('/v1/events', bodyOf('share_victim', 1, 10), JSON_LINES)
  await reply.body?.cancel()
  return reply.status
}

const bodyOf = (tool: string, count: number, length: number): string =>
  Array.from({ length: count }, () =>
    JSON.stringify({
      ...{ 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': tool, 'user.email': 'ada@acme.example' },
      'gen_ai.tool.call.arguments': { text: 'figures of the week '.repeat(length / 20 + 1) },
    }),
  ).join('\n')
