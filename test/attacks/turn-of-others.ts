import type { Attack } from './attack.ts'

const BODIES = 250
const RECORDS = 400

/** Counts what is answered of the one before the other is: that says nothing about how fast the machine is. */
export const attack: Attack = {
  name: 'A source sends hundreds of bodies at once, and another’s small request waits behind all of them',
  kind: 'turn of others',
  section: 2,
  run: async (context) => {
    const target = await context.fresh()
    const { victim, attacker } = target.pair()
    const body = Array.from({ length: RECORDS }, (_, number) => JSON.stringify(call(number))).join('\n')
    const headers = { 'content-type': 'application/x-ndjson' }
    let answered = 0
    const statuses = new Map<number, number>()
    const flood = Array.from({ length: BODIES }, async () => {
      const reply = await attacker.post('/v1/events', body, headers)
      await reply.body?.cancel()
      answered++
      statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1)
    })
    // The first answers come when the bodies are there.
    await Promise.race(flood)
    const before = answered
    const reply = await victim.post('/v1/events', JSON.stringify(call(0)), headers)
    await reply.body?.cancel()
    const between = answered - before
    await Promise.all(flood)
    const rest = BODIES - before
    return {
      succeeded: reply.status !== 202 || between > rest / 2,
      detail: `another’s request: ${reply.status} after ${between} of ${rest} bodies; answers ${[...statuses].map(([status, count]) => `${status} × ${count}`).join(', ')}`,
    }
  },
}

const call = (number: number): object => ({
  ...{ 'user.email': 'mallory@acme.example', 'mcp.server.name': 'files', 'mcp.method.name': 'tools/call' },
  ...{ 'gen_ai.tool.name': 'read_file', 'gen_ai.tool.call.arguments': { path: `/reports/${number}.txt` } },
})
