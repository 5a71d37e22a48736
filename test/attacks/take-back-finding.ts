import { setTimeout as sleep } from 'node:timers/promises'
import { type Attack, randomHex, toolSpan } from './attack.ts'
import { callOf, findingsOf, knownTenant } from './history.ts'

export const attack: Attack = {
  name: 'one forged part of another source that says denied takes back a critical finding',
  kind: 'finding taken back',
  section: 1,
  run: async (context) => {
    const { target, victim, attacker } = await knownTenant(context)
    const destination = `drop-${randomHex(4)}.example`
    const session = `leak-${randomHex(8)}`
    const [traceId, spanId] = [randomHex(16), randomHex(8)]
    await victim.sendEvents([
      {
        ...callOf('ada', 'read_secret'),
        'mcp.session.id': session,
        occurred_at: new Date(Date.now() - 2000).toISOString(),
      },
    ])
    const send = (more: Record<string, string>) =>
      toolSpan({
        ...{ traceId, spanId, startMs: Date.now(), tool: 'send', server: 'mail' },
        attributes: {
          'mcp.session.id': session,
          'user.id': 'ada',
          'gen_ai.tool.call.arguments': JSON.stringify({ to: `x@${destination}` }),
          ...more,
        },
      })
    await victim.sendSpans([send({})])
    const before = await findingsOf(target, 'credential-then-send', destination)
    if (before.length === 0) throw new Error('there was no finding to take back')
    await attacker.sendSpans([send({ 'policy.decision': 'deny', outcome: 'denied' })])
    await target.searchUntil(`decision:deny`, 1)
    // Ticks come every second.
    await sleep(5000)
    const after = await findingsOf(target, 'credential-then-send', destination, 0)
    await target.stop()
    return {
      succeeded: after.length === 0,
      detail: `${before.length} findings before, ${after.length} after`,
    }
  },
}
