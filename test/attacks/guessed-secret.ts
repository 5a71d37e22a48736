import type { Attack, AttackResult, Sender, Target } from './attack.ts'

const TOKEN = /hmac:[\w-]+:[\w-]{22}/

const call = (tool: string, value: string) => ({
  'mcp.method.name': 'tools/call',
  'gen_ai.tool.name': tool,
  'mcp.server.name': 'vault',
  'gen_ai.tool.call.arguments': { password: value },
  occurred_at: new Date().toISOString(),
})

/** Tokens of what a sender had hidden, by what it sent; read as anybody who may read does. */
async function hiddenAs(target: Target, sender: Sender, tool: string, values: readonly string[]) {
  const named = values.map((value, index) => ({ ...call(tool, value), 'user.id': `${tool}-${index}` }))
  await sender.sendEvents(named)
  const found = await target.searchUntil(`tool:${tool}`, values.length)
  return new Map(
    found.flatMap((event) => {
      const token = TOKEN.exec(String(event['gen_ai.tool.call.arguments']))?.[0]
      const index = Number(String(event['user.id']).slice(tool.length + 1))
      return token === undefined ? [] : [[values[index] ?? '', token] as const]
    }),
  )
}

/** Four digits have 10,000 forms, a password of a list as many as the list: each is sent, and the tokens are compared. */
export const attack: Attack = {
  name: 'Who may send and read finds out what another had hidden, by having guesses hidden',
  kind: 'guessed secret',
  section: 3,
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const { victim, attacker } = target.pair()
    const found: string[] = []
    for (const [tool, secret, guesses] of [
      ['own_pin', '0742', Array.from({ length: 1000 }, (_, pin) => String(pin).padStart(4, '0'))],
      ['own_password', 'Summer2026!x', ['Winter2025!x', 'Summer2026!x', 'Password123!']],
    ] as const) {
      const [token] = [...(await hiddenAs(target, victim, `${tool}_victim`, [secret])).values()]
      if (token === undefined) throw new Error(`${tool}: the secret was not hidden`)
      const tried = await hiddenAs(target, attacker, `${tool}_attacker`, guesses)
      const same = guesses.filter((guess) => tried.get(guess) === token)
      // A token that all guesses share tells nothing.
      if (same.length === 1 && same[0] === secret) found.push(`${tool}: ${guesses.length} guesses`)
    }
    return { succeeded: found.length > 0, detail: found.join('; ') || 'nothing was found' }
  },
}
