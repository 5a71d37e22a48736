import { Type } from 'typebox'
import { strict } from './query.ts'

export const BackfillRequestSchema = Type.Object(
  {
    from: Type.String({ description: 'First UTC day to judge again: ISO 8601, or relative (-28d)' }),
    to: Type.Optional(
      Type.String({
        description: 'Last UTC day, inclusive. Default: to the present, with baselines built again',
      }),
    ),
  },
  strict,
)

export const BackfillTakenSchema = Type.Object({
  requested_at: Type.String(),
  from: Type.String({ description: 'UTC day' }),
  to: Type.Optional(Type.String({ description: 'UTC day, inclusive' })),
})

export const BackfillsSchema = Type.Object({
  waiting: Type.Integer({ description: 'Requests that not every shard of detection has taken up yet' }),
  shards: Type.Array(
    Type.Object({
      shard: Type.Integer(),
      progress_age_s: Type.Integer({ description: 'Seconds since it stored how far it is' }),
      owner: Type.Optional(
        Type.String({
          description: 'Process that holds its lease: host/process id/…; absent: nobody, or the only one',
        }),
      ),
      owner_silent_s: Type.Optional(
        Type.Integer({
          description: 'Seconds since the owner’s last sign of life; some 7 and more: gone or suspended',
        }),
      ),
    }),
    { description: 'Shards of detection that have work left, or requests that they have not taken up' },
  ),
  backfills: Type.Array(
    Type.Object({
      rule: Type.String(),
      reason: Type.String({ description: 'late, old, away, new-rule, requested, learning or failed' }),
      since: Type.String(),
      from: Type.String({ description: 'UTC day where the work began' }),
      at: Type.String({ description: 'UTC day that comes next' }),
      to: Type.Optional(Type.String({ description: 'Last UTC day; absent: the present' })),
      attempts: Type.Integer({ description: 'Failures in a row' }),
      error: Type.Optional(Type.String()),
    }),
  ),
})
