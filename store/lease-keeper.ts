import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../core/errors.ts'
import { BEAT_MS, BELIEF_MS, decide, type LeaseMemory, NO_MEMORY, type WantedLease } from './lease-rules.ts'
import type { LeaseStore } from './leases.ts'

/**
 * Takes and keeps the leases of this process. It beats about every second; what it holds it holds until `BELIEF_MS` after
 * the last beat that the store answered, by this process’s own clocks, so a process that was suspended, or cut off from
 * the store, stops by itself before anyone else may begin.
 */
export interface LeaseKeeper {
  /** The epoch of a lease that this process holds now; `undefined` when it does not, or may not any more. */
  epochOf(name: string): number | undefined
  /** Looks once, then goes on looking until `stop`. A store that is away is tried on. */
  start(): Promise<void>
  /** Gives up everything, so that others can take it at once. Call it when nothing works under a lease any more. */
  stop(): Promise<void>
  /** Why the leases are not renewed: the store could not be asked, or answers too slowly; `undefined` when they are. */
  trouble(): string | undefined
}

export interface LeaseKeeperOptions {
  readonly store: LeaseStore
  readonly wanted: readonly WantedLease[]
  /** A lease came or went. Must not throw. */
  readonly onChange?: (held: ReadonlyMap<string, number>) => void
  /** The first failure of a row, and `undefined` for the recovery. */
  readonly onTrouble?: (message: string | undefined) => void
  readonly clocks?: LeaseClocks
  /** Names the process; must be new at each start. */
  readonly member?: string
}

/** The clocks of this process, in milliseconds. Only differences count, so it does not matter how late it is. */
export interface LeaseClocks {
  /** Never goes back, but stands still while the machine sleeps. */
  monotonic(): number
  /** May be set, and goes on while the machine sleeps. */
  wall(): number
  /** Resolves after the time, or when aborted. */
  pause(ms: number, signal: AbortSignal): Promise<void>
}

const SYSTEM_CLOCKS: LeaseClocks = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  pause: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {}),
}

const LEAST_PAUSE_MS = 100
const TOO_SLOW = 'the store answers too slowly'

export function createLeaseKeeper(options: LeaseKeeperOptions): LeaseKeeper {
  const { store, wanted, clocks = SYSTEM_CLOCKS, member = randomUUID() } = options
  const groups = [...new Set(wanted.map(({ group }) => group))]
  const moment = () => ({ monotonic: clocks.monotonic(), wall: clocks.wall() })
  const stopping = new AbortController()
  let memory: LeaseMemory = NO_MEMORY
  /** When the last beat was sent whose view is in `memory`. */
  let sent = { monotonic: Number.NEGATIVE_INFINITY, wall: Number.NEGATIVE_INFINITY }
  let beat = 0
  /** What was to be given up at the last look. Work that had begun has had a beat’s time to end. */
  let leaving = new Map<string, number>()
  let trouble: string | undefined
  let loop: Promise<void> = Promise.resolve()

  const believes = (): boolean => {
    const now = moment()
    return now.monotonic - sent.monotonic < BELIEF_MS && now.wall - sent.wall < BELIEF_MS
  }

  const look = async () => {
    const at = moment()
    await store.beat(member, ++beat, groups)
    const view = async () => {
      const decision = decide({
        me: member,
        wanted,
        view: await store.view(),
        memory,
        nowMs: clocks.monotonic(),
      })
      const before = memory.held
      ;({ memory } = decision)
      sent = at
      if (!sameHeld(before, memory.held)) options.onChange?.(memory.held)
      return decision
    }
    const { take, giveUp } = await view()
    const due = giveUp.filter(({ name, epoch }) => leaving.get(name) === epoch)
    leaving = new Map(giveUp.map(({ name, epoch }) => [name, epoch]))
    await Promise.all([
      ...due.map((row) => store.take(row.name, row, '')),
      ...take.map(({ name, from }) => store.take(name, from, member)),
    ])
    // Who was first, and whether the owner before has stopped.
    if (take.length > 0) await view()
  }

  const lookSafely = async () => {
    try {
      await look()
      if (trouble !== undefined) options.onTrouble?.(undefined)
      trouble = undefined
    } catch (error) {
      if (trouble === undefined) options.onTrouble?.(messageOf(error))
      trouble = messageOf(error)
    }
  }

  const run = async (begunMs: number) => {
    for (let lastMs = begunMs; !stopping.signal.aborted; ) {
      // A look at a slow store takes longer than the time between two; the next follows at once then.
      await clocks.pause(Math.max(LEAST_PAUSE_MS, lastMs + BEAT_MS - clocks.monotonic()), stopping.signal)
      lastMs = clocks.monotonic()
      if (!stopping.signal.aborted) await lookSafely()
    }
  }

  return {
    epochOf: (name) => (believes() ? memory.held.get(name) : undefined),
    trouble: () =>
      trouble ?? (sent.monotonic === Number.NEGATIVE_INFINITY || believes() ? undefined : TOO_SLOW),
    start: async () => {
      const begunMs = clocks.monotonic()
      await lookSafely()
      loop = run(begunMs)
    },
    stop: async () => {
      stopping.abort()
      await loop
      const { held } = memory
      memory = NO_MEMORY
      // If the store is away the leases expire by themselves.
      await Promise.allSettled(
        [...held].map(([name, epoch]) => store.take(name, { epoch, owner: member }, '')),
      )
      await store.beat(member, ++beat, []).catch(() => {})
    },
  }
}

const sameHeld = (a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean =>
  a.size === b.size && [...a].every(([name, epoch]) => b.get(name) === epoch)
