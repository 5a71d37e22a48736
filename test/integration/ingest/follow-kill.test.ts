import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, open, rename, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openEmbedded } from '../../../store/clickhouse.ts'
import { migratedData } from '../../helpers/migrated-store.ts'

const BIN = fileURLToPath(new URL('../../../bin/gatewatch.cjs', import.meta.url))
const KILLS = 6

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-follow-kill-'))
  await mkdir(join(folder, 'logs'))
  await migratedData(join(folder, 'data'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const path = (name: string) => join(folder, 'logs', name)

/** Follows the logs in a process of its own. */
function startFollower(): { child: ChildProcess; said: () => string } {
  const args = ['ingest', '--follow', path('*.log*'), '--data', join(folder, 'data'), '--json']
  const child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
  }
  return { child, said: () => said }
}

const positions = () => join(folder, 'data', 'files', 'positions.json')

/** What the followers have noted so far. */
const stretches = () => (existsSync(positions()) ? readFileSync(positions(), 'utf8') : '')

/** Logs that are not stored to their end. */
const unread = () => {
  const { files } = JSON.parse(stretches()) as { files: { ino: number; offset: number; crc: number }[] }
  return readdirSync(join(folder, 'logs')).filter((name) => {
    const bytes = readFileSync(path(name))
    const sum = crc32(bytes)
    return bytes.length > 0 && !files.some(({ offset, crc }) => offset === bytes.length && crc === sum)
  })
}

// Neither an id nor a time of its own: only coordinates and the time of reading make a line the same event again.
const line = (number: number) =>
  `{"gen_ai.tool.name":"echo","user.id":"u1","gen_ai.tool.call.id":"n${number}"}\n`

it(`stores each line once, over ${KILLS} kills and rotations of both kinds while it is written`, async () => {
  let written = 0
  let writing = true
  // One log is renamed, as most writers have it, the other copied and cut, as logrotate does for those that cannot reopen.
  const write = async () => {
    for (let round = 0; writing; round++) {
      const renamed = await open(path('renamed.log'), 'a')
      for (let lines = 0; lines < 40 && writing; lines++) {
        await renamed.appendFile(line(written++))
        const copied = await open(path('copied.log'), 'a')
        await copied.appendFile(line(written++))
        await copied.close()
        await sleep(5)
      }
      await renamed.close()
      await rename(path('renamed.log'), path(`renamed.log.${round}`))
      await copyFile(path('copied.log'), path(`copied.log.${round}`))
      await truncate(path('copied.log'))
    }
  }
  const writer = write()
  for (let kill = 0; kill < KILLS; kill++) {
    const { child } = startFollower()
    const before = stretches()
    const ended = once(child, 'exit')
    // Some are killed while they begin, some while they read on.
    if (kill > 0) await expect.poll(stretches).not.toBe(before)
    await sleep(Math.random() * 1500)
    child.kill('SIGKILL')
    await ended
  }
  const { child, said } = startFollower()
  await expect.poll(() => written).toBeGreaterThan(500)
  writing = false
  await writer
  await expect.poll(unread).toEqual([])
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  expect((await ended)[0], said()).toBe(0)

  const database = await openEmbedded({ path: join(folder, 'data', 'store') })
  try {
    const rows = await database.query<{ id: string; copies: number }>(
      'SELECT gen_ai_tool_call_id AS id, toUInt32(count()) AS copies FROM events GROUP BY id',
    )
    const stored = new Set(rows.map(({ id }) => id))
    const missing = Array.from({ length: written }, (_, number) => `n${number}`).filter(
      (id) => !stored.has(id),
    )
    expect([missing, rows.filter(({ copies }) => copies !== 1)], said()).toEqual([[], []])
    expect(written).toBeGreaterThan(500)
    const [letters] = await database.query<{ n: number }>('SELECT toUInt32(count()) AS n FROM dead_letters')
    expect(letters?.n).toBe(0)
  } finally {
    await database.close()
  }
})
