import type { OutboxDelivery, WaitingDelivery } from '../core/delivery.ts'
import { messageOf } from '../core/errors.ts'
import { type BudgetShares, isAftermath, isExempt, shareOut } from './budget.ts'
import { createDigester, type DigestStore, type Receiving } from './digester.ts'
import type { DeliveryStore } from './outbox.ts'
import type { Logger } from './telemetry.ts'
import { pickByWeight } from './weight.ts'

/** What goes out next, of what waits in the outbox: alone, or in a digest. */
export interface Chooser {
  /**
   * One look. Deliveries beyond a receiver’s budget become digests where the time has come; of the others at most `limit` of each
   * receiver are admitted: the store knows that they go out alone before they are returned.
   * @param nowMs milliseconds since the epoch
   * @returns by receiver, in order, what is to be attempted; and how many deliveries were settled by digests
   */
  choose(receivers: readonly Receiving[], nowMs: number, limit: number): Promise<Choice>
}

export interface Choice {
  readonly due: ReadonlyMap<string, readonly OutboxDelivery[]>
  readonly settled: number
}

export interface ChooserOptions {
  readonly deliveries: Pick<DeliveryStore, 'waiting' | 'read' | 'put'> & DigestStore
  readonly logger: Logger
}

// A delivery is made as version 1.
const ADMITTED_VERSION = 2

export function createChooser({ deliveries, logger }: ChooserOptions): Chooser {
  const digester = createDigester({ deliveries, share, logger })
  return {
    async choose(receivers, nowMs, limit) {
      const names = receivers.map(({ notifier }) => notifier.receiver)
      const waiting = Map.groupBy(await deliveries.waiting(nowMs, names, limit), ({ receiver }) => receiver)
      const picked: WaitingDelivery[] = []
      let settled = 0
      for (const receiving of receivers) {
        const mine = waiting.get(receiving.notifier.receiver) ?? []
        if (mine.length === 0) continue
        const { alone, beyond, leftOut } = await share(mine, receiving, nowMs)
        settled += await leaveOut(leftOut, nowMs)
        const digested = await digest(beyond, receiving, nowMs)
        settled += digested.count
        picked.push(...pickByWeight([...alone, ...digested.single], { limit, nowMs, turns: receiving.turns }))
      }
      const due = await admit(await deliveries.read(picked, nowMs), nowMs)
      return { due: Map.groupBy(due, ({ receiver }) => receiver), settled }
    },
  }

  async function share(
    listed: readonly WaitingDelivery[],
    { notifier: { receiver, budget }, turns }: Receiving,
    nowMs: number,
  ): Promise<BudgetShares> {
    const waiting = await withoutHalfAdmitted(listed)
    const aftermath = waiting.filter(isAftermath)
    const isCounted = waiting.some((delivery) => !isExempt(delivery))
    return shareOut(waiting, {
      budget,
      admitted: isCounted ? await deliveries.admissions(nowMs - budget.withinMs, [receiver]) : [],
      toldInDigests: aftermath.length === 0 ? new Map() : await deliveries.toldInDigests(aftermath),
      nowMs,
      turns,
    })
  }

  // A crash in the middle of an admission leaves its version in the outbox only: nothing was admitted, nor sent.
  async function withoutHalfAdmitted(
    listed: readonly WaitingDelivery[],
  ): Promise<readonly WaitingDelivery[]> {
    const admitted = listed.filter(
      (delivery) => delivery.version === ADMITTED_VERSION && !isExempt({ ...delivery, version: 1 }),
    )
    if (admitted.length === 0) return listed
    const never = new Set((await deliveries.unattempted(admitted)).map(({ delivery_id }) => delivery_id))
    return listed.map((delivery) =>
      never.has(delivery.delivery_id) ? { ...delivery, version: 1 } : delivery,
    )
  }

  // A digest that the store does not take holds up no message alone.
  async function digest(beyond: readonly WaitingDelivery[], receiving: Receiving, nowMs: number) {
    try {
      return await digester.digest(beyond, receiving, nowMs)
    } catch (error) {
      logger.error(
        { receiver: receiving.notifier.receiver, reason: messageOf(error) },
        'A digest could not be stored; trying on.',
      )
      return { count: 0, single: [] }
    }
  }

  async function leaveOut(leftOut: BudgetShares['leftOut'], nowMs: number): Promise<number> {
    const digests = new Map(leftOut.map(([{ delivery_id }, digestId]) => [delivery_id, digestId]))
    const known = await deliveries.read(
      leftOut.map(([delivery]) => delivery),
      nowMs,
    )
    const settled = known.map((delivery): OutboxDelivery => {
      const digestId = digests.get(delivery.delivery_id)
      return {
        ...delivery,
        version: delivery.version + 1,
        status: 'digested',
        ...(digestId === undefined ? {} : { digest_id: digestId }),
      }
    })
    await deliveries.put(settled)
    return settled.length
  }

  async function admit(due: readonly OutboxDelivery[], nowMs: number): Promise<OutboxDelivery[]> {
    const chosen = due.map(
      (delivery): OutboxDelivery =>
        isExempt(delivery)
          ? delivery
          : { ...delivery, version: delivery.version + 1, admitted_at: new Date(nowMs).toISOString() },
    )
    await deliveries.put(chosen.filter((delivery, index) => delivery !== due[index]))
    return chosen
  }
}
