import { describe, expect, it } from 'vitest'
import { createLeaseWorld, type LeaseWorld } from '../../helpers/lease-world.ts'

const SHARDS = Array.from({ length: 8 }, (_, shard) => ({
  name: `shard/${shard}`,
  group: 'shards',
  spread: true,
}))
const WANTED = [...SHARDS, { name: 'dispatcher', group: 'dispatcher', spread: false }]

/** What more than one process believes to hold. */
const heldTwice = ({ processes }: LeaseWorld): string[] => {
  const held = processes.flatMap((process) => process.held())
  return held.filter((name, index) => held.indexOf(name) !== index)
}

/** Lets time pass until it is so, and says how long that took. */
async function until(world: LeaseWorld, isSo: () => boolean, limitMs: number): Promise<number> {
  const startMs = world.now()
  while (!isSo()) {
    if (world.now() - startMs > limitMs) throw new Error(`not within ${limitMs} ms`)
    await world.pass(50, () => expect(heldTwice(world)).toEqual([]))
  }
  return world.now() - startMs
}

const isAllHeld = (world: LeaseWorld) => () => {
  const held = world.processes.flatMap((process) => process.held())
  return held.length === WANTED.length && new Set(held).size === WANTED.length
}

/** A generator of numbers in [0, 1) that a seed decides (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

describe('leases', () => {
  it('are all taken by the first process at once, and spread when others come', async () => {
    const world = createLeaseWorld(WANTED)
    const first = world.add()
    expect(await until(world, isAllHeld(world), 1000)).toBeLessThanOrEqual(200)
    expect(first.held()).toHaveLength(9)
    world.add()
    world.add()
    await until(
      world,
      () => isAllHeld(world)() && world.processes.every(({ held }) => held().length >= 2),
      5000,
    )
    expect(
      world.processes.every(({ held }) => held().filter((name) => name !== 'dispatcher').length <= 3),
    ).toBe(true)
    // What is alone stays where it is.
    expect(first.held()).toContain('dispatcher')
  })

  it('of a killed process are held by others within 11 s', async () => {
    const world = createLeaseWorld(WANTED)
    for (let n = 0; n < 3; n++) world.add()
    await until(world, isAllHeld(world), 5000)
    await world.pass(3000)
    world.processes[0]?.kill()
    expect(await until(world, isAllHeld(world), 20_000)).toBeLessThanOrEqual(11_000)
  })

  it('of a process that stops are held by others at their next look', async () => {
    const world = createLeaseWorld(WANTED)
    for (let n = 0; n < 3; n++) world.add()
    await until(world, isAllHeld(world), 5000)
    await world.pass(3000)
    const before = world.processes[0]?.held() ?? []
    void world.processes[0]?.stop()
    const areElsewhere = () =>
      before.every((name) => world.processes.slice(1).some(({ held }) => held().includes(name)))
    expect(await until(world, areElsewhere, 20_000)).toBeLessThanOrEqual(1200)
  })

  it('are nobody’s while the store is away, and come back with their epochs', async () => {
    const world = createLeaseWorld(WANTED)
    const process = world.add()
    await until(world, isAllHeld(world), 5000)
    const epochs = WANTED.map(({ name }) => process.keeper.epochOf(name))
    world.stallStore(60_000)
    await world.pass(6100)
    expect(process.held()).toEqual([])
    expect(process.keeper.trouble()).toBe('no answer')
    await world.pass(53_000)
    expect(process.held()).toEqual([])
    await until(world, isAllHeld(world), 5000)
    expect(process.keeper.trouble()).toBeUndefined()
    expect(WANTED.map(({ name }) => process.keeper.epochOf(name))).toEqual(epochs)
  })

  it.each(['stopped', 'asleep'] as const)(
    'are not believed in by a process that was %s for too long',
    async (kind) => {
      const world = createLeaseWorld(WANTED)
      const [first] = [world.add(), world.add()]
      await until(world, isAllHeld(world), 5000)
      await world.pass(3000)
      const before = first.held().map((name) => [name, first.keeper.epochOf(name)] as const)
      first.suspend(30_000, kind)
      await until(world, isAllHeld(world), 20_000)
      // The check right after it runs again comes before anything that it does.
      await world.pass(40_000, () => expect(heldTwice(world)).toEqual([]))
      for (const [name, epoch] of before) {
        const owner = world.processes.find((process) => process.held().includes(name))
        expect(owner?.keeper.epochOf(name), name).toBeGreaterThan(epoch ?? 0)
      }
    },
  )

  it('do not depend on what time a process thinks it is', async () => {
    const world = createLeaseWorld(WANTED)
    world.add({ wallOffsetMs: -86_400_000 })
    const second = world.add({ wallOffsetMs: 3_600_000 })
    await until(world, isAllHeld(world), 5000)
    await world.pass(3000)
    second.setWallClock(-7_200_000)
    await world.pass(10_000, () => expect(isAllHeld(world)()).toBe(true))
    // Set forward it may have slept: it stops until the next look.
    second.setWallClock(7_200_000)
    expect(second.held()).toEqual([])
    await until(world, isAllHeld(world), 2000)
  })

  it('of a dead process do not stay with it when the store’s clock is set back', async () => {
    const world = createLeaseWorld(WANTED)
    for (let n = 0; n < 2; n++) world.add()
    await until(world, isAllHeld(world), 5000)
    world.processes[0]?.kill()
    world.setStoreClock(-3_600_000)
    expect(await until(world, isAllHeld(world), 20_000)).toBeLessThanOrEqual(11_000)
  })

  it('do not move when the store stood still for a while', async () => {
    const world = createLeaseWorld(WANTED)
    for (let n = 0; n < 3; n++) world.add()
    await until(world, isAllHeld(world), 5000)
    await world.pass(5000)
    const before = world.processes.map((process) => process.held())
    world.stallStore(20_000)
    await world.pass(20_000)
    await until(world, isAllHeld(world), 10_000)
    await world.pass(5000)
    expect(world.processes.map((process) => process.held())).toEqual(before)
  })

  it.each(Array.from({ length: 40 }, (_, seed) => seed))(
    'are never held twice, whatever happens (seed %i)',
    async (seed) => {
      const random = randomFrom(seed)
      const world = createLeaseWorld(WANTED)
      const add = () => world.add({ rate: 0.99 + random() * 0.02, wallOffsetMs: (random() - 0.5) * 1e9 })
      const check = () => expect(heldTwice(world)).toEqual([])
      for (let n = 0; n < 3; n++) add()
      world.delay(() => (random() < 0.02 ? random() * 15_000 : random() * 400))
      for (let n = 0; n < 40; n++) {
        const index = Math.floor(random() * world.processes.length)
        const process = world.processes[index]
        // A machine that sleeps while its clock is set back cannot know that time went by: ADR 0013 says what holds then.
        const mayBeAsleep = index % 2 === 0
        const what = random()
        if (what < 0.25) process?.suspend(random() * 12_000, mayBeAsleep ? 'asleep' : 'stopped')
        else if (what < 0.3) process?.kill()
        else if (what < 0.4) void process?.stop()
        else if (what < 0.45) process?.setWallClock((random() - (mayBeAsleep ? 0 : 0.5)) * 60_000)
        else if (what < 0.55) world.stallStore(random() * 9000)
        if (world.processes.filter((each) => each.isRunning()).length < 3) add()
        await world.pass(random() * 4000, check)
      }
      world.delay(() => 5)
      await until(world, isAllHeld(world), 45_000)
    },
  )
})
