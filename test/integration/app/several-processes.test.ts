import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ClickHouseServer, startClickHouse } from '../../helpers/clickhouse-server.ts'
import { eventually, type GatewatchProcess, startProcess } from '../../helpers/gatewatch.ts'
import { leasesHeld } from '../../helpers/leases-held.ts'

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

it('processes share the shards and the tasks of one, and take over from one another', async () => {
  const first = await start('ingest,detect')
  expect(await leasesHeld(first)).toEqual({ shard: 8, task: 4 })
  const second = await start('detect')
  const third = await start('ingest,detect,api')
  await eventually(
    () => Promise.all([first, second, third].map(leasesHeld)),
    (held) =>
      held
        .map(({ shard }) => shard)
        .sort()
        .join() === '2,3,3',
  )
  // Nothing moves that need not.
  expect((await leasesHeld(first)).task).toBe(4)

  await first.kill('SIGTERM')
  await eventually(
    () => Promise.all([second, third].map(leasesHeld)),
    ([two, three]) => two?.shard === 4 && three?.shard === 4 && two.task + three.task === 4,
  )
  // Only one of them has the role ingest.
  expect((await leasesHeld(third)).task).toBeGreaterThanOrEqual(1)

  await third.kill('SIGKILL')
  await eventually(
    () => leasesHeld(second),
    ({ shard, task }) => shard === 8 && task === 3,
  )
})
