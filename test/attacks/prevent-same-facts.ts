import { type Attack, randomHex } from './attack.ts'

export const attack: Attack = {
  name: 'the same call, sent first by another source under the same id as harmless, takes the place of the real one',
  kind: 'facts stored first',
  section: 1,
  run: async (context) => {
    const target = await context.shared()
    const { victim, attacker } = target.pair()
    const id = `call-${randomHex(8)}`
    const call = {
      event_id: id,
      occurred_at: new Date().toISOString(),
      'user.id': 'mallory',
      'mcp.server.name': 'mail',
      'gen_ai.tool.name': `send_${id}`,
    }
    await attacker.sendEvents([{ ...call, capability: 'read' }])
    const receipt = await victim.sendEvents([{ ...call, capability: 'send-external' }])
    const found = await target.search(`tool:send_${id}`)
    const real = found.find(({ topic }) => topic === `http-${victim.source}`)
    const isTold = receipt.stored === 1 && receipt.conflict === 1 && receipt.duplicate === 0
    const again = await victim.sendEvents([{ ...call, capability: 'send-external' }])
    const isOnce = again.stored === 0 && again.duplicate === 1
    return {
      succeeded: real?.['capability'] !== 'send-external' || !isTold || !isOnce,
      detail: `the real call is ${JSON.stringify(real)}, its receipt ${JSON.stringify(receipt)}, then ${JSON.stringify(again)}`,
    }
  },
}
