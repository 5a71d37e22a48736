import type { Admissions, DigestMember, OutboxDelivery, WaitingDelivery } from '../core/delivery.ts'
import { stableId } from '../core/hash.ts'
import type { Database } from './database.ts'
import {
  DELIVERY_COLUMNS,
  type DeliveryRow,
  deliveryRow,
  linesOf,
  outboxDeliveryOf,
  storedTime,
} from './delivery-rows.ts'
import { isLeftOver, type OutboxPlace, type OutboxTable } from './outbox.ts'

/** What budgets are counted from, and digests. Implements `DigestStore` (`alerts/digester.ts`). Times as `core/delivery.ts`. */
export interface Digests {
  /** What was admitted to go out alone since then, milliseconds since the epoch. */
  admissions(sinceMs: number, receivers: readonly string[]): Promise<Admissions[]>
  /** All that may be due of one receiver and source, the heaviest first, `limit` at most. */
  waitingOf(place: OutboxPlace, nowMs: number, limit: number): Promise<WaitingDelivery[]>
  /** Those of them that are due and were never admitted nor attempted, in the same order; lets what was settled leave the outbox. */
  unattempted(waiting: readonly WaitingDelivery[]): Promise<DigestMember[]>
  /** Of those whose alert the receiver was told of in digests only: the id of the newest of these, by `delivery_id`. */
  toldInDigests(waiting: readonly WaitingDelivery[]): Promise<ReadonlyMap<string, string>>
  /** The newest digest of a row of digests. */
  newestDigest(
    tenant: string,
    row: string,
  ): Promise<{ readonly sequence: number; readonly status: string } | undefined>
  /**
   * Stores a digest and what it tells as one block. Both have to be of one month (`created_at`), since a block is stored whole
   * only within a partition.
   */
  putDigest(digest: OutboxDelivery, members: readonly OutboxDelivery[]): Promise<void>
  /**
   * Digests come into the outbox that a crash left out.
   * @param sinceMs how far to look back, milliseconds since the epoch
   * @returns how many
   */
  recoverDigests(sinceMs: number): Promise<number>
}

// Without the body, and without what needs no look at it.
const COLUMNS = DELIVERY_COLUMNS.filter((column) => column !== 'body').join(', ')
const ALL = DELIVERY_COLUMNS.join(', ')

