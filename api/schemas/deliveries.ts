import { Type } from 'typebox'
import { DELIVERY_KINDS, DELIVERY_STATUSES, NOTICE_KINDS } from '../../core/delivery.ts'
import { limitParameter, strict } from './query.ts'

export const DeliverySchema = Type.Object(
  {
    delivery_id: Type.String(),
    alert_id: Type.String(),
    receiver: Type.String(),
    kind: Type.Enum(DELIVERY_KINDS),
    notice: Type.Enum(NOTICE_KINDS, { description: 'What the message says' }),
    status: Type.Enum(DELIVERY_STATUSES),
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
