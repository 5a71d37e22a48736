import type { AttackContext, AttackResult } from './attack.ts'

const CALLS = 300
const BYTES = 62_000
// A page has 8 MiB of texts; names and numbers come on top.
const MOST_BYTES = 12 * 1024 ** 2

/**
 * Sends calls with large arguments, and asks for them page by page.
 * @param fields of each call; its id is made of `idPrefix` and its number
 * @param path of the list, and `query` the parameters that find these calls
 */
export async function askForFatCalls(
  context: AttackContext,
  { idPrefix, fields, path, query }: FatCalls,
): Promise<AttackResult> {
  const target = await context.fresh()
  const { attacker } = target.pair()
  const call = (number: number): object => ({
    event_id: `${idPrefix}-${number}`,
    'user.email': 'mallory@acme.example',
    'mcp.server.name': 'files',
    'mcp.method.name': 'tools/call',
    'gen_ai.tool.call.arguments': JSON.stringify({
      text: `${number} `.padEnd(BYTES, 'figures of the week '),
    }),
    ...fields,
  })
  for (let first = 0; first < CALLS; first += 50)
    await attacker.sendEvents(Array.from({ length: 50 }, (_, number) => call(first + number)))
  let largest = 0
  const seen = new Set<string>()
  let cursor: string | undefined
  for (let page = 0; page < CALLS; page++) {
    const parameters = new URLSearchParams({ ...query, ...(cursor === undefined ? {} : { cursor }) })
    const answer = await target.get<{ events: { event_id: string }[]; next_cursor?: string }>(
      `${path}?${parameters}`,
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
}

interface FatCalls {
  readonly idPrefix: string
  readonly fields: Readonly<Record<string, string>>
  readonly path: string
  readonly query: Readonly<Record<string, string>>
}
