import type { Attack } from './attack.ts'
import { findingsOf, knownTenant, leak } from './history.ts'

const ANSWERS = [
  { outcome: 'failure', 'mcp.tool.is_error': true },
  { outcome: 'timeout' },
  { outcome: 'denied', 'http.response.status_code': 403 },
  { outcome: 'denied', 'rpc.response.status_code': 'PERMISSION_DENIED' },
] as const

export const attack: Attack = {
  name: 'the server that gets the data answers with an error, a time-out or a denial, and no rule fires',
  kind: 'answer of the receiving server',
  section: 1,
  run: async (context) => {
    const { target, victim } = await knownTenant(context)
    for (const [index, answer] of ANSWERS.entries()) await leak(victim, `drop-${index}.example`, answer)
    const silent: string[] = []
    for (const [index, answer] of ANSWERS.entries()) {
      const destination = `drop-${index}.example`
      const found = await findingsOf(target, 'credential-then-send', destination)
      if (!found.some(({ severity }) => severity === 'critical')) silent.push(JSON.stringify(answer))
    }
    await target.stop()
    return {
      succeeded: silent.length > 0,
      detail: `no critical finding for ${silent.length} of ${ANSWERS.length} answers ${silent.join(' ')}`,
    }
  },
}
