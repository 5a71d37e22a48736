import type { Clock } from '../core/clock.ts'
import type { OutboxDelivery } from '../core/delivery.ts'
import { messageOf } from '../core/errors.ts'
import { createBreaker } from './breaker.ts'
import type { Message, Notifier, SendResult } from './notifier.ts'
import type { DeliveryStore, DisabledReceiver } from './outbox.ts'
import { settle } from './retry-schedule.ts'
import type { Logger } from './telemetry.ts'
import { createTokenBucket } from './token-bucket.ts'

/** One receiver’s queue: one delivery at a time, at the receiver’s pace, whatever the other receivers do. */
export interface Lane {
  readonly receiver: string
  readonly busy: boolean
  /** Milliseconds until the receiver may be spoken to; 0 for now. */
  waitMs(): number
  /** Set when the receiver asked never to be spoken to again. */
  disabled: DisabledReceiver | undefined
  /**
   * Attempts these deliveries in order, until the receiver’s pace or a fault stops it; the rest stay due.
   * @returns how many were settled or put off
   */
  run(deliveries: readonly OutboxDelivery[], round: Round): Promise<number>
}

export interface Round {
  /** Ends the attempt under way. */
  readonly signal: AbortSignal
  /** False when no further attempt may begin; asked right before each. */
  readonly mayBegin: () => boolean | Promise<boolean>
  /** Told of each delivery whose attempt begins. */
  readonly onBegin?: (delivery: OutboxDelivery) => void
}

export interface LaneOptions {
  readonly notifier: Notifier
  readonly deliveries: Pick<DeliveryStore, 'put' | 'setReceiver' | 'byId'>
  readonly clock: Clock
  readonly logger: Logger
}

export function createLane({ notifier, deliveries, clock, logger }: LaneOptions): Lane {
  const bucket = createTokenBucket(notifier.rate)
  const breaker = createBreaker()
  // Attempts whose outcome the store did not take: written before anything else, so that they are not sent again.
  let unwritten: OutboxDelivery[] = []
  let pausedUntilMs = 0
  let faulty = false

  const lane = {
    receiver: notifier.receiver,
    busy: false,
    disabled: undefined as DisabledReceiver | undefined,
    waitMs: () => {
      const nowMs = clock.now()
      return Math.max(bucket.waitMs(nowMs), breaker.waitMs(nowMs), pausedUntilMs - nowMs, 0)
    },
    async run(due: readonly OutboxDelivery[], round: Round): Promise<number> {
      lane.busy = true
      try {
        return await runAll(due, round)
      } finally {
        lane.busy = false
      }
    },
  }
  return lane

  async function runAll(
    due: readonly OutboxDelivery[],
    { signal, mayBegin, onBegin }: Round,
  ): Promise<number> {
    let done = unwritten.length
    // What is listed as due was read before these were written.
    const settled = new Set(unwritten.map(({ delivery_id }) => delivery_id))
    await write([])
    if (lane.disabled !== undefined) return done + (await refuseAll(due, lane.disabled))
    for (const delivery of due) {
      if (settled.has(delivery.delivery_id)) continue
      if (lane.waitMs() > 0 || !(await mayBegin())) break
      // The list may be old: another process was the sender in between, or a person acted.
      if (!(await isAsListed(delivery))) continue
      if (!(await mayBegin()) || !bucket.take(clock.now())) break
      onBegin?.(delivery)
      const result = await attempt(delivery, signal)
      done += 1
      if (result.outcome === 'gone') break
    }
    return done
  }

  async function isAsListed({ tenant, delivery_id, version }: OutboxDelivery): Promise<boolean> {
    return (await deliveries.byId(tenant, delivery_id))?.version === version
  }

  async function attempt(delivery: OutboxDelivery, signal: AbortSignal): Promise<SendResult> {
    const startedMs = clock.now()
    const result = await send(delivery, startedMs, signal)
    const endedMs = clock.now()
    learn(result, endedMs)
    if (result.outcome === 'gone') await disable(result.error, endedMs)
    await write([settle(delivery, result, startedMs, endedMs)])
    return result
  }

  async function send(delivery: OutboxDelivery, nowMs: number, signal: AbortSignal): Promise<SendResult> {
    try {
      const message = JSON.parse(delivery.body) as Message
      return await notifier.send(message, { deliveryId: delivery.delivery_id, nowMs, signal })
    } catch (error) {
      logger.error(
        { receiver: notifier.receiver, delivery_id: delivery.delivery_id, reason: messageOf(error) },
        'A message could not be put into the receiver’s format.',
      )
      return { outcome: 'retry', status: 0, error: 'gatewatch could not make the message (see its log).' }
    }
  }

  function learn(result: SendResult, nowMs: number): void {
    if (result.outcome === 'delivered') {
      breaker.success()
      if (faulty) logger.info({ receiver: notifier.receiver }, 'The receiver accepts notifications again.')
      faulty = false
      return
    }
    const fields = { receiver: notifier.receiver, status: result.status, error: result.error }
    if (result.outcome !== 'retry') {
      logger.error(fields, 'A notification failed for good.')
      // A receiver that fails, and may not be sent the same again, would use up every delivery of an outage.
      if (result.status === 0 || result.status >= 500) breaker.fault(nowMs)
      return
    }
    // Only the first fault of a series is news.
    if (!faulty) logger.warn(fields, 'The receiver did not accept a notification; it is tried again.')
    faulty = true
    if (result.retryAfterMs !== undefined)
      pausedUntilMs = Math.max(pausedUntilMs, nowMs + result.retryAfterMs)
    else breaker.fault(nowMs)
  }

  async function disable(reason: string, nowMs: number): Promise<void> {
    const state: DisabledReceiver = {
      receiver: notifier.receiver,
      target: notifier.target,
      reason,
      at: new Date(nowMs).toISOString(),
    }
    await deliveries.setReceiver(state, 'disabled')
    lane.disabled = state
  }

  async function refuseAll(
    due: readonly OutboxDelivery[],
    { reason, at }: DisabledReceiver,
  ): Promise<number> {
    const error = `Not sent: the receiver is disabled since ${at}. ${reason}`
    await write(
      due.map((delivery) => ({
        ...delivery,
        version: delivery.version + 1,
        status: 'failed',
        last_error: error,
      })),
    )
    return due.length
  }

  async function write(settled: readonly OutboxDelivery[]): Promise<void> {
    unwritten = [...unwritten, ...settled]
    if (unwritten.length === 0) return
    await deliveries.put(unwritten)
    unwritten = []
  }
}
