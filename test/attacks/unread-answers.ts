import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Attack, Target } from './attack.ts'

const MIB = 1024 ** 2
const CALLS = 200
const BYTES = 62_000
const CONNECTIONS = 80
const AT_ONCE = 8
const QUESTION = '/v1/events?q=tool:unread_answer&from=-1d&limit=1000'
// Each answer has some 8 MiB.
const MOST_GROWTH = 40 * 8 * MIB
const LOOKS = 20

export const attack: Attack = {
  name: 'A reader asks for large answers on many connections and reads none, and they pile up in the memory',
  kind: 'unread answers',
  section: 2,
  run: async (context) => {
    const target = await context.fresh()
    const { attacker } = target.pair()
    for (let first = 0; first < CALLS; first += 50)
      await attacker.sendEvents(Array.from({ length: 50 }, (_, number) => call(first + number)))
    await target.searchUntil('tool:unread_answer', 1)
    const minted = await target.post('/v1/token', JSON.stringify({ capabilities: ['events:read'] }), {
      'content-type': 'application/json',
    })
    const { token } = (await minted.json()) as { token: string }
    // What it takes to make answers stays resident whoever reads them, so as many are made and read before.
    for (let round = 0; round < CONNECTIONS; round += AT_ONCE)
      await Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
          const reply = await fetch(new URL(QUESTION, target.url), {
            headers: { authorization: `Bearer ${token}` },
          })
          await reply.arrayBuffer()
        }),
      )
    const before = await memoryOf(target)
    const sockets: Socket[] = []
    let most = 0
    let answered = 0
    try {
      for (let number = 0; number < CONNECTIONS; number++) {
        const socket = connect(Number(new URL(target.url).port), '127.0.0.1')
        sockets.push(socket.on('error', () => undefined).pause())
        socket.write(
          [`GET ${QUESTION} HTTP/1.1`, ...['host: 127.0.0.1', `authorization: Bearer ${token}`, '', '']].join(
            '\r\n',
          ),
        )
      }
      for (let look = 0; look < LOOKS; look++) {
        await sleep(1000)
        most = Math.max(most, (await memoryOf(target)) - before)
        if ((await fetch(new URL('/healthz', target.url))).ok) answered++
      }
    } finally {
      for (const socket of sockets) socket.destroy()
    }
    return {
      succeeded: most > MOST_GROWTH || answered < LOOKS,
      detail: `${CONNECTIONS} answers of 8 MiB unread: ${Math.round(most / MIB)} MiB more resident; /healthz was answered ${answered} of ${LOOKS} times`,
    }
  },
}

const memoryOf = async (target: Target): Promise<number> =>
  Number(
    /^gatewatch_process_resident_memory_bytes (\S+)$/m.exec(await (await target.ask('/metrics')).text())?.[1],
  )

const call = (number: number): object => ({
  'user.id': `mallory-${number}`,
  'mcp.server.name': 'files',
  'mcp.method.name': 'tools/call',
  'gen_ai.tool.name': 'unread_answer',
  'gen_ai.tool.call.arguments': JSON.stringify({ text: `${number} `.padEnd(BYTES, 'figures of the week ') }),
})
