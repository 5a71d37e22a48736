import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Attack } from './attack.ts'

const REQUESTS = 10
const FAULTS = 120
// What is needed to answer the same again: 20 faults, and what was read and stored.
const MOST_BYTES = 10 * 1024

export const attack: Attack = {
  name: 'Requests with idempotency keys fill the disk with their answers, until gatewatch does not start',
  kind: 'journal of answers',
  section: 2,
  run: async (context) => {
    const target = await context.fresh()
    const { attacker } = target.pair()
    const faulty = Array.from({ length: FAULTS }, (_, number) =>
      JSON.stringify({ [`x${'y'.repeat(400)}`]: number }),
    )
    for (let number = 0; number < REQUESTS; number++) {
      const reply = await attacker.post('/v1/events', faulty.join('\n'), {
        'content-type': 'application/x-ndjson',
        'idempotency-key': `attack-${number}`,
      })
      if (reply.status !== 202) throw new Error(`${reply.status} ${await reply.text()}`)
      await reply.body?.cancel()
    }
    const folder = join(target.data, 'idempotency')
    let bytes = 0
    for (const name of await readdir(folder)) bytes += (await stat(join(folder, name))).size
    return {
      succeeded: bytes / REQUESTS > MOST_BYTES,
      detail: `${Math.round(bytes / REQUESTS)} bytes a request`,
    }
  },
}
