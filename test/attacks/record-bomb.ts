import { gzipSync } from 'node:zlib'
import type { Attack } from './attack.ts'

const RECORDS = 7_000_000

export const attack: Attack = {
  name: 'A body of 20 KB that unpacks to seven million records ends the process',
  kind: 'bomb of records',
  section: 2,
  run: async (context) => {
    const target = await context.fresh()
    const { attacker } = target.pair()
    const body = gzipSync('{}\n'.repeat(RECORDS))
    const said = await attacker
      .post('/v1/events', body, { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' })
      .then(
        async (reply) => `${reply.status} ${(await reply.text()).slice(0, 120)}`,
        (error: Error) => `no answer: ${error.message}`,
      )
    const lives = await fetch(new URL('/healthz', target.url)).then(
      ({ ok }) => ok,
      () => false,
    )
    return {
      succeeded: !lives || !said.startsWith('413'),
      detail: `${body.byteLength} bytes: ${said}; the process ${lives ? 'lives' : 'is gone'}`,
    }
  },
}
