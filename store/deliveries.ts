import type { Delivery, OutboxDelivery, WaitingDelivery } from '../core/delivery.ts'
import { stableId } from '../core/hash.ts'
import type { Database, QueryParams } from './database.ts'
import {
  DELIVERY_COLUMNS,
  type DeliveryRow,
  deliveryOf,
  deliveryRow,
  isoOf,
  linesOf,
  outboxDeliveryOf,
  storedTime,
} from './delivery-rows.ts'
import { createDigests, type Digests } from './digests.ts'
import { createOutboxTable, isLeftOver } from './outbox.ts'

/** The outbox and what became of it. Implements `alerts/outbox.ts` and answers the API. Times as `core/delivery.ts`. */
export interface Deliveries extends Digests {
  /** What may be due, small; see `OutboxTable.candidates`. */
  waiting(nowMs: number, receivers: readonly string[], limitPerParty: number): Promise<WaitingDelivery[]>
  /** Those of them that are due, in the same order; lets what was settled leave the outbox. */
  read(waiting: readonly WaitingDelivery[], nowMs: number): Promise<OutboxDelivery[]>
  byId(tenant: string, deliveryId: string): Promise<OutboxDelivery | undefined>
  put(deliveries: readonly OutboxDelivery[]): Promise<void>
  /** Newest first, without the notice itself. */
  newest(tenant: string, limit: number): Promise<Delivery[]>
  /** Those about these alerts, newest first. */
  ofAlerts(tenant: string, alertIds: readonly string[]): Promise<Delivery[]>
  disabledReceivers(): Promise<ReceiverState[]>
  setReceiver(state: ReceiverState, status: 'disabled' | 'enabled'): Promise<void>
}

export interface ReceiverState {
  readonly receiver: string
  readonly target: string
  readonly reason: string
  readonly at: string
}

const ALL = DELIVERY_COLUMNS.join(', ')
// Without the message, and without what older rows derive from it.
const LISTED = [...DELIVERY_COLUMNS.slice(0, DELIVERY_COLUMNS.indexOf('body')), 'digest_id'].join(', ')

export function createDeliveries(database: Database): Deliveries {
  const outbox = createOutboxTable(database)
  return {
    ...createDigests(database, outbox),
    waiting: outbox.candidates,
    async read(waiting, nowMs) {
      if (waiting.length === 0) return []
      const times = waiting.map(({ created_at }) => storedTime(created_at)).sort()
      const rows = await database.query<DeliveryRow>(
        `SELECT ${ALL} FROM delivery_versions FINAL
         WHERE tenant IN {tenants:Array(String)} AND delivery_id IN {ids:Array(String)}
           AND delivery_versions.created_at BETWEEN toDateTime64({from:String}, 3, 'UTC') AND toDateTime64({to:String}, 3, 'UTC')`,
        {
          tenants: [...new Set(waiting.map(({ tenant }) => tenant))],
          ids: waiting.map(({ delivery_id }) => delivery_id),
          from: times[0] ?? '',
          to: times.at(-1) ?? '',
        },
      )
      const deliveries = new Map(rows.map(outboxDeliveryOf).map((it) => [it.delivery_id, it]))
      // A candidate that is ahead of its delivery, or has none yet, is being written; after a crash `Outbox.recover`
      // or the lane writes it again.
      await outbox.leave(
        waiting.flatMap((candidate) => {
          const delivery = deliveries.get(candidate.delivery_id)
          return delivery !== undefined && isLeftOver(candidate, delivery)
            ? [[candidate, delivery] as const]
            : []
        }),
      )
      return waiting.flatMap(({ delivery_id }) => {
        const delivery = deliveries.get(delivery_id)
        return delivery?.status === 'due' && Date.parse(delivery.next_attempt_at) <= nowMs ? [delivery] : []
      })
    },
    async byId(tenant, deliveryId) {
      const [row] = await database.query<DeliveryRow>(
        `SELECT ${ALL} FROM delivery_versions FINAL
         WHERE tenant = {tenant:String} AND delivery_id = {id:String}`,
        { tenant, id: deliveryId },
      )
      return row === undefined ? undefined : outboxDeliveryOf(row)
    },
    async put(deliveries) {
      if (deliveries.length === 0) return
      await outbox.enter(deliveries.filter(({ status }) => status === 'due'))
      await database.insert({
        table: 'delivery_versions',
        columns: DELIVERY_COLUMNS,
        rows: linesOf(deliveries.map(deliveryRow)),
        token: stableId(
          'deliveries',
          ...deliveries.flatMap(({ delivery_id, version, status, attempts, last_attempt_at }) => [
            delivery_id,
            version,
            status,
            attempts,
            last_attempt_at ?? '',
          ]),
        ),
      })
      await outbox.leaveBefore(deliveries)
    },
    newest: (tenant, limit) => list('LIMIT {limit:UInt32}', '', { tenant, limit }),
    ofAlerts: async (tenant, alertIds) =>
      alertIds.length === 0
        ? []
        : list('', 'AND alert_id IN {alerts:Array(String)}', { tenant, alerts: alertIds }),
    async disabledReceivers() {
      const rows = await database.query<Record<keyof ReceiverState, string>>(
        "SELECT receiver, target, reason, at FROM receiver_states FINAL WHERE status = 'disabled'",
      )
      return rows.map((row) => ({ ...row, at: isoOf(row.at) }))
    },
    async setReceiver({ receiver, target, reason, at }, status) {
      await database.insert({
        table: 'receiver_states',
        columns: ['receiver', 'target', 'status', 'reason', 'at', 'version'],
        rows: linesOf([[receiver, target, status, reason, storedTime(at), Date.parse(at)]]),
        token: stableId('receiver', receiver, target, status, at),
      })
    },
  }

  async function list(limit: string, condition: string, params: QueryParams): Promise<Delivery[]> {
    const rows = await database.query<DeliveryRow>(
      `SELECT ${LISTED} FROM delivery_versions FINAL WHERE tenant = {tenant:String} ${condition}
       ORDER BY delivery_versions.created_at DESC, sequence DESC, delivery_id ${limit}`,
      params,
    )
    return rows.map(deliveryOf)
  }
}
