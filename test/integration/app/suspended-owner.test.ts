import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { AuditEvent } from '../../../core/audit-event.ts'
import { openServer } from '../../../store/clickhouse.ts'
import type { Database } from '../../../store/database.ts'
import { createBatchWriter, encodeBatch } from '../../../store/event-writer.ts'
import { createTickBlocks } from '../../../store/tick-blocks.ts'
import { type StoreProxy, startStoreProxy } from '../../faults/store-proxy.ts'
import { type ClickHouseServer, startClickHouse } from '../../helpers/clickhouse-server.ts'
import { smallEvent } from '../../helpers/events.ts'
import { eventually, type GatewatchProcess, startProcess } from '../../helpers/gatewatch.ts'
import { leasesHeld } from '../../helpers/leases-held.ts'

/**
 * A detect process that is suspended (SIGSTOP) when what it judged is on its way to the store. Another one takes its shards
 * over and judges otherwise, because a call turned out to be another one. Then the first goes on, and its block arrives.
 */

let folder: string
let server: ClickHouseServer
let proxy: StoreProxy
let database: Database
const processes: GatewatchProcess[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-suspended-'))
  server = await startClickHouse()
  proxy = await startStoreProxy(server.url)
  database = await openServer({ url: server.url })
  await mkdir(join(folder, 'rules'))
  const rule = 'credential-then-send.yaml'
  await copyFile(new URL(`../../../detectors/rules/${rule}`, import.meta.url), join(folder, 'rules', rule))
})
afterEach(async () => {
  for (const process of processes) await process.kill('SIGKILL')
})
afterAll(async () => {
  await database?.close()
  await proxy?.close()
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

async function startDetect(url: string): Promise<GatewatchProcess> {
  const config = join(folder, `gatewatch-${processes.length}.yaml`)
  const rules = { shipped: false, folders: [join(folder, 'rules')] }
  await writeFile(
    config,
    JSON.stringify({ clickhouse: { url }, rules, detect: { every: '* * * * * *', settle_ms: 200 } }),
  )
  const data = join(folder, `data-${processes.length}`)
  const process = await startProcess({ args: ['up', '--config', config, '--roles', 'detect'], data })
  processes.push(process)
  return process
}

let offset = 0
const store = (...events: AuditEvent[]) =>
  createBatchWriter(database).write(encodeBatch({ events, parts: [], deadLetters: [] }), `test/${offset}`)

/** A credential read, then something sent out, now. */
function chainOf(actor: string): readonly [AuditEvent, AuditEvent] {
  const nowMs = Date.now()
  const call = (ms: number, more: Partial<AuditEvent>) =>
    smallEvent({
      ...{ actor, 'mcp.session.id': actor, offset: offset++ },
      ...{ occurred_at: new Date(ms).toISOString().replace('Z', '000Z'), ...more },
    })
  return [
    call(nowMs - 1000, { capability: 'read-credential' }),
    call(nowMs, { capability: 'send-external', destination: `${actor}.example` }),
  ]
}

/** The event is another one by now, as when a late part of a call says more. */
async function correct(event: AuditEvent, changes: Partial<AuditEvent>): Promise<void> {
  const versionOf = (version: number, of: AuditEvent) => ({ version, text: JSON.stringify(of), event: of })
  const blocks = createTickBlocks(1)
  blocks.add({
    ...{ tenant: event.tenant, joinKey: event.event_id, parts: [] },
    before: [versionOf(0, event)],
    after: [versionOf(1, { ...event, ...changes })],
  })
  await database.insert({ table: 'events', ...blocks.events(), token: `correct/${event.event_id}` })
}

const findings = (actor: string) =>
  database.query<{ status: string; title: string }>(
    'SELECT finding_id, status, title FROM finding_versions FINAL WHERE actor = {actor:String} ORDER BY finding_id',
    { actor },
  )
const alerts = (actor: string) =>
  database.query(
    `SELECT alert_id, count() AS entries, argMax(alert_log.state, (sequence, action_id)) AS last FROM alert_log
     WHERE JSONExtractString(alert_log.state, 'actor') = {actor:String} GROUP BY alert_id ORDER BY alert_id`,
    { actor },
  )
const isFound = (actor: string) =>
  eventually(
    () => findings(actor),
    (found) => found.some(({ status }) => status === 'current'),
  )
const storeClock = async () => {
  const [clock] = await database.query<{ us: number }>('SELECT toUnixTimestamp64Micro(now64(6)) AS us')
  return clock?.us ?? 0
}
/** All shards have judged what arrived until a time. */
const isJudged = (us: number) =>
  eventually(
    async () => {
      const [least] = await database.query<{ us: number; shards: number }>(
        `SELECT min(toUnixTimestamp64Micro(recorded_through)) AS us, count() AS shards FROM watermarks FINAL
         WHERE startsWith(name, 'detect:')`,
      )
      return least
    },
    (least) => least?.shards === 8 && least.us > us,
  )

let rounds = 0
const nextActor = () => `actor-${rounds++}`

describe.each([
  ['findings', 'INSERT INTO finding_versions '],
  ['alerts', 'INSERT INTO alert_log '],
])('an owner that is suspended while its %s are on their way', (kind, insert) => {
  it('writes nothing that the next owner has judged otherwise', async () => {
    await store(
      smallEvent({
        ...{ actor: 'veteran', 'mcp.session.id': 'past', offset: offset++ },
        occurred_at: new Date(Date.now() - 20 * 86_400_000).toISOString().replace('Z', '000Z'),
      }),
    )
    const first = await startDetect(proxy.url)
    await eventually(
      () => leasesHeld(first),
      ({ shard }) => shard === 8,
    )
    const before = nextActor()
    await store(...chainOf(before))
    await isFound(before)

    const actor = nextActor()
    const suspended = Promise.withResolvers<void>()
    const released = Promise.withResolvers<void>()
    const arrived = Promise.withResolvers<void>()
    const matches = (statement: string, text: () => string) =>
      statement.startsWith(insert) && text().includes(actor)
    proxy.arm({
      matches,
      at: 'before',
      spring: async () => {
        process.kill(first.pid, 'SIGSTOP')
        suspended.resolve()
        await released.promise
        return 'pass'
      },
    })
    proxy.arm({
      matches,
      at: 'after',
      spring: async () => {
        arrived.resolve()
        return 'pass'
      },
    })
    const [read, sent] = chainOf(actor)
    await store(read, sent)
    await suspended.promise
    const second = await startDetect(server.url)
    await eventually(
      () => leasesHeld(second),
      ({ shard }) => shard === 8,
    )
    await correct(sent, { capability: 'read', destination: '' })
    await isJudged(await storeClock())
    expect((await findings(actor)).filter(({ status }) => status === 'current')).toEqual([])
    const stored = [await findings(actor), await alerts(actor)]
    // What had been found before the suspension was told by the next owner, and taken back.
    expect((await alerts(actor)).length).toBe(kind === 'alerts' ? 1 : 0)

    process.kill(first.pid, 'SIGCONT')
    released.resolve()
    await arrived.promise
    // It works on, with a share of the shards.
    await eventually(
      () => Promise.all([first, second].map(leasesHeld)),
      ([one, two]) => one?.shard === 4 && two?.shard === 4,
    )
    const after = nextActor()
    await store(...chainOf(after))
    await isFound(after)
    await isJudged(await storeClock())
    expect([await findings(actor), await alerts(actor)]).toEqual(stored)
  })
})
