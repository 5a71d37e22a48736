import type { Attack } from './attack.ts'

const BODIES = 250
const RECORDS = 400
// On a busy machine this process may itself send the small request late; who has no turns is behind all of them each time.
const ROUNDS = 3

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
    const small = JSON.stringify(call(0))
    for (let round = 1; ; round++) {
      let answered = 0
      const flood = Array.from({ length: BODIES }, async () => {
        const reply = await attacker.post('/v1/events', body, headers)
        await reply.body?.cancel()
        answered++
      })
      // The first answers come when the bodies are there.
      await Promise.race(flood)
      const before = answered
      const reply = await victim.post('/v1/events', small, headers)
      await reply.body?.cancel()
      const between = answered - before
      await Promise.all(flood)
      const rest = BODIES - before
      const succeeded = reply.status !== 202 || between > rest / 2
      if (succeeded && round < ROUNDS) continue
      const detail = `another’s request: ${reply.status} after ${between} of ${rest} bodies (round ${round})`
      return { succeeded, detail }
    }
  },
}

const call = (number: number): object => ({
  ...{ 'user.email': 'mallory@acme.example', 'mcp.server.name': 'files', 'mcp.method.name': 'tools/call' },
  ...{ 'gen_ai.tool.name': 'read_file', 'gen_ai.tool.call.arguments': { path: `/reports/${number}.txt` } },
})
