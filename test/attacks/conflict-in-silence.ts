import { setTimeout as sleep } from 'node:timers/promises'
import { type Attack, randomHex } from './attack.ts'

// Operational trouble is looked for twice a minute.
const LOOKS = 90

export const attack: Attack = {
  name: 'ids of another source are claimed and nobody is told',
  kind: 'claim in silence',
  section: 1,
  run: async (context) => {
    const target = await context.shared()
    const { victim, attacker } = target.pair()
    const call = {
      event_id: randomHex(8),
      occurred_at: new Date().toISOString(),
      'gen_ai.tool.name': 'transfer',
    }
    await victim.sendEvents([{ ...call, 'user.id': 'mallory' }])
    await attacker.sendEvents([{ ...call, 'user.id': 'bob' }])
    for (let look = 0; look < LOOKS; look++) {
      const { findings } = await target.get<{ findings: { entity: { id: string } }[] }>(
        '/v1/findings?rule=operational.id-conflicts',
      )
      if (findings.some(({ entity }) => entity.id === `http-${attacker.source}`))
        return { succeeded: false, detail: `a finding names ${attacker.source}` }
      await sleep(1000)
    }
    return { succeeded: true, detail: `no finding names ${attacker.source} after ${LOOKS} s` }
  },
}
