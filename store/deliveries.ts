import type { Delivery, DeliveryAttempt, DeliveryStatus, OutboxDelivery } from '../core/delivery.ts'
import { stableId } from '../core/hash.ts'
import type { Database, QueryParams } from './database.ts'

/** The outbox and what became of it. Implements `alerts/outbox.ts` and answers the API. Times as `core/delivery.ts`. */
export interface Deliveries {
  due(nowMs: number, receivers: readonly string[], limitPerReceiver: number): Promise<OutboxDelivery[]>
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

const COLUMNS = [
  'delivery_id',
  'version',
  'tenant',
  'alert_id',
  'receiver',
  'kind',
  'notice',
  'sequence',
  'created_at',
  'status',
  'attempts',
  'next_attempt_at',
  'last_attempt_at',
  'last_status',
  'last_error',
  'attempt_log',
  'body',
] as const
type Row = Record<(typeof COLUMNS)[number], string | number | null>

const LISTED = COLUMNS.filter((column) => column !== 'body').join(', ')

export function createDeliveries(database: Database): Deliveries {
  return {
    async due(nowMs, receivers, limitPerReceiver) {
      // Which, from the small columns of all; then these whole. Of an alert and receiver only the first that is not
      // settled counts, whether its time has come or not.
      const which = await database.query<{ tenant: string; delivery_id: string }>(
        `SELECT tenant, delivery_id FROM (
           SELECT tenant, delivery_id, receiver, alert_id, sequence, created_at, next_attempt_at
           FROM deliveries FINAL
           WHERE status = 'due' AND receiver IN {receivers:Array(String)}
           ORDER BY receiver, alert_id, sequence, delivery_id
           LIMIT 1 BY receiver, alert_id)
         WHERE next_attempt_at <= fromUnixTimestamp64Milli({now:Int64})
         ORDER BY created_at, sequence, delivery_id
         LIMIT {limit:UInt32} BY receiver`,
        { receivers, now: nowMs, limit: limitPerReceiver },
      )
      if (which.length === 0) return []
      const rows = await database.query<Row>(
        `SELECT ${COLUMNS.join(', ')} FROM deliveries FINAL
         WHERE tenant IN {tenants:Array(String)} AND delivery_id IN {ids:Array(String)}
         ORDER BY deliveries.created_at, sequence, delivery_id`,
        {
          tenants: [...new Set(which.map(({ tenant }) => tenant))],
          ids: which.map(({ delivery_id }) => delivery_id),
        },
      )
      return rows.map(outboxOf).filter(({ status }) => status === 'due')
    },
    async byId(tenant, deliveryId) {
      const [row] = await database.query<Row>(
        `SELECT ${COLUMNS.join(', ')} FROM deliveries FINAL WHERE tenant = {tenant:String} AND delivery_id = {id:String}`,
        { tenant, id: deliveryId },
      )
      return row === undefined ? undefined : outboxOf(row)
    },
    async put(deliveries) {
      if (deliveries.length === 0) return
      await database.insert({
        table: 'deliveries',
        columns: COLUMNS,
        rows: linesOf(deliveries.map(rowOf)),
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
    const rows = await database.query<Row>(
      `SELECT ${LISTED} FROM deliveries FINAL WHERE tenant = {tenant:String} ${condition}
       ORDER BY deliveries.created_at DESC, sequence DESC, delivery_id ${limit}`,
      params,
    )
    return rows.map(deliveryOf)
  }
}

const rowOf = (delivery: OutboxDelivery): (string | number | null)[] => [
  delivery.delivery_id,
  delivery.version,
  delivery.tenant,
  delivery.alert_id,
  delivery.receiver,
  delivery.kind,
  delivery.notice,
  delivery.sequence,
  storedTime(delivery.created_at),
  delivery.status,
  delivery.attempts,
  storedTime(delivery.next_attempt_at),
  delivery.last_attempt_at === undefined ? null : storedTime(delivery.last_attempt_at),
  delivery.last_status ?? 0,
  delivery.last_error ?? '',
  JSON.stringify(delivery.attempt_log),
  delivery.body,
]

function deliveryOf(row: Row): Delivery {
  return {
    delivery_id: String(row.delivery_id),
    tenant: String(row.tenant),
    alert_id: String(row.alert_id),
    receiver: String(row.receiver),
    kind: row.kind as Delivery['kind'],
    notice: row.notice as Delivery['notice'],
    status: row.status as DeliveryStatus,
    attempts: Number(row.attempts),
    created_at: isoOf(String(row.created_at)),
    next_attempt_at: isoOf(String(row.next_attempt_at)),
    ...(row.last_attempt_at === null
      ? {}
      : { last_attempt_at: isoOf(String(row.last_attempt_at)), last_status: Number(row.last_status) }),
    ...(row.last_error === '' ? {} : { last_error: String(row.last_error) }),
    attempt_log: JSON.parse(String(row.attempt_log)) as DeliveryAttempt[],
  }
}

const outboxOf = (row: Row): OutboxDelivery => ({
  ...deliveryOf(row),
  version: Number(row.version),
  sequence: Number(row.sequence),
  body: String(row.body),
})

// `DateTime64(3)` ↔ ISO 8601.
const storedTime = (iso: string): string => new Date(iso).toISOString().slice(0, 23).replace('T', ' ')
const isoOf = (stored: string): string => `${stored.replace(' ', 'T')}Z`

// Lone surrogates are not valid UTF-8; see event-rows.ts.
const linesOf = (rows: readonly (readonly (string | number | null)[])[]): Uint8Array =>
  Buffer.from(
    rows
      .map((row) =>
        JSON.stringify(row.map((value) => (typeof value === 'string' ? value.toWellFormed() : value))),
      )
      .join('\n'),
  )
