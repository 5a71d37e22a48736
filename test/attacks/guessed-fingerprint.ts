import type { Attack, AttackResult } from './attack.ts'

const GUESSES = 900
const ASKED = 120
const SHOWN_A_MINUTE = 30

/** Results are never kept, so what they hold must not be found out by trying values either. */
export const attack: Attack = {
  name: 'Who may send and read finds out what a tool answered, by having guesses fingerprinted',
  kind: 'guessed fingerprint',
  section: 3,
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const { victim, attacker } = target.pair()
    const fingerprintsOf = (event: Record<string, unknown>) => [
      ...((event['result_fingerprints'] as string[] | undefined) ?? []),
    ]
    const send = async (sender: typeof victim, tool: string, answers: readonly string[]) => {
      await sender.sendEvents(
        answers.map((answer, index) => ({
          'mcp.method.name': 'tools/call',
          ...{ 'gen_ai.tool.name': tool, 'mcp.server.name': 'payroll', 'user.id': `${tool}-${index}` },
          'gen_ai.tool.call.result': { salary: answer },
          occurred_at: new Date().toISOString(),
        })),
      )
      return await target.searchUntil(`tool:${tool}`, answers.length)
    }
    const marksOf = async (events: readonly Record<string, unknown>[]) => {
      const marks: string[] = []
      for (const event of events) {
        const path = `/v1/events/${encodeURIComponent(String(event['event_id']))}`
        marks.push(...fingerprintsOf(await target.get<Record<string, unknown>>(path)))
      }
      return marks
    }
    const [own] = await marksOf(await send(victim, 'answer_victim', ['81234']))
    if (own === undefined) throw new Error('the result has no fingerprint')
    const guesses = Array.from({ length: GUESSES }, (_, index) => String(80_500 + index))
    // As another source, and as the source itself: the agent whose gateway it is can.
    const listed = await send(attacker, 'answer_attacker', guesses)
    const same = await send(victim, 'answer_same', guesses)
    const inLists = [...listed, ...same].flatMap(fingerprintsOf).length
    const compared = (await marksOf(listed.slice(0, 50))).includes(own)
    const sinceMs = performance.now()
    const shown = (await marksOf(same.slice(0, ASKED))).length
    // The attack may go over the end of minutes.
    const mostShown = SHOWN_A_MINUTE * (2 + Math.floor((performance.now() - sinceMs) / 60_000))
    // Asked for a character at a time, by a pattern that covers both.
    const asked = await target
      .search(`result_fingerprints:${own.slice(0, 1)}*`)
      .then(() => true)
      .catch(() => false)
    return {
      succeeded: compared || asked || inLists > 0 || shown > mostShown,
      detail: `found as another source: ${compared}; fingerprints in lists: ${inLists}, of ${ASKED} guesses as the same source shown: ${shown}, at most ${mostShown}; patterns over fingerprints answered: ${asked}`,
    }
  },
}
