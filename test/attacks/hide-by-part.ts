import { type Attack, randomHex, toolSpan } from './attack.ts'

export const attack: Attack = {
  name: 'a part that claims the id of a stored call takes its place under that id',
  kind: 'id claimed by a part',
  section: 1,
  run: async (context) => {
    const target = await context.shared()
    const { victim, attacker } = target.pair()
    const id = `event-${randomHex(8)}`
    const [tool, other] = [`wire_${randomHex(4)}`, `echo_${randomHex(4)}`]
    const nowMs = Date.now()
    await victim.sendEvents([
      {
        event_id: id,
        occurred_at: new Date(nowMs).toISOString(),
        'user.id': 'mallory',
        'gen_ai.tool.name': tool,
      },
    ])
    for (const traceId of [randomHex(16), randomHex(16)])
      await attacker.sendSpans([
        toolSpan({
          ...{ traceId, spanId: randomHex(8), startMs: nowMs, tool: other },
          attributes: { 'audit.event.id': id, 'user.id': 'mallory' },
        }),
      ])
    await target.searchUntil(`tool:${other}`, 2)
    const byId = await target.get<{ event: Record<string, unknown> }>(`/v1/events/${id}`)
    const found = await target.search(`id:${id}`)
    const isThere = (await target.search(`tool:${tool}`)).length === 1
    const isAlone = found.length === 1 && found[0]?.['gen_ai.tool.name'] === tool
    return {
      succeeded: !isThere || !isAlone || !JSON.stringify(byId).includes(tool),
      detail: `under the id: ${JSON.stringify(byId).slice(0, 300)}; found ${found.length}; the call ${isThere ? 'is' : 'is not'} found`,
    }
  },
}
