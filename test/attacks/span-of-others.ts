import { setTimeout as sleep } from 'node:timers/promises'
import { type Attack, randomHex } from './attack.ts'

// Shared spans are looked for once a minute.
const LOOKS = 150

export const attack: Attack = {
  name: 'A source reports a span of another source as somebody else’s call, and nobody is told that there are two',
  kind: 'span of others',
  section: 1,
  run: async (context) => {
    const target = await context.shared()
    const { victim, attacker } = target.pair()
    const [traceId, spanId] = [randomHex(16), randomHex(8)]
    const call = (user: string) => ({
      ...{ 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': 'transfer', 'user.id': user },
      ...{ occurred_at: new Date().toISOString(), trace_id: traceId, span_id: spanId },
    })
    await victim.sendEvents([call('mallory')])
    await attacker.sendEvents([call('bob')])
    const kept = await target.searchUntil(`trace_id:${traceId}`, 2)
    for (let look = 0; look < LOOKS; look++) {
      const { findings } = await target.get<{ findings: { title: string }[] }>(
        '/v1/findings?rule=operational.shared-spans',
      )
      if (findings.some(({ title }) => title.includes(victim.source) && title.includes(attacker.source)))
        return {
          succeeded: kept.length !== 2,
          detail: `${kept.length} of 2 are kept, and a finding names both`,
        }
      await sleep(1000)
    }
    return { succeeded: true, detail: `${kept.length} of 2 are kept; no finding after ${LOOKS} s` }
  },
}
