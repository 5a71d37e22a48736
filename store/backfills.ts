import { randomUUID } from 'node:crypto'
import type { Timestamp } from '../core/audit-event.ts'
import { fromClickHouse, fromMillis } from '../core/timestamp.ts'
import type { Database } from './database.ts'
import { createLeaseStore } from './leases.ts'

/** Days of the past to be judged again, in UTC days since 1970-01-01. */
export interface RequestedDays {
  readonly tenant: string
  readonly fromDay: number
  /** Inclusive; absent: to the present. */
  readonly throughDay?: number
}

/** Work that a detect process has left, as of its last watermark. */
export interface BackfillWork extends RequestedDays {
  readonly rule: string
  readonly reason: string
  /** Where the work began, and since when it waits. */
  readonly firstDay: number
  readonly since: Timestamp
  readonly attempts: number
  readonly error?: string
}

/** A shard of detection that has work left, or requests that it has not taken up, and whose it is. */
export interface ShardAtWork {
  readonly shard: number
  /** Seconds since it stored last how far it is, by the store’s clock. */
  readonly progressAgeS: number
  /** The process that holds its lease; absent where there are no leases, and where nobody holds it. */
  readonly owner?: string
  /** Seconds since the owner’s last sign of life. */
  readonly ownerSilentS?: number
}

/** A body as `detectors/progress.ts` writes it. */
interface Body {
  readonly backlog?: readonly Entry[]
  readonly requestsUs?: number
}

interface Entry {
  readonly tenant: string
  readonly rule: string
  readonly reason: string
  readonly fromDay: number
  readonly firstDay: number
  readonly throughDay?: number
  readonly sinceMs: number
  readonly attempts: number
  readonly error?: string
}

/** Requests for backfills, and how far all backfills are. Errors: see `Database`. */
export function createBackfills(database: Database) {
  return {
    /** @returns when it was taken in, by the store’s clock */
    async request({ tenant, fromDay, throughDay }: RequestedDays, by: string): Promise<Timestamp> {
      const requestId = randomUUID()
      await database.insert({
        table: 'backfill_requests',
        columns: ['request_id', 'tenant', 'from_day', 'through_day', 'by'],
        rows: Buffer.from(
          JSON.stringify([
            ...[requestId, tenant, isoDay(fromDay)],
            ...[throughDay === undefined ? null : isoDay(throughDay), by],
          ]),
        ),
        token: `backfill/${requestId}`,
      })
      const [taken] = await database.query<{ at: string }>(
        'SELECT toString(requested_at) AS at FROM backfill_requests WHERE request_id = {requestId:String}',
        { requestId },
      )
      return fromClickHouse(taken?.at ?? '1970-01-01 00:00:00.000000')
    },

    /** Requests that were taken in after a time (microseconds of the store’s clock), oldest first. */
    async after(us: number): Promise<(RequestedDays & { readonly atUs: number })[]> {
      const rows = await database.query<{
        tenant: string
        fromDay: number
        throughDay: number | null
        atUs: number
      }>(
        `SELECT tenant, toUInt32(from_day) AS fromDay, toUInt32(through_day) AS throughDay,
           toUnixTimestamp64Micro(requested_at) AS atUs
         FROM backfill_requests WHERE requested_at > fromUnixTimestamp64Micro({us:Int64}, 'UTC')
         ORDER BY requested_at, request_id`,
        { us },
      )
      return rows.map(({ throughDay, ...row }) => ({
        ...row,
        ...(throughDay === null ? {} : { throughDay }),
      }))
    },

    /**
     * What is left to do for a tenant, the requests that not every shard has taken up yet, and the shards that all this
     * waits for.
     */
    async left(tenant: string): Promise<{
      readonly work: BackfillWork[]
      readonly waiting: number
      readonly shards: ShardAtWork[]
    }> {
      const shards = await database.query<ShardRow>(
        // A watermark’s version is the time of its writing.
        `SELECT name, body, toFloat64(toUnixTimestamp64Micro(now64(6)) - toInt64(version)) / 1e6 AS ageS
         FROM watermarks FINAL WHERE startsWith(name, 'detect:') ORDER BY name`,
      )
      const bodies = shards.map(({ body }) => JSON.parse(body) as Body)
      const takenUs = bodies.reduce(
        (least, { requestsUs = 0 }) => Math.min(least, requestsUs),
        Number.MAX_SAFE_INTEGER,
      )
      const [counted] = await database.query<{ waiting: number; newestUs: number }>(
        `SELECT count() AS waiting, toUnixTimestamp64Micro(max(requested_at)) AS newestUs FROM backfill_requests
         WHERE tenant = {tenant:String} AND requested_at > fromUnixTimestamp64Micro({us:Int64}, 'UTC')`,
        { tenant, us: bodies.length === 0 ? 0 : takenUs },
      )
      const work = bodies
        .flatMap(({ backlog = [] }) => backlog)
        .filter((entry) => entry.tenant === tenant)
        .map(({ sinceMs, ...entry }) => ({ ...entry, since: fromMillis(Math.floor(sinceMs)) }))
        .sort((a, b) => (a.rule < b.rule ? -1 : 1))
      const waiting = counted?.waiting ?? 0
      const isBehind = ({ requestsUs = 0 }: Body) => waiting > 0 && requestsUs < (counted?.newestUs ?? 0)
      const isAtWork = (body: Body) =>
        isBehind(body) || (body.backlog ?? []).some((entry) => entry.tenant === tenant)
      const atWork = shards.filter((_, index) => isAtWork(bodies[index] ?? {}))
      return { work, waiting, shards: atWork.length === 0 ? [] : await withOwners(atWork) }
    },
  }

  /** A lease has the name of what it is about: `shards/8/3` is about `detect:8/3`. */
  async function withOwners(rows: readonly ShardRow[]): Promise<ShardAtWork[]> {
    const { leases, members } = await createLeaseStore(database).view()
    return rows.map(({ name, ageS }) => {
      const [, place = ''] = name.split(':')
      const owner = leases.find((lease) => lease.name === `shards/${place}`)?.owner ?? ''
      const silentMs = members.find(({ member }) => member === owner)?.ageMs
      return {
        shard: Number(place.split('/')[1] ?? 0),
        progressAgeS: Math.max(0, Math.round(ageS)),
        ...(owner === '' ? {} : { owner }),
        ...(silentMs === undefined ? {} : { ownerSilentS: Math.max(0, Math.round(silentMs / 1000)) }),
      }
    })
  }
}

interface ShardRow {
  readonly name: string
  readonly body: string
  readonly ageS: number
}

const isoDay = (day: number): string => new Date(day * 86_400_000).toISOString().slice(0, 10)