/** @param outbox of the same database */
export function createDigests(database: Database, outbox: OutboxTable): Digests {
  return {
    async admissions(sinceMs, receivers) {
      return database.query<Admissions>(
        `SELECT receiver, tenant, source, severity, party, toUInt32(uniqExact(delivery_id)) AS count
         FROM admissions
         WHERE at >= fromUnixTimestamp64Milli({since:Int64}) AND receiver IN {receivers:Array(String)}
         GROUP BY receiver, tenant, source, severity, party`,
        { since: sinceMs, receivers },
      )
    },
    waitingOf: outbox.candidatesOf,
    async unattempted(waiting) {
      if (waiting.length === 0) return []
      const times = waiting.map(({ created_at }) => storedTime(created_at)).sort()
      const rows = await database.query<DeliveryRow & { rule: string; title: string }>(
        `SELECT ${COLUMNS}, JSONExtractString(text, 'alert', 'rule') AS rule,
           substringUTF8(if(JSONHas(text, 'finding'), JSONExtractString(text, 'finding', 'title'), JSONExtractString(text, 'alert', 'title')), 1, 400) AS title
         FROM (
           SELECT ${COLUMNS}, body AS text FROM delivery_versions FINAL
           WHERE tenant IN {tenants:Array(String)} AND delivery_id IN {ids:Array(String)}
             AND delivery_versions.created_at BETWEEN toDateTime64({from:String}, 3, 'UTC') AND toDateTime64({to:String}, 3, 'UTC'))`,
        {
          tenants: [...new Set(waiting.map(({ tenant }) => tenant))],
          ids: waiting.map(({ delivery_id }) => delivery_id),
          from: times[0] ?? '',
          to: times.at(-1) ?? '',
        },
      )
      const members = new Map(
        rows.map(({ rule, title, ...row }) => {
          const delivery = outboxDeliveryOf({ ...row, body: '' })
          return [delivery.delivery_id, { ...delivery, rule, title }]
        }),
      )
      const known = waiting.flatMap((candidate) => {
        const member = members.get(candidate.delivery_id)
        return member === undefined ? [] : [[candidate, member] as const]
      })
      await outbox.leave(known.filter(([candidate, member]) => isLeftOver(candidate, member)))
      return known.flatMap(([, member]) => (member.status === 'due' && member.version === 1 ? [member] : []))
    },
    async toldInDigests(waiting) {
      if (waiting.length === 0) return new Map()
      const rows = await database.query<{
        tenant: string
        receiver: string
        alert_id: string
        digest: string
      }>(
        `SELECT tenant, receiver, alert_id, argMax(digest, place) AS digest FROM (
           SELECT tenant, receiver, alert_id, delivery_id, any(sequence) AS place, argMax(status, version) AS state,
             argMax(digest_id, version) AS digest
           FROM delivery_versions
           WHERE tenant IN {tenants:Array(String)} AND alert_id IN {alerts:Array(String)}
             AND receiver IN {receivers:Array(String)} AND notice NOT IN ('acknowledged', 'closed')
           GROUP BY tenant, receiver, alert_id, delivery_id)
         WHERE state != 'due'
         GROUP BY tenant, receiver, alert_id
         HAVING countIf(state != 'digested') = 0`,
        {
          tenants: [...new Set(waiting.map(({ tenant }) => tenant))],
          alerts: [...new Set(waiting.map(({ alert_id }) => alert_id))],
          receivers: [...new Set(waiting.map(({ receiver }) => receiver))],
        },
      )
      const told = new Map(rows.map((row) => [keyOf(row), row.digest]))
      return new Map(
        waiting.flatMap((delivery) => {
          const digest = told.get(keyOf(delivery))
          return digest === undefined ? [] : [[delivery.delivery_id, digest] as const]
        }),
      )
    },
    async newestDigest(tenant, row) {
      const [newest] = await database.query<{ sequence: number; status: string }>(
        `SELECT sequence, status FROM delivery_versions
         WHERE tenant = {tenant:String} AND alert_id = {row:String}
         ORDER BY sequence DESC, delivery_id, version DESC LIMIT 1`,
        { tenant, row },
      )
      return newest
    },
    async putDigest(digest, members) {
      await database.insert({
        table: 'delivery_versions',
        columns: DELIVERY_COLUMNS,
        rows: linesOf([digest, ...members].map(deliveryRow)),
        token: stableId('digest', digest.delivery_id),
      })
      // After it is there, unlike a notice: nobody would write a digest again that is in the outbox only. `recoverDigests`
      // finds the one that is not in it.
      await outbox.enter([digest])
      await outbox.leaveBefore(members)
    },
    async recoverDigests(sinceMs) {
      const rows = await database.query<DeliveryRow>(
        `SELECT ${ALL} FROM delivery_versions FINAL
         WHERE (tenant, delivery_id) IN (
             SELECT tenant, delivery_id FROM delivery_versions
             WHERE notice = 'digest' AND created_at >= fromUnixTimestamp64Milli({since:Int64}))
           AND delivery_versions.created_at >= fromUnixTimestamp64Milli({since:Int64}) AND status = 'due'
           AND (tenant, delivery_id, version) NOT IN (
             SELECT tenant, delivery_id, version FROM outbox GROUP BY tenant, delivery_id, version HAVING sum(sign) > 0)`,
        { since: sinceMs },
      )
      await outbox.enter(rows.map(outboxDeliveryOf))
      return rows.length
    },
  }
}

const keyOf = ({ tenant, receiver, alert_id }: Pick<WaitingDelivery, 'tenant' | 'receiver' | 'alert_id'>) =>
  JSON.stringify([tenant, receiver, alert_id])
