import { type Attack, randomHex } from './attack.ts'
import { callOf, findingsOf, knownTenant, leak } from './history.ts'

const DAY_MS = 86_400_000

export const attack: Attack = {
  name: 'backdated records of a source that was not there make the real chain usual',
  kind: 'backdated lesson',
  section: 1,
  run: async (context) => {
    const { target, victim, attacker } = await knownTenant(context)
    const destination = `drop-${randomHex(4)}.example`
    await attacker.sendEvents(
      Array.from({ length: 30 }, (_, n) => ({
        ...callOf('ada', 'send', destination),
        occurred_at: new Date(Date.now() - (5 + (n % 15)) * DAY_MS - n * 1000).toISOString(),
      })),
    )
    await leak(victim, destination)
    const found = await findingsOf(target, 'credential-then-send', destination)
    const marked = await target.search(`record:late destination:${destination}`)
    await target.stop()
    return {
      succeeded: !found.some(({ severity }) => severity === 'critical') || marked.length !== 30,
      detail: `${found.length} findings; ${marked.length} of 30 records are marked as late`,
    }
  },
}
