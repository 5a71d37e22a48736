import type { Admissions, DigestMember, OutboxDelivery, WaitingDelivery } from '../core/delivery.ts'
import { type BudgetShares, isAftermath } from './budget.ts'
import { digestRow, makeDigest, ofOneMonth, windowStart } from './digest.ts'
import type { Notifier } from './notifier.ts'
import type { Logger } from './telemetry.ts'
import type { Turns } from './weight.ts'

/** The outbox’s tables, as budgets and digests need them. */
export interface DigestStore {
  /** What was admitted to go out alone since then, milliseconds since the epoch. */
  admissions(sinceMs: number, receivers: readonly string[]): Promise<Admissions[]>
  /** All that may be due of one receiver and source, as `DeliveryStore.waiting`: the heaviest, `limit` at most. */
  waitingOf(
    place: { readonly receiver: string; readonly tenant: string; readonly source: string },
    nowMs: number,
    limit: number,
  ): Promise<WaitingDelivery[]>
  /** Those of them that are due and were neither admitted nor attempted, in the same order. */
  unattempted(waiting: readonly WaitingDelivery[]): Promise<DigestMember[]>
  /** Of those whose alert the receiver was told of in digests only: the id of the newest of these, by `delivery_id`. */
  toldInDigests(waiting: readonly WaitingDelivery[]): Promise<ReadonlyMap<string, string>>
  /** The newest digest of a row of digests (`digestRow`). */
  newestDigest(
    tenant: string,
    row: string,
  ): Promise<{ readonly sequence: number; readonly status: string } | undefined>
  /** Stores a digest and what it tells, all or nothing; all were made in one month. */
  putDigest(digest: OutboxDelivery, members: readonly OutboxDelivery[]): Promise<void>
  /**
   * Makes digests due that a crash left out of the outbox.
   * @param sinceMs how far to look back, milliseconds since the epoch
   * @returns how many
   */
  recoverDigests(sinceMs: number): Promise<number>
}

/** What a digest stands for at most; the rest comes in the next one. Bounds one question and one block of the store. */
export const MAX_MEMBERS = 2000

/** A receiver, and who had a turn there. */
export interface Receiving {
  readonly notifier: Pick<Notifier, 'receiver' | 'kind' | 'budget'>
  readonly turns: Turns
}

export interface Digester {
  /**
   * Makes a digest of each source whose window has ended: of what was beyond the budget in an earlier window than now, and of all
   * that came since. A digest waits for the one before it, so that a receiver that is away gets few.
   * @param beyond of one receiver
   * @returns how many deliveries digests tell; and what would be a digest of one, to be sent alone instead
   */
  digest(
    beyond: readonly WaitingDelivery[],
    receiving: Receiving,
    nowMs: number,
  ): Promise<{ readonly count: number; readonly single: readonly WaitingDelivery[] }>
}

export interface DigesterOptions {
  readonly deliveries: DigestStore
  readonly share: (
    waiting: readonly WaitingDelivery[],
    receiving: Receiving,
    nowMs: number,
  ) => Promise<BudgetShares>
  readonly logger: Logger
}

export function createDigester({ deliveries, share, logger }: DigesterOptions): Digester {
  return {
    async digest(beyond, receiving, nowMs) {
      const single: WaitingDelivery[] = []
      let count = 0
      const windowMs = windowStart(nowMs, receiving.notifier.budget.digestEveryMs)
      for (const [, ofSource] of Map.groupBy(beyond, ({ tenant, source }) =>
        JSON.stringify([tenant, source]),
      )) {
        if (!ofSource.some(({ created_at }) => Date.parse(created_at) < windowMs)) continue
        const members = await membersOf(ofSource, receiving, windowMs, nowMs)
        const [only] = members
        if (only === undefined) continue
        if (members.length === 1 && !isAftermath(only)) {
          single.push(...ofSource.filter(({ delivery_id }) => delivery_id === only.delivery_id))
          continue
        }
        const place = { ...placeOf(only), kind: receiving.notifier.kind }
        const made = makeDigest(place, members, { windowMs, nowMs })
        await deliveries.putDigest(made.digest, made.members)
        count += members.length
        logger.warn(
          { receiver: place.receiver, source: place.source, alerts: members.length },
          'More alerts than the receiver’s budget: it is told of these in one digest.',
        )
      }
      return { count, single }
    },
  }

  /** In the order of their weight; none while another digest is under way, or was made in this window. */
  async function membersOf(
    listed: readonly WaitingDelivery[],
    receiving: Receiving,
    windowMs: number,
    nowMs: number,
  ): Promise<DigestMember[]> {
    const [first] = listed
    if (first === undefined) return []
    const place = placeOf(first)
    const newest = await deliveries.newestDigest(place.tenant, digestRow(place))
    if (newest !== undefined && (newest.status === 'due' || newest.sequence * 1000 >= windowMs)) return []
    // A look lists some of each party only: who is beyond the budget is decided anew about all.
    const { beyond } = await share(await deliveries.waitingOf(place, nowMs, MAX_MEMBERS), receiving, nowMs)
    return ofOneMonth(await deliveries.unattempted(beyond))
  }
}

const placeOf = ({ receiver, tenant, source }: WaitingDelivery) => ({ receiver, tenant, source })
