import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { createChooser } from './chooser.ts'
import type { DigestStore } from './digester.ts'
import { createLane, type Lane } from './lane.ts'
import type { Notifier } from './notifier.ts'
import type { DeliveryStore, Outbox } from './outbox.ts'
import type { Logger } from './telemetry.ts'
import { createTurns, type Turns } from './weight.ts'

/**
 * Sends what is due in the outbox, at least once each, under ids that stay the same. All state is the store’s (a
 * crash at any point leaves the delivery due, or settled); pace and breakers begin anew with the process.
 */
export interface Dispatcher {
  /** Mends what a crash left, then sends what is due until `stop`. */
  start(): Promise<void>
  /** Begins no new attempt; waits for those under way, then ends them. */
  stop(): Promise<void>
  /** Something became due. */
  wake(): void
  /** One round over all receivers; resolves when it is over. @returns how many deliveries were settled or put off */
  runOnce(): Promise<number>
  /** Lets a disabled receiver be spoken to again; its failed deliveries stay failed until replayed. */
  enable(receiver: string): Promise<void>
  /** Receivers that answered 410. */
  disabled(): readonly { readonly receiver: string; readonly reason: string; readonly at: string }[]
}

export interface DispatcherOptions {
  readonly deliveries: DeliveryStore & DigestStore
  readonly outbox: Pick<Outbox, 'recover'>
  readonly notifiers: readonly Notifier[]
  readonly clock: Clock
  readonly logger: Logger
  /**
   * Whether this process is the one that sends, by a lease for example; asked before each look at the outbox and right
   * before each attempt. What is under way when it becomes false ends within the notifiers' time limit (15 s): hand over
   * no sooner. Default: always.
   */
  readonly mayRun?: () => boolean | Promise<boolean>
  /** Longest pause between two looks at the outbox (other processes write to it too). Default 1 s. */
  readonly pollMs?: number
  /** How long `stop` waits for attempts under way. Default 5 s. */
  readonly graceMs?: number
}

// How many deliveries a lane takes at a time, so that a long queue is not all in memory.
const LANE_BATCH = 50
// How often the outbox is searched for what a crash left, and how far back.
const RECOVER_EVERY_MS = 60_000
const RECOVER_WINDOW_MS = 7 * 86_400_000
// A digest is as old as what it tells, which may have waited for long.
const RECOVER_DIGESTS_MS = 60 * 86_400_000

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { deliveries, outbox, notifiers, clock, logger, pollMs = 1000, graceMs = 5000 } = options
  const mayRun = options.mayRun ?? (() => true)
  const chooser = createChooser({ deliveries, logger })
  const lanes = new Map(
    notifiers.map((notifier) => [
      notifier.receiver,
      { notifier, lane: createLane({ notifier, deliveries, clock, logger }), turns: createTurns() },
    ]),
  )
  const stopped = new AbortController()
  const underWay = new Set<Promise<number>>()
  let stopping = false
  let loop: Promise<void> | undefined
  let alarm = Promise.withResolvers<void>()
  let recoveredMs = Number.NEGATIVE_INFINITY
  let storeFaulty = false

  const dispatcher: Dispatcher = {
    async start() {
      loop ??= keepRunning()
    },
    async stop() {
      stopping = true
      alarm.resolve()
      const grace = setTimeout(() => stopped.abort(), graceMs)
      await loop
      await Promise.allSettled(underWay)
      clearTimeout(grace)
    },
    wake: () => alarm.resolve(),
    async runOnce() {
      await prepare()
      return (await Promise.all(await begin())).reduce((sum, count) => sum + count, 0)
    },
    async enable(receiver) {
      const found = lanes.get(receiver)
      if (found?.lane.disabled === undefined) return
      await deliveries.setReceiver(
        { ...found.lane.disabled, at: new Date(clock.now()).toISOString() },
        'enabled',
      )
      found.lane.disabled = undefined
    },
    disabled: () =>
      [...lanes.values()].flatMap(({ lane }) => (lane.disabled === undefined ? [] : [lane.disabled])),
  }
  return dispatcher

  async function keepRunning(): Promise<void> {
    while (!stopping) {
      alarm = Promise.withResolvers<void>()
      try {
        await prepare()
        // The lanes run on by themselves, and wake this loop when they are done.
        void (await begin())
        storeFaulty = false
      } catch (error) {
        if (!storeFaulty) logger.error({ reason: messageOf(error) }, 'The outbox cannot be read; trying on.')
        storeFaulty = true
      }
      if (stopping) return
      const timer = setTimeout(() => alarm.resolve(), nextLookMs())
      await alarm.promise
      clearTimeout(timer)
    }
  }

  // A lane that waits for its pace is looked at when its time has come, not later.
  function nextLookMs(): number {
    const waits = [...lanes.values()].map(({ lane }) => lane.waitMs()).filter((ms) => ms > 0)
    return Math.max(10, Math.min(pollMs, ...waits))
  }

  async function prepare(): Promise<void> {
    const nowMs = clock.now()
    if (nowMs - recoveredMs < RECOVER_EVERY_MS) return
    const mended = await outbox.recover(nowMs - RECOVER_WINDOW_MS)
    const digests = await deliveries.recoverDigests(nowMs - RECOVER_DIGESTS_MS)
    if (mended + digests > 0)
      logger.warn({ actions: mended, digests }, 'Deliveries that a crash had left out are due now.')
    const disabled = await deliveries.disabledReceivers()
    for (const { lane, notifier } of lanes.values()) {
      lane.disabled = disabled.find(
        ({ receiver, target }) => receiver === notifier.receiver && target === notifier.target,
      )
    }
    recoveredMs = nowMs
  }

  async function begin(): Promise<Promise<number>[]> {
    const free = [...lanes.values()].filter(({ lane }) => !lane.busy && lane.waitMs() === 0)
    if (free.length === 0 || stopping || !(await mayRun())) return []
    const nowMs = clock.now()
    const { due, settled } = await chooser.choose(free, nowMs, LANE_BATCH)
    // A digest that was made now is sent by the next look.
    if (settled > 0) alarm.resolve()
    const sent = free.flatMap(({ lane, turns }) => {
      const mine = due.get(lane.receiver) ?? []
      return mine.length === 0 ? [] : [runLane(lane, turns, mine)]
    })
    return [Promise.resolve(settled), ...sent]
  }

  function runLane(lane: Lane, turns: Turns, due: Parameters<Lane['run']>[0]): Promise<number> {
    const work = lane
      .run(due, {
        signal: stopped.signal,
        mayBegin: async () => !stopping && (await mayRun()),
        onBegin: turns.took,
      })
      .catch((error: unknown) => {
        logger.error(
          { receiver: lane.receiver, reason: messageOf(error) },
          'The store did not answer while deliveries went out; trying on.',
        )
        return 0
      })
      .then((done) => {
        underWay.delete(work)
        // There may be more behind these.
        if (done > 0) alarm.resolve()
        return done
      })
    underWay.add(work)
    return work
  }
}
