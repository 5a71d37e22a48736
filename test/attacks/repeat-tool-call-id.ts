import { type Attack, attribute, randomHex } from './attack.ts'

const CALLS = 50

export const attack: Attack = {
  name: 'an agent that uses one tool-call id again and again, with the same arguments, is seen to call once',
  kind: 'tool-call id used again',
  section: 1,
  run: async (context) => {
    const target = await context.shared()
    const { victim } = target.pair()
    const [tool, conversation] = [`refund_${randomHex(4)}`, randomHex(8)]
    const nowMs = Date.now()
    const records = Array.from({ length: CALLS }, (_, n) => ({
      timeUnixNano: `${BigInt(nowMs - 60_000 + n * 500)}000000`,
      body: { stringValue: 'tool_result' },
      attributes: [
        attribute('event.name', 'tool_result'),
        attribute('gen_ai.tool.name', tool),
        attribute('gen_ai.tool.call.id', 'call_1'),
        attribute('gen_ai.conversation.id', conversation),
        attribute('gen_ai.tool.call.arguments', '{"amount":100}'),
        attribute('success', true),
        attribute('duration_ms', 20),
      ],
    }))
    const body = { resourceLogs: [{ resource: { attributes: [] }, scopeLogs: [{ logRecords: records }] }] }
    const reply = await victim.post('/v1/logs', JSON.stringify(body), { 'content-type': 'application/json' })
    if (!reply.ok) throw new Error(`/v1/logs: ${reply.status} ${await reply.text()}`)
    const found = await target.searchUntil(`tool:${tool}`, CALLS)
    return { succeeded: found.length !== CALLS, detail: `${found.length} of ${CALLS} calls` }
  },
}
