import { type Attack, randomHex } from './attack.ts'

export const attack: Attack = {
  name: 'arguments that are long, many or nested deep cost the record of the call, or make two calls look like one',
  kind: 'over-long argument',
  section: 1,
  run: async (context) => {
    const target = await context.shared()
    const { victim } = target.pair()
    const server = `shell-${randomHex(4)}`
    const id = randomHex(8)
    const long = 'x'.repeat(300_000)
    const kinds: readonly unknown[] = [
      { text: `${long}a` },
      { text: `${long}b` },
      { [`${long.slice(0, 2000)}a`]: 1 },
      Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`k${n}`, n])),
      JSON.parse(`${'['.repeat(500)}${']'.repeat(500)}`),
      { path: `/${long}` },
    ]
    const receipt = await victim.sendEvents(
      kinds.map((value, index) => ({
        // The first two differ in their last character only.
        event_id: `${id}-${Math.max(1, index)}`,
        occurred_at: new Date(Math.floor(Date.now() / 60_000) * 60_000).toISOString(),
        'mcp.server.name': server,
        'gen_ai.tool.name': 'run',
        'gen_ai.tool.call.arguments': value,
      })),
    )
    const found = await target.search(`server:${server}`)
    return {
      succeeded: found.length !== kinds.length || receipt.dead_lettered > 0,
      detail: `${found.length} of ${kinds.length} calls are events; ${JSON.stringify(receipt)}`,
    }
  },
}
