import type { Admissions, DeliveryKind, WaitingDelivery } from '../core/delivery.ts'
import { pickByWeight, type Turns } from './weight.ts'

/**
 * How many messages of one severity a receiver gets alone within a time, about one party (the actor, else the entity) and
 * about all that one source sent. What is beyond that comes in digests.
 */
export interface DeliveryBudget {
  readonly perParty: number
  /** Of all its parties together: a sender can make up parties. */
  readonly perSource: number
  /** Milliseconds. */
  readonly withinMs: number
  /** Length of the windows of digests, milliseconds: a receiver gets at most one digest of a source in each. */
  readonly digestEveryMs: number
}

const HOUR = 3_600_000
const WINDOW = 300_000

/**
 * What a receiver of each kind bears unless it is told otherwise. A page wakes somebody: of a party once an hour, the rest are
 * one incident. A channel is read: some of each. A program takes many. Digests every five minutes, as Alertmanager’s
 * `group_interval`.
 */
export const DEFAULT_BUDGETS: Readonly<Record<DeliveryKind, DeliveryBudget>> = {
  pagerduty: { perParty: 1, perSource: 10, withinMs: HOUR, digestEveryMs: WINDOW },
  slack: { perParty: 5, perSource: 20, withinMs: HOUR, digestEveryMs: WINDOW },
  webhook: { perParty: 20, perSource: 100, withinMs: HOUR, digestEveryMs: WINDOW },
}

export interface BudgetInput {
  readonly budget: Pick<DeliveryBudget, 'perParty' | 'perSource'>
  /** What this receiver was sent alone within the budget’s time. */
  readonly admitted: readonly Admissions[]
  /** Of what tells how an alert went on, and whose receiver knows of the alert by digests only: the newest of these. */
  readonly toldInDigests: ReadonlyMap<string, string>
  readonly nowMs: number
  /** Not changed. */
  readonly turns: Turns
}

/** What waits for one receiver, each delivery in one of three. */
export interface BudgetShares {
  /** Goes out as a message of its own. */
  readonly alone: readonly WaitingDelivery[]
  /** Comes in the next digest of its source. */
  readonly beyond: readonly WaitingDelivery[]
  /** Comes in no message, with the digest that told of its alert. */
  readonly leftOut: readonly (readonly [WaitingDelivery, digestId: string])[]
}

/** Whether it tells how an alert went on that was told before. */
export const isAftermath = ({ notice }: Pick<WaitingDelivery, 'notice'>): boolean =>
  notice === 'acknowledged' || notice === 'closed' || notice === 'taken_back'

/** Whether it goes out alone without being counted: digests, what people did, and what was begun before. */
export const isExempt = ({ notice, version }: Pick<WaitingDelivery, 'notice' | 'version'>): boolean =>
  notice === 'digest' || notice === 'acknowledged' || notice === 'closed' || version > 1

/**
 * Shares out what waits for one receiver. Pure.
 * - What was admitted, attempted or replayed before goes out alone: what may have been sent never comes in a digest.
 * - Of one severity and source at most `perSource` go out alone, of one party of these at most `perParty`, less what was admitted
 *   before; which ones, `pickByWeight` says.
 * - What is told of an alert that a digest told of never goes out alone: that somebody acknowledged or closed it is left
 *   out, that it was taken back comes in a digest.
 */
export function shareOut(waiting: readonly WaitingDelivery[], input: BudgetInput): BudgetShares {
  const alone: WaitingDelivery[] = []
  const beyond: WaitingDelivery[] = []
  const leftOut: (readonly [WaitingDelivery, string])[] = []
  const counted: WaitingDelivery[] = []
  for (const delivery of waiting) {
    const digestId = isAftermath(delivery) ? input.toldInDigests.get(delivery.delivery_id) : undefined
    if (digestId === undefined) (isExempt(delivery) ? alone : counted).push(delivery)
    else if (delivery.notice !== 'taken_back') leftOut.push([delivery, digestId])
    else if (delivery.version > 1) alone.push(delivery)
    else beyond.push(delivery)
  }
  const admitted = Map.groupBy(input.admitted, groupOf)
  for (const [key, group] of Map.groupBy(counted, groupOf)) {
    const within = new Set(withinBudget(group, admitted.get(key) ?? [], input))
    for (const delivery of group) (within.has(delivery) ? alone : beyond).push(delivery)
  }
  return { alone, beyond, leftOut }
}

function withinBudget(
  group: readonly WaitingDelivery[],
  admitted: readonly Admissions[],
  { budget, nowMs, turns }: BudgetInput,
): WaitingDelivery[] {
  const sent = admitted.reduce((sum, { count }) => sum + count, 0)
  const room = budget.perSource - sent
  if (room <= 0) return []
  const ofParty = new Map<string, number>()
  for (const { party, count } of admitted) ofParty.set(party, (ofParty.get(party) ?? 0) + count)
  const ofParties = [...Map.groupBy(group, ({ party }) => party)].flatMap(([party, deliveries]) =>
    pickByWeight(deliveries, {
      limit: Math.min(room, budget.perParty - (ofParty.get(party) ?? 0)),
      nowMs,
      turns,
    }),
  )
  return pickByWeight(ofParties, { limit: room, nowMs, turns })
}

const groupOf = ({ tenant, source, severity }: Pick<Admissions, 'tenant' | 'source' | 'severity'>): string =>
  JSON.stringify([tenant, source, severity])
