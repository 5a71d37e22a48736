import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openServer } from '../../../store/clickhouse.ts'
import type { Database } from '../../../store/database.ts'
import { createLeaseStore } from '../../../store/leases.ts'
import { type ClickHouseServer, startClickHouse } from '../../helpers/clickhouse-server.ts'
import { eventually } from '../../helpers/gatewatch.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'
import type { Held } from './lease-process.ts'

const PROGRAM = fileURLToPath(new URL('./lease-process.ts', import.meta.url))

let server: ClickHouseServer
let folder: string
const databases: Record<string, Database> = {}
beforeAll(async () => {
  server = await startClickHouse()
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-leases-'))
  databases['server'] = await openServer({ url: server.url })
  databases['embedded'] = await openMigratedStore(folder)
})
afterAll(async () => {
  for (const database of Object.values(databases)) await database.close()
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

describe.each(['server', 'embedded'])('leases in the store (%s)', (kind) => {
  const store = () => createLeaseStore(databases[kind] as Database)
  const leaseOf = async (name: string) => (await store().view()).leases.find((lease) => lease.name === name)

  it('go to one of many that take an epoch at once, and the next epoch to the next', async () => {
    const members = Array.from({ length: 12 }, (_, n) => `racer-${n}`)
    await Promise.all(members.map((member) => store().take('race', undefined, member)))
    const first = await leaseOf('race')
    expect(first).toMatchObject({ epoch: 1, takenFrom: '' })
    expect(members).toContain(first?.owner)
    await Promise.all(members.map((member) => store().take('race', first, `${member}-again`)))
    const second = await leaseOf('race')
    expect(second).toMatchObject({ epoch: 2, takenFrom: first?.owner })
    // One that slept through all this takes nothing.
    await store().take('race', undefined, 'sleeper')
    await store().take('race', first, 'sleeper')
    expect((await leaseOf('race'))?.owner).toBe(second?.owner)
  })

  it('are free once they were given up, and not by one that lost them', async () => {
    await store().take('given', undefined, 'a')
    await store().take('given', { epoch: 1, owner: 'a' }, '')
    expect(await leaseOf('given')).toMatchObject({ epoch: 2, owner: '', takenFrom: '' })
    await store().take('given', { epoch: 2, owner: '' }, 'b')
    await store().take('given', { epoch: 1, owner: 'a' }, '')
    expect(await leaseOf('given')).toMatchObject({ epoch: 3, owner: 'b', takenFrom: '' })
  })

  it('know of members by their newest beat, by the store’s clock', async () => {
    const memberOf = async (name: string) =>
      (await store().view()).members.find(({ member }) => member === name)
    await store().beat('m', 2, ['shards'])
    await store().beat('m', 1, ['late'])
    const before = await memberOf('m')
    expect(before).toMatchObject({ groups: ['shards'] })
    const aged = await eventually(
      () => memberOf('m'),
      (member) => (member?.ageMs ?? 0) > 300,
    )
    expect(aged?.ageMs).toBeLessThan(60_000)
    await store().beat('m', 3, [])
    expect((await memberOf('m'))?.ageMs).toBeLessThan(aged?.ageMs ?? 0)
    expect((await memberOf('m'))?.groups).toEqual([])
  })

  it('leave no more than a row a name and a member', async () => {
    const database = databases[kind] as Database
    for (let beat = 1; beat <= 20; beat++) await store().beat('steady', beat, ['shards'])
    await database.command('OPTIMIZE TABLE lease_members FINAL')
    await database.command('OPTIMIZE TABLE leases FINAL')
    const [counts] = await database.query(
      `SELECT (SELECT toUInt32(count()) FROM lease_members WHERE member = 'steady') AS members,
              (SELECT toUInt32(count()) - uniqExact(name) FROM leases) AS surplus`,
    )
    expect(counts).toEqual({ members: 1, surplus: 0 })
  })
})

describe('processes with leases', () => {
  const names = ['shard/0', 'shard/1', 'shard/2', 'shard/3']
  const processes: LeaseProcess[] = []

  interface LeaseProcess {
    readonly child: ChildProcess
    /** What it said last, and when that was heard. */
    last: Held['held']
  }

  /** Everything that all processes said, in the order in which it was heard. */
  const said: { readonly member: string; readonly lease: string; readonly epoch: number }[] = []

  const start = async (member: string): Promise<LeaseProcess> => {
    const child = fork(PROGRAM, [server.url, member, ...names], { execArgv: [] })
    const process: LeaseProcess = { child, last: {} }
    processes.push(process)
    child.on('message', ({ held }: Held) => {
      process.last = held
      for (const [lease, epoch] of Object.entries(held)) said.push({ member, lease, epoch })
    })
    child.once('exit', () => {
      process.last = {}
    })
    await once(child, 'message')
    return process
  }
  const heldBy = (...of: readonly LeaseProcess[]) => of.flatMap(({ last }) => Object.keys(last)).sort()
  const areSpread = (...of: readonly LeaseProcess[]) =>
    eventually(
      async () => heldBy(...of),
      (held) => held.join() === names.join() && of.every(({ last }) => Object.keys(last).length > 0),
    )
  /** After somebody used an epoch nobody uses an earlier one. */
  const expectNoneTwice = () => {
    const newest = new Map<string, { epoch: number; member: string }>()
    for (const { lease, epoch, member } of said) {
      const before = newest.get(lease)
      if (before?.epoch === epoch) expect(member, `${lease} in epoch ${epoch}`).toBe(before.member)
      expect(epoch, `${lease} of ${member}`).toBeGreaterThanOrEqual(before?.epoch ?? 0)
      newest.set(lease, { epoch, member })
    }
  }

  afterEach(async () => {
    for (const { child } of processes.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGCONT')
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    expectNoneTwice()
    said.length = 0
  })

  // How long that takes: the unit test of the rules, and `npm run bench -- owners`.
  it('share them, and take over from one that is killed', async () => {
    const all = [await start('kill-a'), await start('kill-b'), await start('kill-c')]
    await areSpread(...all)
    const [first, ...rest] = all as [LeaseProcess, LeaseProcess, LeaseProcess]
    first.child.kill('SIGKILL')
    await areSpread(...rest)
  })

  it('hand over at once what one that stops in order had', async () => {
    const first = await start('stop-a')
    const second = await start('stop-b')
    await areSpread(first, second)
    const epochs = { ...first.last }
    first.child.kill('SIGTERM')
    await once(first.child, 'exit')
    await areSpread(second)
    // Given up, then taken: had it waited for the lease to expire, there would be one epoch only.
    for (const [lease, epoch] of Object.entries(epochs)) expect(second.last[lease]).toBe(epoch + 2)
  })

  it('notice that they slept through their lease before they do anything', async () => {
    const first = await start('sleep-a')
    const second = await start('sleep-b')
    await areSpread(first, second)
    const slept = Object.keys(first.last)
    first.child.kill('SIGSTOP')
    first.last = {}
    await areSpread(second)
    const heardBefore = said.length
    first.child.kill('SIGCONT')
    // It says what it holds: at first nothing, and later what was given back to it, under another epoch (afterEach).
    await areSpread(first, second)
    const later = said
      .slice(heardBefore)
      .filter(({ member, lease }) => member === 'sleep-a' && slept.includes(lease))
    expect(later.length).toBeGreaterThan(0)
  })

  it('hold nothing while the store is away, and go on when it is back', async () => {
    const first = await start('away-a')
    const second = await start('away-b')
    await areSpread(first, second)
    server.pause()
    await eventually(
      async () => heldBy(first, second),
      (held) => held.length === 0,
    )
    server.resume()
    await areSpread(first, second)
  })
})
