import { stableId } from '../../core/hash.ts'
import { type Attack, randomHex, toolSpan } from './attack.ts'

const CALLS = 20

export const attack: Attack = {
  name: 'ids that another source stored first keep real calls from becoming events',
  kind: 'id stored first',
  section: 1,
  run: async (context) => {
    const target = await context.shared()
    const { victim, attacker } = target.pair()
    const tool = `pay_${randomHex(4)}`
    const nowMs = Date.now()
    const calls = Array.from({ length: CALLS }, () => ({ traceId: randomHex(16), spanId: randomHex(8) }))
    // Whoever reads the source code works out the ids that these calls will get, before and after they were bound to a source.
    const ids = calls.flatMap(({ traceId, spanId }) =>
      [`trace:${traceId}`, `http-${victim.source} trace:${traceId}`].map((key) =>
        stableId('default', key, `span:${spanId}`),
      ),
    )
    const mine = `harmless_${randomHex(4)}`
    await attacker.sendSpans(
      ids.map((id) =>
        toolSpan({
          ...{ traceId: randomHex(16), spanId: randomHex(8), startMs: nowMs, tool: mine },
          attributes: { 'audit.event.id': id },
        }),
      ),
    )
    await attacker.sendEvents(
      ids.map((id) => ({
        event_id: id,
        occurred_at: new Date(nowMs).toISOString(),
        'gen_ai.tool.name': mine,
        'user.id': 'bob',
      })),
    )
    await target.searchUntil(`tool:${mine}`, ids.length)
    await victim.sendSpans(
      calls.map((call) => toolSpan({ ...call, startMs: nowMs, tool, attributes: { 'user.id': 'mallory' } })),
    )
    // The calls of a later envelope are there when the earlier ones were looked at.
    const marker = `marker_${randomHex(4)}`
    await victim.sendSpans([
      toolSpan({ traceId: randomHex(16), spanId: randomHex(8), startMs: nowMs, tool: marker }),
    ])
    await target.searchUntil(`tool:${marker}`, 1)
    const found = await target.search(`tool:${tool}`)
    return { succeeded: found.length !== CALLS, detail: `${found.length} of ${CALLS} calls are events` }
  },
}
