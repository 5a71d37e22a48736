import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openEmbedded } from '../../../store/clickhouse.ts'
import { copyMigratedStore } from '../../helpers/migrated-store.ts'

const KILLS = 20
const program = new URL('./segment-log-process.ts', import.meta.url).pathname

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-kill-'))
  await copyMigratedStore(join(folder, 'store'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Runs the program; kills it `killAfterMs` after it is ready. Returns the offsets it acknowledged. */
async function runOnce(killAfterMs: number | undefined): Promise<number[]> {
  const child = spawn(process.execPath, [program, folder, ...(killAfterMs === undefined ? ['drain'] : [])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const acknowledged: number[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'ready' && killAfterMs !== undefined) {
      void sleep(killAfterMs).then(() => child.kill('SIGKILL'))
    }
    const match = /^ack (\d+) (\d+)$/.exec(line)
    if (match !== null) {
      for (let offset = 0; offset < Number(match[2]); offset++) acknowledged.push(Number(match[1]) + offset)
    }
  }
  const [code, signal] = await ended
  if (killAfterMs === undefined) expect(code).toBe(0)
  else expect(signal).toBe('SIGKILL')
  return acknowledged
}

it(`keeps every acknowledged event, once, over ${KILLS} kills at random moments`, async () => {
  const acknowledged: number[] = []
  for (let kill = 0; kill < KILLS; kill++) acknowledged.push(...(await runOnce(5 + Math.random() * 500)))
  await runOnce(undefined)
  expect(acknowledged.length).toBeGreaterThan(KILLS)
  // No offset was handed out twice to acknowledged appends.
  expect(new Set(acknowledged).size).toBe(acknowledged.length)

  const database = await openEmbedded({ path: join(folder, 'store') })
  try {
    const stored = await database.query<{ event_id: string; copies: number }>(
      'SELECT event_id, toUInt32(count()) AS copies FROM events GROUP BY event_id',
    )
    expect(stored.filter(({ copies }) => copies !== 1)).toEqual([])
    const ids = new Set(stored.map(({ event_id }) => event_id))
    expect(acknowledged.filter((offset) => !ids.has(`e${offset}`))).toEqual([])
    const [sums] = await database.query<Record<string, number>>(
      `SELECT (SELECT sum(calls) FROM calls_by_actor) AS by_actor, (SELECT sum(calls) FROM calls_by_tool) AS by_tool,
              (SELECT sum(calls) FROM tools_by_actor) AS tools, (SELECT sum(rows) FROM touched WHERE dimension = 'actor') AS arrived`,
    )
    expect(sums).toEqual({
      by_actor: stored.length,
      by_tool: stored.length,
      tools: stored.length,
      arrived: stored.length,
    })
  } finally {
    await database.close()
  }
})
