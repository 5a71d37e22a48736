import { Type } from 'typebox'
import { DELIVERY_KINDS, DELIVERY_STATUSES, MESSAGE_KINDS } from '../../core/delivery.ts'
import { limitParameter, strict } from './query.ts'

export const DeliverySchema = Type.Object(
  {
    delivery_id: Type.String(),
    alert_id: Type.String({
      description: 'Empty for a digest: its alerts are GET /v1/alerts?digest=<delivery_id>',
    }),
    receiver: Type.String(),
    kind: Type.Enum(DELIVERY_KINDS),
    notice: Type.Enum(MESSAGE_KINDS, { description: 'What the message says' }),
    status: Type.Enum(DELIVERY_STATUSES, {
      description: 'digested: told by the digest that digest_id names, not by a message of its own',
    }),
    digest_id: Type.Optional(Type.String({ description: 'The delivery that tells a digested one' })),
    attempts: Type.Integer(),
    created_at: Type.String(),
    last_attempt_at: Type.Optional(Type.String()),
    next_attempt_at: Type.String(),
    last_status: Type.Optional(
      Type.Integer({ description: 'HTTP status of the last attempt; 0: no answer' }),
    ),
    last_error: Type.Optional(Type.String()),
    attempt_log: Type.Array(
      Type.Object(
        {
          at: Type.String(),
          status: Type.Integer(),
          error: Type.Optional(Type.String()),
          duration_ms: Type.Number(),
        },
        strict,
      ),
      { description: 'Every attempt, oldest first' },
    ),
  },
  { ...strict, title: 'Delivery' },
)

export const DeliveryQuerySchema = Type.Object({ limit: limitParameter(1000, 100) }, strict)

export const DeliveryListSchema = Type.Object({ deliveries: Type.Array(DeliverySchema) }, strict)

export const ReceivedSchema = Type.Object(
  {
    received: Type.Array(
      Type.Object(
        {
          webhook_id: Type.String(),
          verified: Type.Boolean(),
          received_at: Type.String(),
          type: Type.String(),
          body: Type.Unknown(),
        },
        strict,
      ),
    ),
  },
  strict,
)
