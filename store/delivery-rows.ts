import type { Delivery, DeliveryAttempt, DeliveryStatus, OutboxDelivery } from '../core/delivery.ts'

/** Columns of `delivery_versions`, in the order of `deliveryRow`. */
export const DELIVERY_COLUMNS = [
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
  'severity',
  'score',
  'source',
  'party',
  'admitted_at',
  'digest_id',
] as const

type Value = string | number | null
export type DeliveryRow = Record<(typeof DELIVERY_COLUMNS)[number], Value>

export const deliveryRow = (delivery: OutboxDelivery): Value[] => [
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
  delivery.severity,
  delivery.score,
  delivery.source,
  delivery.party,
  delivery.admitted_at === undefined ? null : storedTime(delivery.admitted_at),
  delivery.digest_id ?? '',
]

export function deliveryOf(row: DeliveryRow): Delivery {
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
    ...(row.digest_id === '' ? {} : { digest_id: String(row.digest_id) }),
  }
}

export const outboxDeliveryOf = (row: DeliveryRow): OutboxDelivery => ({
  ...deliveryOf(row),
  version: Number(row.version),
  sequence: Number(row.sequence),
  body: String(row.body),
  severity: row.severity as OutboxDelivery['severity'],
  score: Number(row.score),
  source: String(row.source),
  party: String(row.party),
  ...(row.admitted_at === null ? {} : { admitted_at: isoOf(String(row.admitted_at)) }),
})

/** ISO 8601 → the text of a `DateTime64(3)`. */
export const storedTime = (iso: string): string => new Date(iso).toISOString().slice(0, 23).replace('T', ' ')

/** The text of a `DateTime64(3)` → ISO 8601. */
export const isoOf = (stored: string): string => `${stored.replace(' ', 'T')}Z`

/** Lines of JSON arrays. Lone surrogates are not valid UTF-8; see event-rows.ts. */
export const linesOf = (rows: readonly (readonly Value[])[]): Uint8Array =>
  Buffer.from(
    rows
      .map((row) =>
        JSON.stringify(row.map((value) => (typeof value === 'string' ? value.toWellFormed() : value))),
      )
      .join('\n'),
  )
