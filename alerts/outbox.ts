import type { AlertEntry } from '../core/alert.ts'
import type { OutboxDelivery } from '../core/delivery.ts'
import { GatewatchError } from '../core/errors.ts'
import type { AlertLog } from './alert-log.ts'
import type { Notice } from './notifier.ts'

/** A receiver that asked never to be spoken to again. */
export interface DisabledReceiver {
  readonly receiver: string
  /** `Notifier.target`: another address is another start. */
  readonly target: string
  readonly reason: string
  /** ISO 8601 UTC. */
  readonly at: string
}

/** The outbox’s tables, as this folder needs them. */
export interface DeliveryStore {
  /**
   * Deliveries to these receivers whose time has come (milliseconds since the epoch), oldest first, and of each alert
   * and receiver only the first that is not settled: notices about one alert keep their order.
   */
  due(nowMs: number, receivers: readonly string[], limitPerReceiver: number): Promise<OutboxDelivery[]>
  byId(tenant: string, deliveryId: string): Promise<OutboxDelivery | undefined>
  /** Writes versions; a version that is there already, or an older one, changes nothing. */
  put(deliveries: readonly OutboxDelivery[]): Promise<void>
  disabledReceivers(): Promise<DisabledReceiver[]>
  setReceiver(state: DisabledReceiver, status: 'disabled' | 'enabled'): Promise<void>
}

/** From what actions want sent to deliveries. */
export interface Outbox {
  /** Puts the planned deliveries of actions into the outbox. Durable when it returns; repeating it is harmless. */
  place(entries: readonly AlertEntry[]): Promise<void>
  /**
   * Places what a crash left between an action and its deliveries.
   * @param sinceMs how far to look back, milliseconds since the epoch
   * @returns the number of actions mended
   */
  recover(sinceMs: number): Promise<number>
  /**
   * Makes a failed delivery due again, under its own id.
   * @throws GatewatchError `not_found`, or `conflict` when it has not failed
   */
  replay(tenant: string, deliveryId: string, nowMs: number): Promise<OutboxDelivery>
}

export interface OutboxOptions {
  readonly alerts: Pick<AlertLog, 'unplaced'>
  readonly deliveries: Pick<DeliveryStore, 'put' | 'byId'>
  /** Told when something became due: the dispatcher’s `wake`. */
  readonly onPlaced?: () => void
}

export function createOutbox({ alerts, deliveries, onPlaced }: OutboxOptions): Outbox {
  const place = async (entries: readonly AlertEntry[]): Promise<void> => {
    const rows = entries.flatMap(deliveriesOf)
    if (rows.length === 0) return
    await deliveries.put(rows)
    onPlaced?.()
  }
  return {
    place,
    recover: async (sinceMs) => {
      const entries = await alerts.unplaced(sinceMs)
      await place(entries)
      return entries.length
    },
    replay: async (tenant, deliveryId, nowMs) => {
      const failed = await deliveries.byId(tenant, deliveryId)
      if (failed === undefined) throw new GatewatchError('not_found', 'There is no such delivery.')
      if (failed.status !== 'failed') {
        throw new GatewatchError(
          'conflict',
          `The delivery is ${failed.status}; only a failed one is replayed.`,
        )
      }
      const again: OutboxDelivery = {
        ...failed,
        version: failed.version + 1,
        status: 'due',
        attempts: 0,
        next_attempt_at: new Date(nowMs).toISOString(),
      }
      await deliveries.put([again])
      onPlaced?.()
      return again
    },
  }
}

/** The first versions of the deliveries that an action asks for: a pure function of the action. */
export function deliveriesOf({ action, state, sequence }: AlertEntry): OutboxDelivery[] {
  const notify = 'notify' in action ? (action.notify ?? []) : []
  return notify.map((planned) => {
    const notice: Notice = {
      kind: planned.notice,
      alert: state,
      at: action.at,
      ...('finding' in action ? { finding: action.finding } : {}),
    }
    return {
      ...planned,
      version: 1,
      tenant: state.tenant,
      alert_id: state.alert_id,
      sequence,
      status: 'due',
      attempts: 0,
      created_at: action.at,
      next_attempt_at: action.at,
      attempt_log: [],
      body: JSON.stringify(notice),
    }
  })
}
