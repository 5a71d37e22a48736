import type { Attack } from './attack.ts'

const PER_HOUR = 100
const GUESSES = 2000

/** As the source of the secret itself, which the agent is whose gateway it is. */
export const attack: Attack = {
  name: 'Who sends as the same source as a secret tries a list of passwords, as fast as it can send',
  kind: 'rate of guesses',
  section: 3,
  run: async (context) => {
    const target = await context.fresh({ config: { redaction: { linked_values_per_hour: PER_HOUR } } })
    const { victim } = target.pair()
    const call = (tool: string, password: string, index: number) => ({
      ...{ 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': tool, 'user.id': `guess-${index}` },
      'gen_ai.tool.call.arguments': { password },
      // By another way into what is stored.
      'error.message': `password=${password}-in-text`,
    })
    await victim.sendEvents([call('rate_own', 'Summer2026!x', 0)])
    const guesses = Array.from({ length: GUESSES }, (_, index) =>
      call('rate_guess', `Winter${10_000 + index}!x`, index),
    )
    for (let first = 0; first < GUESSES; first += 500)
      await victim.sendEvents(guesses.slice(first, first + 500))
    // What no reader reads as JSON becomes a dead letter, with a token in it as well.
    const broken = Array.from({ length: 200 }, (_, index) => `{"password": "Autumn${10_000 + index}!x", `)
    await (
      await victim.post('/v1/events', broken.join('\n'), { 'content-type': 'application/x-ndjson' })
    ).body?.cancel()
    const events = (
      await Promise.all(
        Array.from({ length: 4 }, (_, part) => target.searchUntil(`tool:rate_guess user:guess-${part}*`, 1)),
      )
    ).flat()
    const letters = await target.get<object>('/v1/dead-letters?limit=200')
    const all = JSON.stringify([events, letters])
    const tokens = new Set(
      [...all.matchAll(/hmac:[\w-]+:([\w-]{22})/g)]
        .map(([, value]) => value)
        .filter((value) => !value?.endsWith('-linked')),
    )
    return {
      // Of this hour, and of the next one where the attack goes over its end.
      succeeded: tokens.size > 2 * PER_HOUR || events.length === 0,
      detail: `${tokens.size} of ${2 * GUESSES + broken.length} guesses have tokens of their own, ${PER_HOUR} an hour are allowed`,
    }
  },
}
