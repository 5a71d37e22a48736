import type { Attack, AttackResult } from './attack.ts'

/** Results are never kept, so what they hold must not be found out by trying values either. */
export const attack: Attack = {
  name: 'Who may send and read finds out what a tool answered, by having guesses fingerprinted',
  kind: 'guessed fingerprint',
  section: 3,
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const { victim, attacker } = target.pair()
    const marksOf = async (sender: typeof victim, tool: string, answers: readonly string[]) => {
      await sender.sendEvents(
        answers.map((answer, index) => ({
          'mcp.method.name': 'tools/call',
          ...{ 'gen_ai.tool.name': tool, 'mcp.server.name': 'payroll', 'user.id': `${tool}-${index}` },
          'gen_ai.tool.call.result': { salary: answer },
          occurred_at: new Date().toISOString(),
        })),
      )
      const found = await target.searchUntil(`tool:${tool}`, answers.length)
      return found.flatMap((event) => (event['result_fingerprints'] as string[] | undefined) ?? [])
    }
    const [own] = await marksOf(victim, 'answer_victim', ['81234'])
    if (own === undefined) throw new Error('the result has no fingerprint')
    const guesses = Array.from({ length: 900 }, (_, index) => String(80_500 + index))
    const tried = await marksOf(attacker, 'answer_attacker', guesses)
    const compared = tried.includes(own)
    // Asked for a character at a time, by a pattern that covers both.
    const asked = await target
      .search(`result_fingerprints:${own.slice(0, 1)}*`)
      .then(() => true)
      .catch(() => false)
    return {
      succeeded: compared || asked,
      detail: `found among ${tried.length} guesses: ${compared}; patterns over fingerprints answered: ${asked}`,
    }
  },
}
