import type { Attack } from './attack.ts'

const CALLS = 400
const TEXT = 'a'.repeat(20_000)
const PATTERNS = [
  `arguments:*${'a*'.repeat(40)}b`,
  `arguments:*${'a*a?'.repeat(30)}b*`,
  `arguments:*${'%_'.repeat(200)}b*`,
  `arguments:*${'(a+)+'.repeat(20)}$*`,
  `arguments:*${'\\\\'.repeat(300)}*`,
  `tool:*${'*'.repeat(400)}x`,
  Array.from({ length: 150 }, (_, number) => `arguments:*a${number}*b*`).join(' OR '),
  `${'('.repeat(300)}tool:x${')'.repeat(300)}`,
  `${'NOT '.repeat(300)}tool:x`,
  `arguments:"${'a'.repeat(3000)}"`,
]
const MOST_CPU_SECONDS = 60

export const attack: Attack = {
  name: 'An expression of the filter language with many wildcards, or nested deep, keeps the store or the process busy',
  kind: 'costly pattern',
  section: 2,
  run: async (context) => {
    const target = await context.fresh()
    const { attacker } = target.pair()
    for (let first = 0; first < CALLS; first += 100)
      await attacker.sendEvents(
        Array.from({ length: 100 }, (_, number) => ({
          ...{
            'mcp.method.name': 'tools/call',
            'gen_ai.tool.name': 'costly',
            'user.id': `u${first + number}`,
          },
          'gen_ai.tool.call.arguments': { text: TEXT },
        })),
      )
    await target.searchUntil('tool:costly', CALLS)
    const cpu = async () =>
      Number(
        /^gatewatch_process_cpu_seconds_total (\S+)$/m.exec(await (await target.ask('/metrics')).text())?.[1],
      )
    const costs: number[] = []
    const statuses: number[] = []
    let slowest = 0
    for (const q of PATTERNS) {
      const before = await cpu()
      const asked = target.ask(`/v1/events?${new URLSearchParams({ q, from: '-1d', limit: '10' })}`)
      const since = performance.now()
      await (await fetch(new URL('/healthz', target.url))).body?.cancel()
      slowest = Math.max(slowest, performance.now() - since)
      const reply = await asked
      await reply.body?.cancel()
      statuses.push(reply.status)
      costs.push((await cpu()) - before)
    }
    const dearest = Math.max(...costs)
    return {
      succeeded:
        dearest > MOST_CPU_SECONDS || statuses.some((status) => ![200, 400, 414, 431].includes(status)),
      detail: `${PATTERNS.length} patterns over ${CALLS} texts of 20 kB: answers ${statuses.join(' ')}, the dearest ${dearest.toFixed(1)} s of CPU, /healthz at most ${Math.round(slowest)} ms`,
    }
  },
}
