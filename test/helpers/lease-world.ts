import { setImmediate as turn } from 'node:timers/promises'
import { createLeaseKeeper, type LeaseKeeper } from '../../store/lease-keeper.ts'
import type { WantedLease } from '../../store/lease-rules.ts'
import type { LeaseStore } from '../../store/leases.ts'

/**
 * Processes with leases in a world whose time only moves when it is told to: a store that does one thing at a time, a
 * network that delays and loses answers, processes that are suspended, asleep, killed, and whose clocks run wrong.
 */
export interface LeaseWorld {
  readonly processes: readonly LeaseProcess[]
  now(): number
  /** Lets time pass; `check` is called after everything that happens, and at least each 50 ms. */
  pass(ms: number, check?: () => void): Promise<void>
  add(clock?: { readonly rate?: number; readonly wallOffsetMs?: number }): LeaseProcess
  /** How long a message takes each way, in milliseconds, from now on. */
  delay(draw: () => number): void
  /** The store does nothing until `ms` from now; what was asked meanwhile it does then. */
  stallStore(ms: number): void
  /** The store’s clock is set forward or back. */
  setStoreClock(byMs: number): void
}

export interface LeaseProcess {
  readonly name: string
  readonly keeper: LeaseKeeper
  /** Not killed, suspended or stopped. */
  isRunning(): boolean
  /** Held now, as the process itself would say. Empty while it does not run. */
  held(): string[]
  /** Both clocks go on (SIGSTOP), or the monotonic one stands still too (the machine sleeps). */
  suspend(ms: number, kind: 'stopped' | 'asleep'): void
  kill(): void
  setWallClock(byMs: number): void
  stop(): Promise<void>
}

const REQUEST_TIMEOUT_MS = 3000

export function createLeaseWorld(wanted: readonly WantedLease[]): LeaseWorld {
  let nowMs = 0
  let storeOffsetMs = 1_700_000_000_000
  let storeFreeMs = 0
  let drawDelay = () => 5
  let order = 0
  const events: { readonly atMs: number; readonly order: number; readonly run: () => void }[] = []
  const at = (atMs: number, run: () => void) => {
    events.push({ atMs, order: order++, run })
  }
  const takeNext = (untilMs: number) => {
    let next = -1
    for (const [index, event] of events.entries()) {
      const best = events[next]
      if (event.atMs > untilMs) continue
      if (
        best === undefined ||
        event.atMs < best.atMs ||
        (event.atMs === best.atMs && event.order < best.order)
      )
        next = index
    }
    return next === -1 ? undefined : events.splice(next, 1)[0]
  }

  const rows: { name: string; epoch: number; owner: string; takenFrom: string; atMs: number }[] = []
  const beats: { member: string; beat: number; groups: readonly string[]; atMs: number }[] = []
  const storeNow = () => nowMs + storeOffsetMs
  const newest = <Row>(all: readonly Row[], keyOf: (row: Row) => string, rank: (row: Row) => number): Row[] =>
    [...Map.groupBy(all, keyOf).values()].map((group) => group.reduce((a, b) => (rank(b) > rank(a) ? b : a)))

  const processes: LeaseProcess[] = []
  return {
    processes,
    now: () => nowMs,
    delay: (draw) => {
      drawDelay = draw
    },
    stallStore: (ms) => {
      storeFreeMs = nowMs + ms
    },
    setStoreClock: (byMs) => {
      storeOffsetMs += byMs
    },
    async pass(ms, check = () => {}) {
      const endMs = nowMs + ms
      while (nowMs < endMs) {
        const stepMs = Math.min(endMs, nowMs + 50)
        for (let event = takeNext(stepMs); event !== undefined; event = takeNext(stepMs)) {
          nowMs = Math.max(nowMs, event.atMs)
          event.run()
          await turn()
          check()
        }
        nowMs = stepMs
        check()
      }
    },
    add({ rate = 1, wallOffsetMs = 0 } = {}) {
      const process = createProcess(`p${processes.length}`, rate, wallOffsetMs)
      processes.push(process)
      return process
    },
  }

  function createProcess(name: string, rate: number, wallOffsetMs: number): LeaseProcess {
    let alive = true
    let suspendedUntilMs = 0
    let asleepMs = 0
    let wallByMs = wallOffsetMs
    // What happens to the process happens when it runs again.
    const inProcess = (run: () => void): void => {
      if (!alive) return
      if (nowMs < suspendedUntilMs) at(suspendedUntilMs, () => inProcess(run))
      else run()
    }
    const ask = <Answer>(work: () => Answer): Promise<Answer> =>
      new Promise((resolve, reject) => {
        at(nowMs + REQUEST_TIMEOUT_MS, () => inProcess(() => reject(new Error('no answer'))))
        const arrive = () => {
          if (nowMs < storeFreeMs) {
            at(storeFreeMs, arrive)
            return
          }
          const answer = work()
          at(nowMs + drawDelay(), () => inProcess(() => resolve(answer)))
        }
        at(nowMs + drawDelay(), arrive)
      })
    const store: LeaseStore = {
      beat: (member, beat, groups) =>
        ask(() => {
          beats.push({ member, beat, groups, atMs: storeNow() })
        }),
      take: (lease, from, owner) =>
        ask(() => {
          const epoch = (from?.epoch ?? 0) + 1
          if (rows.some((row) => row.name === lease && row.epoch === epoch)) return
          rows.push({
            ...{ name: lease, epoch, owner, atMs: storeNow() },
            takenFrom: owner === '' ? '' : (from?.owner ?? ''),
          })
        }),
      // Two questions, as in the store: something may happen between them.
      view: async () => {
        const [leases, members] = await Promise.all([
          ask(() =>
            newest(
              rows,
              (row) => row.name,
              (row) => row.epoch,
            ).map(({ atMs, ...row }) => ({ ...row, ageMs: storeNow() - atMs })),
          ),
          ask(() =>
            newest(
              beats,
              (row) => row.member,
              (row) => row.beat,
            ).map(({ atMs, member, groups }) => ({ member, groups, ageMs: storeNow() - atMs })),
          ),
        ])
        return { leases, members }
      },
    }
    const keeper = createLeaseKeeper({
      store,
      wanted,
      member: name,
      clocks: {
        monotonic: () => (nowMs - asleepMs) * rate,
        wall: () => nowMs * rate + wallByMs,
        pause: (ms, signal) =>
          new Promise((resolve) => {
            at(nowMs + ms / rate, () => inProcess(resolve))
            signal.addEventListener('abort', () => resolve(), { once: true })
          }),
      },
    })
    let stopped = false
    const isRunning = () => alive && !stopped && nowMs >= suspendedUntilMs
    inProcess(() => void keeper.start())
    return {
      name,
      keeper,
      isRunning,
      held: () =>
        isRunning()
          ? wanted.map((lease) => lease.name).filter((lease) => keeper.epochOf(lease) !== undefined)
          : [],
      suspend: (ms, kind) => {
        if (!isRunning()) return
        suspendedUntilMs = nowMs + ms
        if (kind === 'asleep') asleepMs += ms
      },
      kill: () => {
        alive = false
      },
      setWallClock: (byMs) => {
        wallByMs += byMs
      },
      stop: () => {
        stopped = true
        return keeper.stop()
      },
    }
  }
}
