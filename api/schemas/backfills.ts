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
  waiting: Type.Integer({ description: 'Requests that no process with the role detect has taken up yet' }),
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
