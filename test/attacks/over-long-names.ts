import { type Attack, randomHex, toolSpan } from './attack.ts'

const NATIVE = [
  'user.id',
  'mcp.client.name',
  'gen_ai.conversation.id',
  'gen_ai.tool.call.id',
  'jsonrpc.request.id',
  'credential.id',
  'error.type',
  'gateway.id',
  'trace_id',
  'tool.name.raw',
  'mcp.session.id',
  'event_id',
  'gen_ai.tool.name',
  'gen_ai.prompt.name',
  'gen_ai.agent.id',
] as const

export const attack: Attack = {
  name: 'an id or a name of more than 1,024 characters costs the record of the call',
  kind: 'over-long name',
  section: 1,
  run: async (context) => {
    const target = await context.shared()
    const { victim } = target.pair()
    const server = `files-${randomHex(4)}`
    const long = randomHex(1000)
    const receipt = await victim.sendEvents(
      NATIVE.map((field) => ({
        occurred_at: new Date().toISOString(),
        'mcp.server.name': server,
        'gen_ai.tool.name': 'delete_file',
        [field]: `${field}${long}`,
      })),
    )
    const spans = ['mcp.session.id', 'gen_ai.tool.call.id', 'audit.event.id', 'jsonrpc.request.id']
    await victim.sendSpans(
      spans.map((name) =>
        toolSpan({
          ...{
            traceId: randomHex(16),
            spanId: randomHex(8),
            startMs: Date.now(),
            tool: 'delete_file',
            server,
          },
          attributes: { [name]: `${name}${long}` },
        }),
      ),
    )
    const wanted = NATIVE.length + spans.length
    const found = await target.searchUntil(`server:${server}`, wanted)
    const flagged = found.filter(({ record_flags: flags }) =>
      JSON.stringify(flags ?? []).includes('shortened'),
    )
    return {
      succeeded: found.length !== wanted || flagged.length !== wanted || receipt.dead_lettered > 0,
      detail: `${found.length} of ${wanted} calls are events, ${flagged.length} are marked; ${receipt.dead_lettered} dead letters`,
    }
  },
}
