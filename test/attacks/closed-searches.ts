import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Attack, cpuSecondsOf } from './attack.ts'

const SEARCHES = 60
const CALLS = 400
const BYTES = 60_000
// Each word is looked for in the arguments of each call.
const COSTLY = Array.from({ length: 30 }, (_, word) => `gen_ai.tool.call.arguments:*no${word}such*`).join(
  ' OR ',
)

export const attack: Attack = {
  name: 'Searches that are closed at once run on, and those of others wait behind them',
  kind: 'closed searches',
  section: 2,
  run: async (context) => {
    const target = await context.fresh()
    const { attacker } = target.pair()
    for (let first = 0; first < CALLS; first += 50)
      await attacker.sendEvents(Array.from({ length: 50 }, (_, number) => call(first + number)))
    const key = (await readFile(`${target.data}/credentials/api-key`, 'utf8')).trim()
    const query = new URLSearchParams({ q: COSTLY, from: '2020-01-01T00:00:00Z' })
    const search = async (signal: AbortSignal | null) => {
      const headers = { authorization: `Bearer ${key}` }
      const reply = await fetch(new URL(`/v1/events?${query}`, target.url), { headers, signal })
      if (!reply.ok) throw new Error(`${reply.status} ${await reply.text()}`)
      await reply.arrayBuffer()
    }
    await search(null)
    const one = Math.max(0.05, await cpuSecondsOf(target, () => search(null)))
    const all = await cpuSecondsOf(target, async () => {
      const closing = new AbortController()
      const closed = Array.from({ length: SEARCHES }, () => search(closing.signal))
      await sleep(100)
      closing.abort()
      await Promise.allSettled(closed)
      // Ours comes after them: were theirs run to their ends, all have been when it has its answer.
      await search(null)
    })
    return {
      succeeded: all > (SEARCHES / 2) * one,
      detail: `${SEARCHES} closed searches took ${all.toFixed(2)} s of CPU, one takes ${one.toFixed(2)} s`,
    }
  },
}

const call = (number: number): object => ({
  event_id: `searched-${number}`,
  'user.email': 'mallory@acme.example',
  'mcp.server.name': 'files',
  'mcp.method.name': 'tools/call',
  'gen_ai.tool.name': 'read_file',
  'gen_ai.tool.call.arguments': JSON.stringify({ text: `${number} `.padEnd(BYTES, 'figures of the week ') }),
})
