import { Type } from 'typebox'
import { AuditEventSchema } from '../../core/audit-event.ts'
import { FindingSchema, SEVERITIES } from '../../core/finding.ts'
import { DeliverySchema } from './deliveries.ts'
import {
  cursorParameter,
  limitParameter,
  nextCursor,
  rangeParameters,
  strict,
  textParameter,
} from './query.ts'

export const StoredFindingSchema = Type.Object(
  {
    ...FindingSchema.properties,
    status: Type.Enum(['current', 'superseded'], {
      description: 'Superseded by a later judgement of the same subject',
    }),
    found_at: Type.String({ description: 'When gatewatch found it' }),
  },
  { ...strict, title: 'StoredFinding' },
)

export const FindingQuerySchema = Type.Object(
  {
    ...rangeParameters,
    detector: textParameter('Kind of detector: volume, off-hours, new-value, chain'),
    rule: textParameter('Id of the rule'),
    actor: textParameter('The accountable principal'),
    severity: Type.Optional(Type.Enum(['', ...SEVERITIES])),
    status: Type.Enum(['current', 'superseded', 'all'], { default: 'current' }),
    limit: limitParameter(1000, 100),
    cursor: cursorParameter,
  },
  strict,
)

export const FindingPageSchema = Type.Object(
  { findings: Type.Array(StoredFindingSchema), next_cursor: nextCursor },
  strict,
)

export const FindingDetailSchema = Type.Object(
  {
    finding: StoredFindingSchema,
    events: Type.Array(AuditEventSchema, { description: 'Its first events, up to 100' }),
    alert_id: Type.Optional(Type.String()),
    deliveries: Type.Array(DeliverySchema),
  },
  strict,
)

export const BaselineSchema = Type.Union([
  Type.Object(
    {
      kind: Type.Literal('volume'),
      step_seconds: Type.Integer(),
      points: Type.Array(Type.Object({ start: Type.String(), calls: Type.Integer() }, strict)),
      expected: Type.Union([Type.Number(), Type.Null()]),
      upper: Type.Union([Type.Number(), Type.Null()]),
    },
    strict,
  ),
  Type.Object(
    {
      kind: Type.Literal('off-hours'),
      timezone_offset_minutes: Type.Integer(),
      cells: Type.Array(Type.Array(Type.Integer(), { minItems: 48, maxItems: 48 }), {
        minItems: 7,
        maxItems: 7,
        description: 'Distinct days with calls, by weekday (0 = Monday) and half hour, in the actor’s time',
      }),
      flagged: Type.Array(Type.Object({ weekday: Type.Integer(), half_hour: Type.Integer() }, strict)),
    },
    strict,
  ),
  Type.Object(
    {
      kind: Type.Literal('new-value'),
      server: Type.String(),
      tool: Type.String(),
      first_seen: Type.Array(Type.Object({ actor: Type.String(), at: Type.String() }, strict), {
        description: 'First use by each actor, earliest first, up to 50',
      }),
    },
    strict,
  ),
  Type.Object(
    {
      kind: Type.Literal('chain'),
      steps: Type.Array(
        Type.Object({ event_id: Type.String(), capability: Type.String(), step: Type.Integer() }, strict),
      ),
    },
    strict,
  ),
  Type.Object({ kind: Type.Literal('none') }, strict),
])
