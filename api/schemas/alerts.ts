import { Type } from 'typebox'
import { ALERT_STATUSES, CLOSE_REASONS } from '../../core/alert.ts'
import { DELIVERY_KINDS } from '../../core/delivery.ts'
import { ENTITY_TYPES, SEVERITIES } from '../../core/finding.ts'
import { DeliverySchema } from './deliveries.ts'
import { StoredFindingSchema } from './findings.ts'
import { cursorParameter, limitParameter, nextCursor, strict } from './query.ts'

export const AlertSchema = Type.Object(
  {
    alert_id: Type.String(),
    fingerprint: Type.String(),
    tenant: Type.String(),
    status: Type.Enum(ALERT_STATUSES),
    severity: Type.Enum(SEVERITIES),
    rule: Type.String(),
    detector: Type.String(),
    entity: Type.Object({ type: Type.Enum(ENTITY_TYPES), id: Type.String() }, strict),
    actor: Type.String(),
    title: Type.String(),
    finding_ids: Type.Array(Type.String(), { description: 'The newest 200' }),
    finding_count: Type.Integer(),
    superseded_finding_ids: Type.Array(Type.String()),
    started_at: Type.String({ description: 'First event of the finding that opened it' }),
    last_event_at: Type.String(),
    opened_at: Type.String(),
    updated_at: Type.String(),
    acknowledged_by: Type.Optional(Type.String()),
    closed_by: Type.Optional(Type.String()),
    closed_reason: Type.Optional(Type.Enum(CLOSE_REASONS)),
    note: Type.Optional(Type.String()),
    notified: Type.Record(
      Type.String(),
      Type.Object({ kind: Type.Enum(DELIVERY_KINDS), severity: Type.Enum(SEVERITIES) }, strict),
      { description: 'Which receivers were told, at which severity last' },
    ),
    revision: Type.Integer({ description: 'Also the ETag; send it as If-Match so that no change is lost' }),
  },
  { ...strict, title: 'Alert' },
)

export const AlertQuerySchema = Type.Object(
  {
    status: Type.Optional(Type.Enum(['', ...ALERT_STATUSES])),
    severity: Type.Optional(Type.Enum(['', ...SEVERITIES])),
    digest: Type.Optional(
      Type.String({ maxLength: 100, description: 'Only what this digest told of: id of its delivery' }),
    ),
    limit: limitParameter(1000, 100),
    cursor: cursorParameter,
  },
  strict,
)

export const AlertPageSchema = Type.Object(
  {
    alerts: Type.Array(
      Type.Object(
        {
          ...AlertSchema.properties,
          deliveries_summary: Type.Object(
            {
              delivered: Type.Integer(),
              due: Type.Integer(),
              failed: Type.Integer(),
              digested: Type.Integer({ description: 'Told by digests' }),
            },
            strict,
          ),
        },
        strict,
      ),
    ),
    next_cursor: nextCursor,
  },
  strict,
)

export const AlertDetailSchema = Type.Object(
  {
    alert: AlertSchema,
    actions: Type.Array(Type.Object({ kind: Type.String(), at: Type.String(), by: Type.String() })),
    findings: Type.Array(StoredFindingSchema),
    deliveries: Type.Array(DeliverySchema),
  },
  strict,
)

const note = Type.Optional(Type.String({ maxLength: 4000, description: 'Why, in the analyst’s words' }))

export const AcknowledgeSchema = Type.Object({ note }, strict)
export const CloseSchema = Type.Object({ reason: Type.Enum(CLOSE_REASONS), note }, strict)
