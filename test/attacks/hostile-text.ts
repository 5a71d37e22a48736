import { repeated } from '../helpers/hostile/pieces.ts'
import { type Attack, cpuSecondsOf, type Sender } from './attack.ts'

const LENGTH = 256 * 1024
const HOSTILE = [
  '|token=',
  "['api_key', ",
  '&token=',
  'sig={"a":"sig=',
  'PuTTY-User-Key-File-1',
  '<sig><![CDATA[',
]
const ORDINARY = 'Please find the figures of week 12 in the shared folder and tell me what is missing. '
// Ordinary text costs some 3 ms for so many bytes, beside what the product does anyway; the attack took 14,500 ms.
const MOST_TIMES = 40

export const attack: Attack = {
  name: 'A text of 256 KiB in an argument or a result keeps gatewatch busy for seconds',
  kind: 'hostile text',
  section: 2,
  run: async (context) => {
    const target = await context.fresh()
    const { attacker } = target.pair()
    await send(attacker, 'warm-up', ORDINARY)
    const ordinary = Math.max(0.05, await cpuSecondsOf(target, () => send(attacker, 'ordinary', ORDINARY)))
    let worst = { piece: '', seconds: 0 }
    for (const [number, piece] of HOSTILE.entries()) {
      const seconds = await cpuSecondsOf(target, () => send(attacker, `hostile-${number}`, piece))
      if (seconds > worst.seconds) worst = { piece, seconds }
    }
    return {
      succeeded: worst.seconds > MOST_TIMES * ordinary,
      detail: `${JSON.stringify(worst.piece)} took ${worst.seconds.toFixed(2)} s of CPU, an ordinary text ${ordinary.toFixed(2)} s`,
    }
  },
}

/** The text as argument and as result; resolves when both are durable. */
async function send(sender: Sender, id: string, piece: string): Promise<void> {
  const text = repeated(piece, LENGTH)
  const call = {
    event_id: id,
    'user.email': 'mallory@acme.example',
    'mcp.server.name': 'files',
    'mcp.method.name': 'tools/call',
    'gen_ai.tool.name': 'read_file',
  }
  const records = [
    { ...call, 'gen_ai.tool.call.arguments': JSON.stringify({ query: text }) },
    { ...call, event_id: `${id}-result`, 'gen_ai.tool.call.result': text },
  ]
  const body = records.map((record) => JSON.stringify(record)).join('\n')
  const reply = await sender.post('/v1/events', body, { 'content-type': 'application/x-ndjson' })
  if (reply.status !== 202) throw new Error(`${reply.status} ${await reply.text()}`)
  await reply.body?.cancel()
}
