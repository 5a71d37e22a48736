import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ClickHouseServer, startClickHouse } from '../../helpers/clickhouse-server.ts'
import { eventually, type GatewatchProcess, startProcess } from '../../helpers/gatewatch.ts'

let server: ClickHouseServer
const processes: GatewatchProcess[] = []
beforeAll(async () => {
  server = await startClickHouse()
})
afterAll(async () => {
  for (const process of processes) await process.stop()
  await server?.stop()
})

const start = async (roles: string): Promise<GatewatchProcess> => {
  const process = await startProcess({ args: ['up', '--roles', roles, '--clickhouse', server.url] })
  processes.push(process)
  return process
}

interface Held {
  readonly shard: number
  readonly task: number
}

async function heldBy({ url, data }: GatewatchProcess): Promise<Held> {
  const key = (await readFile(join(data, 'credentials', 'api-key'), 'utf8')).trim()
  const reply = await fetch(new URL('/metrics', url), { headers: { authorization: `Bearer ${key}` } })
  const text = await reply.text()
  const of = (kind: string) =>
    Number(
      new RegExp(`^gatewatch_leases_held\\{kind="${kind}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN,
    )
  return { shard: of('shard'), task: of('task') }
}

it('processes share the shards and the tasks of one, and take over from one another', async () => {
  const first = await start('ingest,detect')
  expect(await heldBy(first)).toEqual({ shard: 8, task: 3 })
  const second = await start('detect')
  const third = await start('ingest,detect,api')
  await eventually(
    () => Promise.all([first, second, third].map(heldBy)),
    (held) =>
      held
        .map(({ shard }) => shard)
        .sort()
        .join() === '2,3,3',
  )
  // Nothing moves that need not.
  expect((await heldBy(first)).task).toBe(3)

  await first.kill('SIGTERM')
  await eventually(
    () => Promise.all([second, third].map(heldBy)),
    ([two, three]) => two?.shard === 4 && three?.shard === 4 && two.task + three.task === 3,
  )
  // Only one of them has the role ingest.
  expect((await heldBy(third)).task).toBeGreaterThanOrEqual(1)

  await third.kill('SIGKILL')
  await eventually(
    () => heldBy(second),
    ({ shard, task }) => shard === 8 && task === 2,
  )
})
