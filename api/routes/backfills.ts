import type { Clock } from '../../core/clock.ts'
import { GatewatchError } from '../../core/errors.ts'
import { toMillis } from '../../core/timestamp.ts'
import type { ApiServer } from '../api-server.ts'
import { callerOf } from '../plugins/authentication.ts'
import { BackfillRequestSchema, BackfillsSchema, BackfillTakenSchema } from '../schemas/backfills.ts'
import { openRangeOf } from '../time-range.ts'

/** Days since 1970-01-01 in UTC, both inclusive. */
export interface DaysToJudge {
  readonly tenant: string
  readonly fromDay: number
  readonly throughDay?: number
}

/** What the backfill has left for a rule. */
export interface BackfillLeft {
  readonly rule: string
  readonly reason: string
  readonly since: string
  readonly firstDay: number
  readonly fromDay: number
  readonly throughDay?: number
  readonly attempts: number
  readonly error?: string
}

/** Where backfills are asked for (`store/backfills.ts`). */
export interface Backfills {
  request(days: DaysToJudge, by: string): Promise<string>
  left(tenant: string): Promise<{
    readonly work: readonly BackfillLeft[]
    readonly waiting: number
    readonly shards: readonly {
      readonly shard: number
      readonly progressAgeS: number
      readonly owner?: string
      readonly ownerSilentS?: number
    }[]
  }>
}

export interface BackfillRoutes {
  readonly backfills: Backfills
  readonly clock: Clock
}

const DAY_MS = 86_400_000
const dayOf = (time: string): number => Math.floor(toMillis(time) / DAY_MS)
const isoDay = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10)

/** Judging the past again: asking for it, and how far it is. */
export function addBackfillRoutes(app: ApiServer, { backfills, clock }: BackfillRoutes): void {
  app.post(
    '/v1/backfills',
    {
      config: { capability: 'admin' },
      schema: {
        summary: 'Have days of the past judged again; what is found makes alerts and is told to nobody',
        body: BackfillRequestSchema,
        response: { 202: BackfillTakenSchema },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request)
      const nowMs = clock.now()
      const { from = '', to } = openRangeOf(request.body, nowMs)
      const fromDay = dayOf(from)
      const throughDay = to === undefined ? undefined : dayOf(to)
      if (fromDay > (throughDay ?? Math.floor(nowMs / DAY_MS))) {
        throw new GatewatchError(
          'request_invalid',
          `${request.body.from} is not before the end of the range.`,
          {
            field: 'from',
            remedy: 'Give the earlier day as “from”, and none in the future.',
          },
        )
      }
      const days = { tenant: caller.tenant, fromDay, ...(throughDay === undefined ? {} : { throughDay }) }
      const requestedAt = await backfills.request(days, caller.subject)
      return reply.code(202).send({
        requested_at: requestedAt,
        from: isoDay(fromDay),
        ...(throughDay === undefined ? {} : { to: isoDay(throughDay) }),
      })
    },
  )

  app.get(
    '/v1/backfills',
    {
      config: { capability: 'findings:read' },
      schema: {
        summary: 'What of the past detection has left to judge, and why',
        response: { 200: BackfillsSchema },
      },
    },
    async (request) => {
      const { work, waiting, shards } = await backfills.left(callerOf(request).tenant)
      return {
        waiting,
        shards: shards.map(({ shard, progressAgeS, owner, ownerSilentS }) => ({
          ...{ shard, progress_age_s: progressAgeS },
          ...(owner === undefined ? {} : { owner }),
          ...(ownerSilentS === undefined ? {} : { owner_silent_s: ownerSilentS }),
        })),
        backfills: work.map((left) => ({
          ...{ rule: left.rule, reason: left.reason, since: left.since, attempts: left.attempts },
          ...{ from: isoDay(left.firstDay), at: isoDay(left.fromDay) },
          ...(left.throughDay === undefined ? {} : { to: isoDay(left.throughDay) }),
          ...(left.error === undefined ? {} : { error: left.error }),
        })),
      }
    },
  )
}
