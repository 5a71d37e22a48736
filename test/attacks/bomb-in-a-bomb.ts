import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { Attack } from './attack.ts'

const MIB = 1024 ** 2

export const attack: Attack = {
  name: 'A body that is packed twice unpacks beyond the bounds, or is stored as it came',
  kind: 'bomb in a bomb',
  section: 2,
  run: async (context) => {
    const target = await context.shared()
    const { attacker } = target.pair()
    // Packed once 500 KiB, twice a few hundred bytes.
    const inner = gzipSync(Buffer.alloc(512 * MIB, 0x20), { level: 1 })
    const bodies: readonly (readonly [encoding: string, body: Uint8Array])[] = [
      ['gzip', gzipSync(inner)],
      ['gzip, gzip', gzipSync(inner)],
      ['zstd, gzip', gzipSync(zstdCompressSync(inner))],
      ['gzip, zstd', zstdCompressSync(inner)],
      ['identity, gzip', gzipSync(inner)],
      ['x-gzip', gzipSync(inner)],
      // Members one after the other are one body.
      ['gzip', Buffer.concat(Array.from({ length: 200 }, () => gzipSync(Buffer.alloc(MIB, 0x20))))],
    ]
    const answers: string[] = []
    let taken = 0
    for (const path of ['/v1/events', '/v1/logs'])
      for (const [encoding, body] of bodies) {
        const reply = await attacker.post(path, body, {
          ...{ 'content-encoding': encoding, 'content-type': 'application/json' },
        })
        const receipt = await reply.text()
        answers.push(`${encoding} ${reply.status}`)
        if (reply.status >= 500 || (reply.ok && !/"stored":0|partialSuccess/.test(receipt))) taken++
      }
    const memory = Number(
      /^gatewatch_process_resident_memory_bytes (\S+)$/m.exec(
        await (await target.ask('/metrics')).text(),
      )?.[1],
    )
    const well = (await fetch(new URL('/healthz', target.url))).ok
    return {
      succeeded: taken > 0 || !well,
      detail: `${[...new Set(answers)].join(', ')}; ${Math.round(memory / MIB)} MiB resident`,
    }
  },
}
