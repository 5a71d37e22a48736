import { setTimeout as sleep } from 'node:timers/promises'
import { type AttackContext, randomHex, type Sender, type Target } from './attack.ts'

const DAY_MS = 86_400_000
const TICKS_WAITED = 60
const LEARNING_S = 300

/** A tenant that shipped rules know: two people read secrets and send mail to one partner, for three weeks. */
export interface KnownTenant {
  readonly target: Target
  readonly victim: Sender
  readonly attacker: Sender
}

/** Starts one; what the victim sends is history that its operator declared. */
export async function knownTenant(context: AttackContext): Promise<KnownTenant> {
  const target = await context.fresh({ config: { sources: { history: ['http-victim-*'] } } })
  const { victim, attacker } = target.pair()
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS
  const records: object[] = []
  for (let day = 21; day >= 1; day--) {
    for (const user of ['ada', 'ben']) {
      for (let call = 0; call < 9; call++) {
        const at = new Date(today - day * DAY_MS + (9 * 60 + call * 20) * 60_000).toISOString()
        const isSend = call >= 6
        records.push({
          ...callOf(user, isSend ? 'send' : 'read_secret', isSend ? 'partner.example' : undefined),
          occurred_at: at,
          'mcp.session.id': `routine-${day}-${user}`,
        })
      }
    }
  }
  await victim.sendEvents(records)
  // An ordinary leak is found when the baselines are learned.
  await leak(victim, 'canary.example')
  const canary = await findingsOf(target, 'credential-then-send', 'canary.example', LEARNING_S)
  if (canary.length === 0) throw new Error('the ordinary leak was not found')
  return { target, victim, attacker }
}

/** A call as a native record; without a time it is one of now. */
export const callOf = (user: string, tool: 'read_secret' | 'send', destination?: string): object => ({
  occurred_at: new Date().toISOString(),
  'user.id': user,
  'mcp.server.name': tool === 'send' ? 'mail' : 'vault',
  'gen_ai.tool.name': tool,
  capability: tool === 'send' ? 'send-external' : 'read-credential',
  ...(destination === undefined ? {} : { destination }),
  outcome: 'success',
})

/** A secret read and then sent to a place that nobody used before; `more` is what the last record says besides. */
export async function leak(victim: Sender, destination: string, more: object = {}): Promise<void> {
  const session = { 'mcp.session.id': `leak-${randomHex(8)}` }
  await victim.sendEvents([
    // Before the other: of calls of one moment nobody knows the order.
    { ...callOf('ada', 'read_secret'), ...session, occurred_at: new Date(Date.now() - 2000).toISOString() },
    { ...callOf('ada', 'send', destination), ...session, ...more },
  ])
}

interface Finding {
  readonly rule: string
  readonly severity: string
  readonly title: string
}

/** Current findings of a rule that name the text; asked for until there is one, for about as many seconds as ticks are waited for. */
export async function findingsOf(
  target: Target,
  rule: string,
  text: string,
  looks = TICKS_WAITED,
): Promise<readonly Finding[]> {
  for (let look = 0; ; look++) {
    const { findings } = await target.get<{ findings: readonly Finding[] }>(
      `/v1/findings?rule=${rule}&from=-30d`,
    )
    const found = findings.filter((finding) => JSON.stringify(finding).includes(text))
    if (found.length > 0 || look >= looks) return found
    await sleep(1000)
  }
}
