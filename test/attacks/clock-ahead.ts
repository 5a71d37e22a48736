import type { Attack } from './attack.ts'

const HOUR_MS = 3_600_000
const CALLS = 50

export const attack: Attack = {
  name: 'Records that claim to be of tomorrow make those of today late, or keep them from being judged',
  kind: 'clock ahead',
  section: 1,
  run: async (context) => {
    const target = await context.fresh()
    const { victim, attacker } = target.pair()
    const call = (tool: string, atMs: number, number: number) => ({
      ...{
        'mcp.method.name': 'tools/call',
        'gen_ai.tool.name': tool,
        'user.id': 'ada',
        'mcp.server.name': 'files',
      },
      ...{ occurred_at: new Date(atMs).toISOString(), 'mcp.session.id': `ahead-${number}` },
    })
    const ahead = [1, 5, 20, 23, 25, 24 * 30, 24 * 365 * 50]
    await attacker.post(
      '/v1/events',
      ahead
        .flatMap((hours) =>
          Array.from({ length: CALLS }, (_, number) =>
            JSON.stringify(call('clock_ahead', Date.now() + hours * HOUR_MS, number)),
          ),
        )
        .join('\n'),
      { 'content-type': 'application/x-ndjson', 'x-gatewatch-wait': 'stored' },
    )
    await victim.sendEvents(
      Array.from({ length: CALLS }, (_, number) => call('clock_today', Date.now() - 1000, number)),
    )
    const today = await target.searchUntil('tool:clock_today', CALLS)
    const flagged = today.filter((event) =>
      JSON.stringify(event['record_flags'] ?? []).includes('late'),
    ).length
    // Ticks go by arrival: none may be ahead of the clock, and those of today are judged.
    const metrics = async (name: string) =>
      Number(
        new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(
          await (await target.ask('/metrics')).text(),
        )?.[1],
      )
    const deadline = performance.now() + 120_000
    let waiting = await metrics('gatewatch_detect_waiting_calls')
    while (waiting > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 500))
      waiting = await metrics('gatewatch_detect_waiting_calls')
    }
    const watermark = await metrics('gatewatch_detect_watermark_seconds')
    const isAhead = watermark > Date.now() / 1000 + 60
    return {
      succeeded: today.length !== CALLS || flagged > 0 || isAhead || waiting > 0,
      detail: `${today.length} of ${CALLS} calls of today found, ${flagged} of them marked late; ${waiting} wait to be judged; the watermark is ahead of the clock: ${isAhead}`,
    }
  },
}
