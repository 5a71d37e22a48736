import { randomUUID } from 'node:crypto'
import type { OutboxDelivery } from '../core/delivery.ts'
import { stableId } from '../core/hash.ts'
import type { Database } from './database.ts'
import { linesOf, storedTime } from './delivery-rows.ts'

/** A version of a delivery that may be due; what it really is, `delivery_versions` says. */
export interface Candidate {
  readonly tenant: string
  readonly delivery_id: string
  readonly version: number
  /** `DateTime64(3)` as the store writes it: with it the month of the delivery is known. */
  readonly created_at: string
}

/** Which versions of deliveries are due: a table that settled ones leave, so that a look at it costs what waits. */
export interface OutboxTable {
  /** Due versions come in. Before they are written as deliveries, so that a crash leaves one too many, never one too few. */
  enter(due: readonly OutboxDelivery[]): Promise<void>
  /** The versions before these leave. After these were written as deliveries, for the same reason. */
  leaveBefore(written: readonly OutboxDelivery[]): Promise<void>
  /** Versions leave that `delivery_versions` has later ones of: a crash left them over. */
  leave(stale: readonly (readonly [Candidate, OutboxDelivery])[]): Promise<void>
  /**
   * Of each alert and receiver only the first that is not settled, if its time has come; oldest first.
   * @param nowMs milliseconds since the epoch
   */
  candidates(nowMs: number, receivers: readonly string[], limitPerReceiver: number): Promise<Candidate[]>
}

const COLUMNS = [
  'tenant',
  'delivery_id',
  'version',
  'receiver',
  'alert_id',
  'sequence',
  'created_at',
  'next_attempt_at',
  'sign',
]

export function createOutboxTable(database: Database): OutboxTable {
  const write = async (
    sign: 1 | -1,
    rows: readonly (readonly [number, OutboxDelivery])[],
    token = stableId('outbox', sign, ...rows.flatMap(([version, { delivery_id }]) => [delivery_id, version])),
  ): Promise<void> => {
    if (rows.length === 0) return
    await database.insert({
      table: 'outbox',
      columns: COLUMNS,
      rows: linesOf(
        rows.map(([version, delivery]) => [
          delivery.tenant,
          delivery.delivery_id,
          version,
          delivery.receiver,
          delivery.alert_id,
          delivery.sequence,
          storedTime(delivery.created_at),
          storedTime(delivery.next_attempt_at),
          sign,
        ]),
      ),
      token,
    })
  }
  return {
    enter: (due) =>
      write(
        1,
        due.map((delivery) => [delivery.version, delivery] as const),
      ),
    leaveBefore: (written) =>
      write(
        -1,
        written
          .filter(({ version }) => version > 1)
          .map((delivery) => [delivery.version - 1, delivery] as const),
      ),
    // Under a token of its own: the version may have left before, and come in again since.
    leave: (stale) =>
      write(
        -1,
        stale.map(([{ version }, delivery]) => [version, delivery] as const),
        `outbox/stale/${randomUUID()}`,
      ),
    candidates: (nowMs, receivers, limitPerReceiver) =>
      database.query<Candidate>(
        `SELECT tenant, delivery_id, version, made_at AS created_at FROM (
           SELECT tenant, delivery_id, version, any(receiver) AS whom, any(alert_id) AS alert, any(sequence) AS place,
             any(created_at) AS made_at, anyIf(next_attempt_at, sign = 1) AS due_at
           FROM outbox WHERE receiver IN {receivers:Array(String)}
           GROUP BY tenant, delivery_id, version HAVING sum(sign) > 0
           ORDER BY whom, alert, place, delivery_id, version DESC
           LIMIT 1 BY whom, alert)
         WHERE due_at <= fromUnixTimestamp64Milli({now:Int64})
         ORDER BY made_at, place, delivery_id
         LIMIT {limit:UInt32} BY whom`,
        { receivers, now: nowMs, limit: limitPerReceiver },
      ),
  }
}
