import { setTimeout as sleep } from 'node:timers/promises'
import { type Attack, randomHex, toolSpan } from './attack.ts'

export const attack: Attack = {
  name: 'a span of another source with the same ids makes a stored call another person’s',
  kind: 'join from another source',
  section: 1,
  run: async (context) => {
    const target = await context.shared()
    const { victim, attacker } = target.pair()
    const [traceId, spanId, tool] = [randomHex(16), randomHex(8), `transfer_${randomHex(4)}`]
    const nowMs = Date.now()
    const span = (user: string, n: number, startMs: number, more: Record<string, string> = {}) =>
      toolSpan({
        ...{ traceId, spanId, startMs, tool },
        attributes: { 'user.id': user, 'gen_ai.tool.call.arguments': JSON.stringify({ n }), ...more },
      })
    await victim.sendSpans([span('mallory', 50_000, nowMs)])
    await target.searchUntil(`tool:${tool} user:mallory`, 1)
    await attacker.sendSpans([span('bob', 1, nowMs - 5000, { 'error.type': 'permission_denied' })])
    // The assembler has looked at it when its own event is there; where it was joined, it never is.
    for (let look = 0; look < 100 && (await target.search(`tool:${tool} user:bob`)).length === 0; look++)
      await sleep(100)
    const [kept] = await target.search(`tool:${tool} user:mallory`)
    const isKept =
      kept?.['outcome'] === 'success' &&
      String(kept['gen_ai.tool.call.arguments']).includes('50000') &&
      Date.parse(String(kept['occurred_at'])) === nowMs
    return { succeeded: !isKept, detail: `the call of mallory is now ${JSON.stringify(kept)}` }
  },
}
