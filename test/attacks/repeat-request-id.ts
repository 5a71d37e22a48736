import { type Attack, randomHex, toolSpan } from './attack.ts'

const CALLS = 200

export const attack: Attack = {
  name: 'an agent that sends one traceparent, session and JSON-RPC id with every call is seen to call once',
  kind: 'request id used again',
  section: 1,
  run: async (context) => {
    const target = await context.shared()
    const { victim } = target.pair()
    const [traceId, parentSpanId, tool] = [randomHex(16), randomHex(8), `export_${randomHex(4)}`]
    const session = randomHex(8)
    const nowMs = Date.now()
    const spans = Array.from({ length: CALLS }, (_, n) =>
      toolSpan({
        ...{ traceId, spanId: randomHex(8), parentSpanId, startMs: nowMs - 60_000 + n * 100, tool },
        attributes: {
          'mcp.session.id': session,
          'jsonrpc.request.id': '1',
          'gen_ai.tool.call.arguments': JSON.stringify({ page: n }),
        },
      }),
    )
    for (let from = 0; from < CALLS; from += 50) await victim.sendSpans(spans.slice(from, from + 50))
    const found = await target.searchUntil(`tool:${tool}`, CALLS)
    const pages = new Set(found.map((event) => event['gen_ai.tool.call.arguments']))
    return {
      succeeded: found.length !== CALLS || pages.size !== CALLS,
      detail: `${found.length} of ${CALLS} calls, with ${pages.size} arguments`,
    }
  },
}
