import { randomUUID } from 'node:crypto'
import type { OutboxDelivery, WaitingDelivery } from '../core/delivery.ts'
import { SEVERITIES } from '../core/finding.ts'
import { stableId } from '../core/hash.ts'
import type { Database } from './database.ts'
import { isoOf, linesOf, storedTime } from './delivery-rows.ts'

/** Which versions of deliveries are due: a table that settled ones leave, so that a look at it costs what waits. */
export interface OutboxTable {
  /** Due versions come in. Before they are written as deliveries, so that a crash leaves one too many, never one too few. */
  enter(due: readonly OutboxDelivery[]): Promise<void>
  /** The versions before these leave. After these were written as deliveries, for the same reason. */
  leaveBefore(written: readonly OutboxDelivery[]): Promise<void>
  /** Versions leave that a crash left over: `isLeftOver`. */
  leave(stale: readonly (readonly [WaitingDelivery, OutboxDelivery])[]): Promise<void>
  /**
   * Versions that may be due; what they really are, `delivery_versions` says. Of each alert and receiver only the first
   * that is not settled, if its time has come. Of each receiver and party the `limitPerParty` heaviest and as many of the
   * oldest; of each source `MAX_OF_SOURCE` at most, so that a look stays small however much waits.
   * @param nowMs milliseconds since the epoch
   */
  candidates(nowMs: number, receivers: readonly string[], limitPerParty: number): Promise<WaitingDelivery[]>
  /** The same of one receiver and source, of all parties: the heaviest, `limit` at most. */
  candidatesOf(place: OutboxPlace, nowMs: number, limit: number): Promise<WaitingDelivery[]>
}

/** Whose messages about what one source sent. */
export interface OutboxPlace {
  readonly receiver: string
  readonly tenant: string
  readonly source: string
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
  'notice',
  'severity',
  'score',
  'source',
  'party',
]

const MAX_OF_SOURCE = 2000

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
          delivery.notice,
          delivery.severity,
          delivery.score,
          delivery.source,
          delivery.party,
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
    candidates: async (nowMs, receivers, limitPerParty) =>
      waitingOf(
        await database.query(
          `SELECT ${LISTED} FROM (
             SELECT *, ${RANK} AS rank,
               row_number() OVER (PARTITION BY whom, tenant, origin, about
                 ORDER BY rank DESC, points DESC, made_at, place, delivery_id) AS by_weight,
               row_number() OVER (PARTITION BY whom, tenant, origin, about ORDER BY made_at, place, delivery_id) AS by_age
             FROM (${FIRST_OF_EACH_ALERT})
             WHERE due_at <= fromUnixTimestamp64Milli({now:Int64}))
           WHERE by_weight <= {limit:UInt32} OR by_age <= {limit:UInt32}
           ORDER BY least(by_weight, by_age), rank DESC, points DESC, made_at, place, delivery_id
           LIMIT ${MAX_OF_SOURCE} BY whom, tenant, origin`,
          { receivers, severities: SEVERITIES, now: nowMs, limit: limitPerParty },
        ),
      ),
    candidatesOf: async ({ receiver, tenant, source }, nowMs, limit) =>
      waitingOf(
        await database.query(
          `SELECT ${LISTED} FROM (
             SELECT *, ${RANK} AS rank FROM (${FIRST_OF_EACH_ALERT})
             WHERE due_at <= fromUnixTimestamp64Milli({now:Int64})
               AND tenant = {tenant:String} AND origin = {source:String})
           ORDER BY rank DESC, points DESC, made_at, place, delivery_id
           LIMIT {limit:UInt32}`,
          { receivers: [receiver], tenant, source, severities: SEVERITIES, now: nowMs, limit },
        ),
      ),
  }
}

/** Whether a crash left a candidate over: there is a later version, or this one was never due. */
export const isLeftOver = (candidate: WaitingDelivery, { version, status }: OutboxDelivery): boolean =>
  version > candidate.version || (version === candidate.version && status !== 'due')

const waitingOf = (rows: readonly WaitingDelivery[]): WaitingDelivery[] =>
  rows.map((row) => ({ ...row, created_at: isoOf(row.created_at) }))

const RANK = 'indexOf({severities:Array(String)}, how_severe)'

const LISTED = `tenant, delivery_id, version, whom AS receiver, alert AS alert_id, said AS notice, place AS sequence,
  made_at AS created_at, how_severe AS severity, points AS score, origin AS source, about AS party`

// Of each alert and receiver the first that is not settled, due or not.
const FIRST_OF_EACH_ALERT = `
  SELECT tenant, delivery_id, version, any(receiver) AS whom, any(alert_id) AS alert, any(sequence) AS place,
    any(created_at) AS made_at, any(next_attempt_at) AS due_at, any(notice) AS said,
    any(severity) AS how_severe, any(score) AS points, any(source) AS origin, any(party) AS about
  FROM outbox
  -- Which wait, from the small columns of all; the rest of these only.
  WHERE receiver IN {receivers:Array(String)} AND sign = 1 AND (tenant, delivery_id, version) IN (
    SELECT tenant, delivery_id, version FROM outbox WHERE receiver IN {receivers:Array(String)}
    GROUP BY tenant, delivery_id, version HAVING sum(sign) > 0)
  GROUP BY tenant, delivery_id, version
  ORDER BY whom, alert, place, delivery_id, version DESC
  LIMIT 1 BY whom, alert`
