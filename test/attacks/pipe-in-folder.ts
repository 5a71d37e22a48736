import { execFileSync } from 'node:child_process'
import { appendFile, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { Attack } from './attack.ts'

const PIPES = 16

/** Who may write into a followed folder, and nothing else. */
export const attack: Attack = {
  name: 'Pipes, loops, bombs and odd names in a followed folder keep what others write there from being read',
  kind: 'pipe in a folder',
  section: 2,
  run: async (context) => {
    const target = await context.fresh()
    const place = (name: string) => join(target.followed, name)
    // To open one for reading waits for somebody who writes: as many as Node has threads stop all reading of files.
    for (let number = 0; number < PIPES; number++) execFileSync('mkfifo', [place(`a-${number}.log`)])
    await mkdir(place('b.log'))
    await symlink(place('loop.log'), place('loop.log'))
    await symlink(target.followed, place('b.log/around'))
    await writeFile(place('c.log'), gzipSync(Buffer.alloc(200 * 1024 ** 2, 0x20)))
    await writeFile(place('d.log.gz'), gzipSync(Buffer.alloc(200 * 1024 ** 2, 0x20)))
    await writeFile(place('e.log.zst'), zstdCompressSync(Buffer.alloc(200 * 1024 ** 2, 0x20)))
    await writeFile(place('f.log.zst'), Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xff, 0xff, 0xff]))
    await writeFile(place('g.log'), 'x'.repeat(8 * 1024 ** 2))
    await writeFile(
      place('h\nh\u001b[2J.log'),
      '{"gen_ai.tool.name":"pipe_odd_name","user.id":"ada","mcp.method.name":"tools/call"}\n',
    )
    const ordinary = place('z.log')
    const line = (number: number) =>
      `${JSON.stringify({ 'gen_ai.tool.name': 'pipe_ordinary', 'user.id': `u${number}`, 'mcp.method.name': 'tools/call' })}\n`
    await writeFile(ordinary, line(0))
    const first = await target.searchUntil('tool:pipe_ordinary', 1)
    await appendFile(ordinary, line(1) + line(2))
    const all = await target.searchUntil('tool:pipe_ordinary', 3)
    const well = (await fetch(new URL('/healthz', target.url))).ok
    return {
      succeeded: first.length === 0 || all.length !== 3 || !well,
      detail: `beside ${PIPES} pipes, two loops, four bombs and an endless line ${all.length} of 3 records of an ordinary file were read`,
    }
  },
}
