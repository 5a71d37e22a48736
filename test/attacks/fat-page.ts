import type { Attack } from './attack.ts'

const CALLS = 300
const BYTES = 62_000
// A page has 8 MiB of texts; names and numbers come on top.
const MOST_BYTES = 12 * 1024 ** 2

export const attack: Attack = {
  name: 'A page of a thousand fat calls comes in one answer that takes the memory, or does not show all of them',
  kind: 'fat page',
  section: 2,
  run: async (context) => {
    const target = await context.fresh()
    const { attacker } = target.pair()
    for (let first = 0; first < CALLS; first += 50)
      await attacker.sendEvents(Array.from({ length: 50 }, (_, number) => call(first + number)))
    let largest = 0
    const seen = new Set<string>()
    let cursor: string | undefined
    for (let page = 0; page < CALLS; page++) {
      const query = new URLSearchParams({
        ...{ q: 'tool:fat_page', from: '-1d', limit: '1000' },
        ...(cursor === undefined ? {} : { cursor }),
      })
      const answer = await target.get<{ events: { event_id: string }[]; next_cursor?: string }>(
        `/v1/events?${query}`,
      )
      largest = Math.max(largest, JSON.stringify(answer).length)
      for (const { event_id } of answer.events) seen.add(event_id)
      cursor = answer.next_cursor
      if (cursor === undefined) break
    }
    return {
      succeeded: largest > MOST_BYTES || seen.size < CALLS,
      detail: `${seen.size} of ${CALLS} calls, at most ${largest} bytes an answer`,
    }
  },
}

const call = (number: number): object => ({
  event_id: `fat-page-${number}`,
  'user.email': 'mallory@acme.example',
  'mcp.server.name': 'files',
  'mcp.method.name': 'tools/call',
  'gen_ai.tool.name': 'fat_page',
  'gen_ai.tool.call.arguments': JSON.stringify({ text: `${number} `.padEnd(BYTES, 'figures of the week ') }),
})
