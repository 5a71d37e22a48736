import type { AlertEntry } from '../core/alert.ts'
import type { DeliveryWeight, OutboxDelivery, WaitingDelivery } from '../core/delivery.ts'
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
   * What may be sent to these receivers now (milliseconds since the epoch), for `pickByWeight` to choose from: of each
   * party at least the `limitPerParty` heaviest and oldest, and of each alert and receiver only the first that is not
   * settled: notices about one alert keep their order.
   */
  waiting(nowMs: number, receivers: readonly string[], limitPerParty: number): Promise<WaitingDelivery[]>
  /** The deliveries themselves, in the order given; without those that are not due any more. */
  read(waiting: readonly WaitingDelivery[], nowMs: number): Promise<OutboxDelivery[]>
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
  /**
   * Where events came from, by their ids; those that are not there are left out. Deliveries take turns by source, so
   * that a sender that makes up actors gets the turns of one. Default: all from one.
   */
  readonly sourcesOf?: (tenant: string, eventIds: readonly string[]) => Promise<ReadonlyMap<string, string>>
  /** Told when something became due: the dispatcher’s `wake`. */
  readonly onPlaced?: () => void
}

export function createOutbox({ alerts, deliveries, sourcesOf, onPlaced }: OutboxOptions): Outbox {
  const place = async (entries: readonly AlertEntry[]): Promise<void> => {
    const telling = entries.filter(({ action }) => 'notify' in action && (action.notify ?? []).length > 0)
    if (telling.length === 0) return
    const sources = await sourcesOfAll(telling)
    const rows = telling.flatMap((entry) =>
      deliveriesOf(entry, sources.get(sourceKey(entry.state.tenant, firstEventOf(entry)))),
    )
    await deliveries.put(rows)
    onPlaced?.()
  }
  const sourcesOfAll = async (entries: readonly AlertEntry[]): Promise<ReadonlyMap<string, string>> => {
    const sources = new Map<string, string>()
    if (sourcesOf === undefined) return sources
    for (const [tenant, ofTenant] of Map.groupBy(entries, ({ state }) => state.tenant)) {
      const ids = [...new Set(ofTenant.map(firstEventOf))].filter((id) => id !== '')
      if (ids.length === 0) continue
      for (const [id, source] of await sourcesOf(tenant, ids)) sources.set(sourceKey(tenant, id), source)
    }
    return sources
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

const firstEventOf = ({ action }: AlertEntry): string =>
  'finding' in action ? (action.finding.event_ids[0] ?? '') : ''

const sourceKey = (tenant: string, eventId: string): string => JSON.stringify([tenant, eventId])

/** The first versions of the deliveries that an action asks for: a pure function of the action and of its source. */
export function deliveriesOf({ action, state, sequence }: AlertEntry, source = ''): OutboxDelivery[] {
  const weight: DeliveryWeight = {
    severity: state.severity,
    score: 'finding' in action ? action.finding.score : 0,
    source,
    party: state.actor || `${state.entity.type} ${state.entity.id}`,
  }
  const notify = 'notify' in action ? (action.notify ?? []) : []
  return notify.map((planned) => {
    const notice: Notice = {
      kind: planned.notice,
      alert: state,
      at: action.at,
      ...('finding' in action && action.finding !== undefined ? { finding: action.finding } : {}),
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
      ...weight,
    }
  })
}
